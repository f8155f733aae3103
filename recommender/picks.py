"""A pick: one product chosen for one shopper, with the evidence. What mails, pages and logged decisions share."""

from dataclasses import dataclass, field
from typing import Any, Self

PERSONAL, SIMILAR, CATEGORY, TRENDING, POPULAR, NEWEST = (
    "personal", "similar", "category", "trending", "popular", "newest",
)  # fmt: skip
# From the most personal rung of the ladder to the last.
LEVELS = (PERSONAL, SIMILAR, CATEGORY, TRENDING, POPULAR, NEWEST)


@dataclass(frozen=True)
class Pick:
    """A product, how sure the model is, on which rung of the ladder it was found, and why.

    because : what the sentence in the mail is made of: its "kind", and what that kind counts (docs/recommender.md).
    probability : how likely this product was in this slot, given the slots before; 1 where nothing was drawn.
    price : as text, when the pick was made; "" = unknown.
    changed : what happened between the plan and the moment of sending; empty = nothing.
    """

    product_id: int
    score: float
    level: str
    because: dict[str, Any] = field(default_factory=dict)
    probability: float = 1.0
    price: str = ""
    changed: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON column."""
        rest = {"price": self.price, "changed": self.changed}
        return {
            "product": self.product_id, "score": self.score, "level": self.level, "because": self.because,
            "probability": self.probability,
        } | {name: value for name, value in rest.items() if value}  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Bring a pick back; one that was kept before probabilities were had none but 1."""
        return cls(
            int(value["product"]), float(value["score"]), str(value["level"]), dict(value["because"]),
            float(value.get("probability", 1.0)), str(value.get("price", "")), dict(value.get("changed", {})),
        )  # fmt: skip
