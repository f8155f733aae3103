"""What the shop says of its items, for models that look at content."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Catalogue:
    """Name, category and price of each item, in the order of the item codes; unknown where nothing is said.

    Attributes
    ----------
    texts : list of n_items strings: name and attributes; "" = nothing is said
    categories : int32 array of shape (n_items,), code of the category, -1 = unknown
    category_names : list of strings, by code
    prices : float32 array of shape (n_items,), nan = unknown
    """

    texts: list[str]
    categories: np.ndarray
    category_names: list[str] = field(default_factory=list)
    prices: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def __post_init__(self) -> None:
        if not len(self.prices):
            object.__setattr__(self, "prices", np.full(len(self.texts), np.nan, np.float32))

    @classmethod
    def empty(cls, n_items: int) -> "Catalogue":
        """Return a catalogue that says nothing."""
        return cls([""] * n_items, np.full(n_items, -1, np.int32))
