"""A pick: one product chosen for one shopper, with the evidence. What mails, pages and logged decisions share."""

from dataclasses import dataclass, field
from typing import Any, Self

PERSONAL, POPULAR, NEWEST = "personal", "popular", "newest"


@dataclass(frozen=True)
class Pick:
    """A product, how sure the model is, on which rung of the ladder it was found, and why.

    because : {"kind": "neighbours", "n", "of", "products", "counts", "weights"}, {"kind": "popular", "n", "days"} or
    {"kind": "newest"}.
    """

    product_id: int
    score: float
    level: str
    because: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON column."""
        return {"product": self.product_id, "score": self.score, "level": self.level, "because": self.because}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Bring a pick back."""
        return cls(int(value["product"]), float(value["score"]), str(value["level"]), dict(value["because"]))
