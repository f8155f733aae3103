"""Shares of things that come in groups: three picks of one shopper are clicked together or not at all."""

from dataclasses import astuple, dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from recommender.core.intervals import Interval

# Where nothing happened in n groups, the share is below 3 / n with 95 % confidence.
RULE_OF_THREE = 3.0
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Sums:
    """What a share with its interval is worked out from; k successes of n in each group.

    Attributes
    ----------
    groups : number of groups, each with n >= 1
    k, n : sums over groups
    kk, kn, nn : sums over groups of k * k, k * n and n * n
    """

    groups: int
    k: float
    n: float
    kk: float
    kn: float
    nn: float

    def __add__(self, other: "Sums") -> "Sums":
        """Return the sums over these groups and others."""
        return Sums(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))


# Of no groups.
NOTHING = Sums(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def sums(groups: np.ndarray, hits: np.ndarray) -> Sums:
    """Return the sums over things that belong to groups.

    Parameters
    ----------
    groups : int array of shape (n_things,)
    hits : bool array of shape (n_things,)
    """
    _names, places = np.unique(groups, return_inverse=True)
    n = np.bincount(places).astype(float)
    k = np.bincount(places, weights=hits, minlength=len(n))
    return Sums(len(n), *(float(total) for total in (k.sum(), n.sum(), k @ k, k @ n, n @ n)))


def share(of: Sums) -> Interval:
    """Return k / n with its 95 % interval, as wide as groups that differ make it.

    ``se^2 = G / (G - 1) * sum((k_g - p n_g)^2) / n^2``. One group, or none, says nothing: 0 to 1.

    Source: Cochran (1977), "Sampling Techniques", section 6.4, the ratio estimator; for k = 0 and k = n Hanley and
    Lippman-Hand (1983), JAMA 249(13), "If nothing goes wrong, is everything all right?", over groups.
    """
    if of.groups < 2 or of.n <= 0:
        return {"value": of.k / of.n if of.n > 0 else 0.0, "low": 0.0, "high": 1.0}
    p, edge = of.k / of.n, min(RULE_OF_THREE / of.groups, 1.0)
    if of.k == 0:
        return {"value": 0.0, "low": 0.0, "high": edge}
    if of.k == of.n:
        return {"value": 1.0, "low": 1.0 - edge, "high": 1.0}
    spread = max(of.kk - 2 * p * of.kn + p * p * of.nn, 0.0)
    half = Z * sqrt(of.groups / (of.groups - 1) * spread) / of.n
    return {"value": p, "low": max(p - half, 0.0), "high": min(p + half, 1.0)}
