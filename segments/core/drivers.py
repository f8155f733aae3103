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

Chance = Callable[[np.ndarray], np.ndarray]


def parts(chance: Chance, rows: np.ndarray, usual: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Return each group's part.

    Parameters
    ----------
    chance : rows of shape (n, n_inputs) -> chances of shape (n,)
    rows : array of shape (n, n_inputs)
    usual : array of shape (n_inputs,), the usual shopper
    groups : places of the inputs of each group; together all inputs

    Returns
    -------
    float array of shape (n, n_groups); its rows sum to chance(rows) - chance(usual)
    """
    found = np.zeros((len(rows), len(groups)))
    # Both ways begin and end alike: trees are asked for these once.
    first, whole = chance(usual[None, :]), chance(rows)
    for order in (range(len(groups)), range(len(groups) - 1, -1, -1)):
        mixed, before = np.repeat(usual[None, :], len(rows), axis=0), first
        for group in order:
            mixed[:, groups[group]] = rows[:, groups[group]]
            after = whole if group == order[-1] else chance(mixed)
            found[:, group] += (after - before) / 2
            before = after
    return found


def floor_parts(model: buying.Buying, same: floor.Counted, days: float) -> np.ndarray:
    """Return the parts of recency, orders and tenure in the floor's chance.

    Returns
    -------
    float array of shape (n_rows, 3), a row for each row of `same`
    """
    rows = np.column_stack([same.age - same.t_x, same.x, same.age])
    usual = np.array([weighted_median(column, same.weights) for column in rows.T])

    def chance(mixed: np.ndarray) -> np.ndarray:
        since, x, age = mixed.T
        return buying.chance(model, x, np.maximum(age - since, 0.0), age, days)

    return parts(chance, rows, usual, [[0], [1], [2]])


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value at which half the weight is reached; 0 without values."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
