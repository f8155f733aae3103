"""Keeps the numbers of groups from run to run, says how much they moved, and what each is known by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Shared shoppers / all shoppers of both: from here on it is the same group.
SAME_GROUP = 0.25
# Standard deviations from the shop's mean at which a group is known for something, and how many such things name it.
CLEAR, MOST_TRAITS = 0.5, 2


def overlaps(old: np.ndarray, new: np.ndarray, *, n_old: int, n_new: int) -> np.ndarray:
    """Count the shoppers of each old and each new group.

    Parameters
    ----------
    old, new : int arrays of shape (n,), -1 = in no group

    Returns
    -------
    int array of shape (n_old, n_new)
    """
    both = (old >= 0) & (new >= 0)
    pairs = old[both].astype(np.int64) * n_new + new[both]
    return np.bincount(pairs, minlength=n_old * n_new).reshape(n_old, n_new)


def numbers(table: np.ndarray, old_numbers: Sequence[int], sizes: np.ndarray, *, first_free: int) -> list[int]:
    """Return the number of each new group: that of the old one it continues, or one that no group ever had.

    Pairs share as many shoppers as possible in sum (Kuhn 1955, The Hungarian method), measured by Jaccard's index.

    Parameters
    ----------
    table : from overlaps
    old_numbers : of shape (n_old,)
    sizes : int array of shape (n_new,), as large as each new group is
    first_free : new groups get this and the following, in their order
    """
    from scipy.optimize import linear_sum_assignment

    taken: dict[int, int] = {}
    if table.size:
        # Newcomers since then are not what changed a group.
        shared = table / np.maximum(table.sum(axis=1)[:, None] + table.sum(axis=0)[None, :] - table, 1)
        for old, new in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[old, new] >= SAME_GROUP:
                taken[int(new)] = int(old_numbers[old])
    fresh = iter(range(first_free, first_free + len(sizes)))
    return [taken[new] if new in taken else next(fresh) for new in range(len(sizes))]


def adjusted_rand(table: np.ndarray) -> float | None:
    """Return how far two groupings agree, 1 = the same, 0 = as by chance; None below two shoppers.

    Source: Hubert and Arabie (1985), Comparing partitions, Journal of Classification 2.
    """

    def pairs(counts: np.ndarray) -> float:
        counts = counts.astype(float)
        return float((counts * (counts - 1) / 2).sum())

    n = int(table.sum())
    if n < 2:
        return None
    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / (n * (n - 1) / 2)
    most = (rows + columns) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def traits(centres: np.ndarray, names: Sequence[str]) -> list[list[str]]:
    """Return what each group is known by, clearest first: "basket+" far above the shop's mean, "basket-" far below.

    At most two each, a third where two groups would be called the same.

    Parameters
    ----------
    centres : float array of shape (k, n_features), standard scores
    """
    found = []
    for centre in centres:
        order = np.argsort(-np.abs(centre), kind="stable")
        found.append([f"{names[one]}{'+' if centre[one] > 0 else '-'}" for one in order if abs(centre[one]) >= CLEAR])
    short = [one[:MOST_TRAITS] for one in found]
    return [one[: MOST_TRAITS + 1] if short.count(few) > 1 else few for one, few in zip(found, short, strict=True)]
