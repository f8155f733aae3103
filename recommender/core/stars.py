"""How well a model predicts the stars that users go on to give."""

from collections.abc import Iterator

import numpy as np

from recommender.core.base import BLOCK_CELLS, RatesItems
from recommender.core.splitting import Split


def star_errors(model: RatesItems, split: Split) -> np.ndarray:
    """Return predicted minus given stars of the ratings after the split, float array of shape (n_ratings,).

    Ratings of users and items that the model never met count too: something must be said to them.
    """
    held = split.held
    order = np.argsort(held.users, kind="stable")
    users, items, stars = held.users[order], held.items[order], held.stars[order]
    errors = np.empty(len(order))
    for ratings in _blocks(users):
        rows, at = np.unique(users[ratings], return_inverse=True)
        first = np.searchsorted(at, np.arange(len(rows)))
        place = np.arange(len(at)) - first[at]
        asked = np.full((len(rows), int(place.max()) + 1), -1, np.int32)
        asked[at, place] = items[ratings]
        errors[ratings] = model.predict(split.rated.of(rows), asked)[at, place] - stars[ratings]
    return errors


def _blocks(users: np.ndarray) -> Iterator[slice]:
    """Yield slices of sorted users that end with a user and whose table of ratings fits into BLOCK_CELLS."""
    _rows, counts = np.unique(users, return_counts=True)
    ends, start = np.cumsum(counts), 0
    size = max(1, BLOCK_CELLS // int(counts.max(initial=1)))
    for end in [*ends[size - 1 :: size], *ends[-1:]]:
        if end > start:
            yield slice(start, int(end))
        start = int(end)
