"""What a mail may show, beyond what every pick must be: in stock, switched on, with a picture."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from django.db.models import Q
from django.utils.translation import gettext as _

from mailai.errors import InputError

# "Kitchen > Mugs": a path, broad first.
SEPARATOR = " > "
MOST = 1_000


@dataclass(frozen=True)
class Filters:
    """Wishes for the picks of a batch; without any, new products of all categories at any price.

    Parameters
    ----------
    repeats : products that she ordered before may come again.
    categories, not_categories : only these, none of these; a path stands for everything below it too.
    lowest_price, highest_price : both included; with either, a product without a price is not picked.
    per_category : at most so many of one category (a whole path) in one mail; 0 = any number.
    rest_mails : nothing that her last so many mails showed; 0 = anything.
    exploration : share of slots in [0, 1] that a draw fills instead of the ranking.
    decision : seeds that draw, such as a campaign's seed; None = the moment of the picks does.

    Raises
    ------
    InputError : a number is out of its range, or the prices leave nothing.
    """

    repeats: bool = False
    categories: tuple[str, ...] = ()
    not_categories: tuple[str, ...] = ()
    lowest_price: Decimal | None = None
    highest_price: Decimal | None = None
    per_category: int = 0
    rest_mails: int = 0
    exploration: float = 0.0
    decision: int | None = None

    def __post_init__(self) -> None:
        low, high = self.lowest_price, self.highest_price
        if (low is not None and low < 0) or (high is not None and high < (low or 0)):
            raise InputError(_("The lowest price of the picks must not be above the highest, and neither below zero."))
        if not (0 <= self.per_category <= MOST and 0 <= self.rest_mails <= MOST):
            raise InputError(_("Numbers that limit the picks must be whole numbers from 0 to %(n)s.") % {"n": MOST})
        if not 0 <= self.exploration <= 1:
            raise InputError(_("The share of picks that are tried out must be a number from 0 to 1."))

    @property
    def prices(self) -> Q:
        """The limits of the price as a condition on products."""
        low = Q() if self.lowest_price is None else Q(price__gte=self.lowest_price)
        return low if self.highest_price is None else low & Q(price__lte=self.highest_price)

    def wants(self, category: str) -> bool:
        """Say whether a product of this category may be picked."""
        if self.categories and not _below(category, self.categories):
            return False
        return not _below(category, self.not_categories)

    def to_json(self) -> dict[str, Any]:
        """Return what a campaign keeps: plain values, only those that were wished. Draws are no part of it."""
        wished = {
            "repeats": self.repeats,
            "categories": list(self.categories),
            "not_categories": list(self.not_categories),
            "lowest_price": None if self.lowest_price is None else str(self.lowest_price),
            "highest_price": None if self.highest_price is None else str(self.highest_price),
            "per_category": self.per_category,
            "rest_mails": self.rest_mails,
        }
        return {name: value for name, value in wished.items() if value not in (False, 0, None, [])}

    @classmethod
    def from_json(cls, given: dict[str, Any], **draw: Any) -> Self:
        """Take ``to_json`` back, with the share and the seed of the draw.

        Raises
        ------
        InputError : a value makes no sense.
        """
        return cls(
            repeats=bool(given.get("repeats", False)),
            categories=tuple(given.get("categories", ())),
            not_categories=tuple(given.get("not_categories", ())),
            lowest_price=_price(given.get("lowest_price")),
            highest_price=_price(given.get("highest_price")),
            per_category=int(given.get("per_category", 0)),
            rest_mails=int(given.get("rest_mails", 0)),
            **draw,
        )


def _below(category: str, paths: tuple[str, ...]) -> bool:
    return any(category == path or category.startswith(path + SEPARATOR) for path in paths)


def _price(value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite():
        raise InputError(_("“%(value)s” is no price.") % {"value": value})
    return price
