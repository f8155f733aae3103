"""Opens and clicks over the time since a campaign began to leave."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Bin widths in minutes; the narrowest that needs at most MAX_BINS bins is taken.
WIDTHS = (1, 5, 15, 60, 180, 720, 1440)
MAX_BINS = 96


@dataclass(frozen=True)
class Series:
    """Counts per bin; ``starts`` are hours since sending began."""

    width_minutes: int
    starts: np.ndarray
    opens: np.ndarray
    clicks: np.ndarray


def binned(opens: Sequence[tuple[float, int]], clicks: Sequence[tuple[float, int]], span_minutes: float) -> Series:
    """Count opens and clicks in bins that suit the age of the campaign.

    Parameters
    ----------
    opens, clicks : pairs (minutes since sending began, count)
    span_minutes : age that the axis covers; later points are left out, earlier ones fall into the first bin

    Returns
    -------
    Series with arrays of one length, at least 1 and at most MAX_BINS bins (more only beyond 96 days).
    """
    width = next((width for width in WIDTHS if span_minutes / width <= MAX_BINS), WIDTHS[-1])
    n_bins = max(1, int(np.ceil(span_minutes / width)))
    return Series(width, np.arange(n_bins) * width / 60, _count(opens, width, n_bins), _count(clicks, width, n_bins))


def _count(points: Sequence[tuple[float, int]], width: int, n_bins: int) -> np.ndarray:
    if not points:
        return np.zeros(n_bins, dtype=int)
    minutes, counts = (np.array(column) for column in zip(*points, strict=True))
    bins = np.maximum(minutes, 0) // width
    inside = bins < n_bins
    return np.bincount(bins[inside].astype(int), weights=counts[inside], minlength=n_bins).astype(int)


def half_by(points: Sequence[tuple[float, int]]) -> float | None:
    """Return the minutes after which half of all counted events had happened; None without events."""
    ordered = sorted(points)
    total = sum(count for _, count in ordered)
    seen = 0
    for minutes, count in ordered:
        seen += count
        if seen * 2 >= total:
            return max(float(minutes), 0.0)
    return None
