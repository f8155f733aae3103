"""What shoppers are compared by: a few figures of her profile, on scales on which they can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# Figure -> whether its logarithm is taken. Spending is not among them: it is orders times basket.
FEATURES: dict[str, bool] = {
    "orders": True,
    "basket": True,
    "recency": True,
    "discount": False,
    "focus": False,
    "christmas": False,
    "visits": True,
    "engagement": False,
}
# Nobody is further from the mean than so many standard deviations: one huge order makes no group of its own.
FURTHEST = 3.0
# Share of orders that fall on 1 November to 25 December, which needs a year to mean anything.
YEAR = 360.0


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each figure, after the logarithm; figures in which nobody differs are left out."""

    mean: dict[str, float]
    deviation: dict[str, float]

    @property
    def names(self) -> list[str]:
        """The figures that tell shoppers apart."""
        return list(self.mean)

    def as_json(self) -> dict[str, dict[str, float]]:
        """Return plain values to store."""
        return {name: {"mean": self.mean[name], "deviation": self.deviation[name]} for name in self.names}

    @staticmethod
    def from_json(stored: dict[str, Any]) -> Scale:
        """Return what as_json stored."""
        return Scale(*({name: float(one[key]) for name, one in stored.items()} for key in ("mean", "deviation")))


def comparable(name: str, values: np.ndarray) -> np.ndarray:
    """Return a figure, float array of shape (n,), NaN = not known, on the scale on which it is compared."""
    values = np.asarray(values, float)
    return np.log1p(np.maximum(values, 0.0)) if FEATURES[name] else values


def make_scale(figures: dict[str, np.ndarray]) -> Scale:
    """Measure the scale over all shoppers.

    Parameters
    ----------
    figures : name of FEATURES -> float array of shape (n,), natural units, NaN = not known
    """
    mean, deviation = {}, {}
    for name in FEATURES:
        known = comparable(name, figures[name])
        known = known[~np.isnan(known)]
        # Sums of many equal numbers differ in their last digits.
        if len(known) and (spread := float(known.std())) > 1e-6 * max(1.0, abs(float(known.mean()))):
            mean[name], deviation[name] = round(float(known.mean()), 9), round(spread, 9)
    return Scale(mean, deviation)


def scaled(figures: dict[str, np.ndarray], scale: Scale) -> np.ndarray:
    """Return standard scores, cut at FURTHEST; what is not known counts as the mean.

    Returns
    -------
    float32 array of shape (n, len(scale.names))
    """
    n = len(next(iter(figures.values())))
    found = np.zeros((n, len(scale.names)), np.float32)
    for place, name in enumerate(scale.names):
        score = (comparable(name, figures[name]) - scale.mean[name]) / scale.deviation[name]
        found[:, place] = np.clip(np.nan_to_num(score, nan=0.0), -FURTHEST, FURTHEST)
    return found


def christmas_share(shopper: np.ndarray, day: np.ndarray, n: int) -> np.ndarray:
    """Return which share of each shopper's orders fell on 1 November to 25 December.

    Parameters
    ----------
    shopper : int array of shape (n_orders,), 0..n-1
    day : float array of shape (n_orders,), days since 1970

    Returns
    -------
    float array of shape (n,); NaN without an order, and for everybody below a year of orders
    """
    if not len(day) or np.ptp(day) < YEAR:
        return np.full(n, np.nan)
    dates = np.floor(day).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    month, of_month = months.astype(int) % 12 + 1, (dates - months).astype(int) + 1
    before = (month == 11) | ((month == 12) & (of_month <= 25))
    orders = np.bincount(shopper, minlength=n).astype(float)
    orders[orders == 0] = np.nan
    return np.bincount(shopper, weights=before, minlength=n) / orders
