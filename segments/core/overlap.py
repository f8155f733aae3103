"""How several segments overlap: each combination that exists, and each pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Combination:
    """Shoppers who are in exactly these segments of those compared; ``inside`` are their places."""

    inside: tuple[int, ...]
    n: int


def combinations(masks: Mapping[int, int], n_segments: int) -> list[Combination]:
    """Turn counts by mask into combinations, the largest first; those with fewer segments first among equals.

    Parameters
    ----------
    masks : bit mask (bit i = in segment i) -> shoppers; the mask 0, in none of them, is left out
    n_segments : int, how many segments are compared
    """
    found = [
        Combination(tuple(place for place in range(n_segments) if mask >> place & 1), n)
        for mask, n in masks.items()
        if mask and n
    ]
    return sorted(found, key=lambda one: (-one.n, len(one.inside), one.inside))


def sizes(masks: Mapping[int, int], n_segments: int) -> list[int]:
    """Return how many shoppers each segment has."""
    return [sum(n for mask, n in masks.items() if mask >> place & 1) for place in range(n_segments)]


def shared(masks: Mapping[int, int], n_segments: int) -> list[list[int]]:
    """Return how many shoppers each two segments share, a row and a column for each; all with itself."""
    places = range(n_segments)
    return [
        [sum(n for mask, n in masks.items() if mask >> row & 1 and mask >> column & 1) for column in places]
        for row in places
    ]
