"""What drives a shopper's chance to order: the parts by which it differs from a usual shopper's, true to the model.

Every group of inputs is set from the usual shopper's value to hers, one after the other, forwards and backwards; a
group's part is the mean of both steps. The parts add up to her chance less the usual shopper's.

Source: Shapley values by permutation (Strumbelj, Kononenko 2014, Knowledge and Information Systems 41), with one order
and its reverse (Mitchell et al. 2022, JMLR 23) instead of all orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from segments.core import buying, floor

# For each mix the places of the groups that are her own -> chances of shape (n_mixes, n).
Chances = Callable[[Sequence[tuple[int, ...]]], np.ndarray]


def parts(chances: Chances, n_groups: int) -> np.ndarray:
    """Return each group's part.

    Parameters
    ----------
    chances : asked once, with the groups that are her own in each mix

    Returns
    -------
    float array of shape (n, n_groups); its rows sum to her chance less the usual shopper's
    """
    orders = [list(range(n_groups)), list(range(n_groups - 1, -1, -1))]
    # Both ways begin and end alike.
    ways = list(dict.fromkeys(tuple(sorted(order[:size])) for order in orders for size in range(n_groups + 1)))
    told = dict(zip(ways, chances(ways), strict=True))
    found = np.zeros((len(told[tuple(range(n_groups))]), n_groups))
    for order in orders:
        for size, group in enumerate(order):
            before, after = (told[tuple(sorted(order[:many]))] for many in (size, size + 1))
            found[:, group] += (after - before) / 2
    return found


def floor_parts(model: buying.Buying, same: floor.Counted, days: float) -> np.ndarray:
    """Return the parts of recency, orders and tenure in the floor's chance.

    Returns
    -------
    float array of shape (n_rows, 3), a row for each row of `same`
    """
    rows = np.column_stack([same.age - same.t_x, same.x, same.age])
    usual = np.array([weighted_median(column, same.weights) for column in rows.T])

    def chances(ways: Sequence[tuple[int, ...]]) -> np.ndarray:
        found = np.empty((len(ways), len(rows)))
        for number, own in enumerate(ways):
            since, x, age = (rows[:, one] if one in own else np.full(len(rows), usual[one]) for one in range(3))
            found[number] = buying.chance(model, x, np.maximum(age - since, 0.0), age, days)
        return found

    return parts(chances, 3)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value at which half the weight is reached; 0 without values."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
