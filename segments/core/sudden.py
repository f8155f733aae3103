"""Whether a segment changed faster than it usually does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# So many changes make "usual"; those of so many days count.
FEWEST, DAYS = 7, 28
# A change of fewer shoppers, or of a smaller part of the segment, is nothing to look at.
LEAST, LEAST_SHARE = 20, 0.05
# Beyond so many modified z-scores a value is an outlier; the factor makes the MAD of a normal distribution its
# standard deviation.
BEYOND, TO_DEVIATION = 3.5, 1.4826


@dataclass(frozen=True)
class Usual:
    """What a segment changes by in a day: the median, and the spread as a standard deviation."""

    median: float
    spread: float

    @property
    def low(self) -> float:
        """The lowest change that is still usual."""
        return self.median - BEYOND * self.spread

    @property
    def high(self) -> float:
        """The highest change that is still usual."""
        return self.median + BEYOND * self.spread


def usual(changes: Sequence[float]) -> Usual | None:
    """Return what is usual among the daily changes of a segment's size; None where there are fewer than seven.

    The spread is 1.4826 times the median absolute deviation from the median, so that one wild day in the past does
    not widen it; at least one shopper, where most days are alike.

    Source: Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers, chapter 3 (median, MAD, 3.5).
    """
    if len(changes) < FEWEST:
        return None
    values = np.asarray(changes, dtype=float)
    median = float(np.median(values))
    return Usual(median, max(1.0, TO_DEVIATION * float(np.median(np.abs(values - median)))))


def is_sudden(change: int, days: int, size_before: int, known: Usual) -> bool:
    """Say whether a change is far from what is usual, and large enough to look at.

    Far: the change per day lies more than 3.5 spreads from the median (a modified z-score beyond 3.5). Large enough:
    at least 20 shoppers and 5 % of the size before; the figures are ours.

    Parameters
    ----------
    change : int, shoppers, since the record before
    days : int, at least 1: how long ago that was
    size_before : int, shoppers
    known : Usual, shoppers a day
    """
    if abs(change) < max(LEAST, LEAST_SHARE * size_before):
        return False
    return not known.low <= change / days <= known.high
