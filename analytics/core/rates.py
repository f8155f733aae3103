"""Rates with their ranges, and the point below which no rate is shown."""

from dataclasses import dataclass
from typing import Any

from mailai.stats import wilson

# Fewer than this and a rate would say more about luck than about the mail.
MIN_BASE, MIN_EVENTS = 100, 5


@dataclass(frozen=True)
class Rate:
    """``k`` of ``n`` as a share in [0, 1] with its 95 % Wilson interval; None when nobody is in the base."""

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def too_early(self) -> bool:
        """Say whether the counts are too small to be shown as a rate."""
        return self.n < MIN_BASE or self.k < MIN_EVENTS

    def to_json(self) -> dict[str, Any]:
        """Return the figures for commands and exports."""
        return {
            "k": self.k,
            "n": self.n,
            "rate": self.value,
            "low": self.low,
            "high": self.high,
            "too_early": self.too_early,
        }


def rate(k: int, n: int) -> Rate:
    """Return k of n with its interval.

    Raises
    ------
    ValueError : k is outside 0..n.

    Source: Wilson (1927), JASA 22, 209-212.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share.")
    if n == 0:
        return Rate(0, 0, None, None, None)
    return Rate(k, n, k / n, *wilson(k, n))
