"""What a mail changed: shoppers who were to get it against the control group that was held back.

Both groups are counted by intention to treat: everybody planned to get the mail, whether it arrived or not, against
everybody planned and held back, over the same window of days after the planned moment.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, inf, log, sqrt
from statistics import NormalDist

import numpy as np

from mailai.stats import wilson

# Below this many buyers in the smaller group a sum of money would be a guess (intelligence: statistics on reports).
MIN_BUYERS_FOR_MONEY = 30
# The spread of a small group's baskets is pulled towards the spread of both groups by this many buyers.
PSEUDO_BUYERS = 5
# Ratios are searched within a factor of e^40 around the observed one.
SEARCH_WIDTH = 40.0


@dataclass(frozen=True)
class Group:
    """One side of the comparison: shoppers, those who ordered in the window, and what each buyer spent in all.

    ``spent`` is a float array of shape (n_buyers,), in the shop's currency.
    """

    n_shoppers: int
    n_buyers: int
    n_orders: int
    spent: np.ndarray

    @property
    def share(self) -> float:
        """Share of shoppers who ordered, in [0, 1]; 0 for an empty group."""
        return self.n_buyers / self.n_shoppers if self.n_shoppers else 0.0

    @property
    def spent_per_shopper(self) -> float:
        """Money per shopper of the group, buyer or not."""
        return float(self.spent.sum()) / self.n_shoppers if self.n_shoppers else 0.0


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> "Estimate":
        """Return the same estimate in another unit; ``factor`` is positive."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Lift:
    """The result of one comparison; None where the data can't say."""

    treated: Group
    control: Group
    # Share of buyers, treated minus control.
    difference: Estimate | None
    # Share of buyers, treated over control; ``high`` may be infinite.
    ratio: Estimate | None
    # Buyers and money that would not have come without the mail, over all treated shoppers.
    extra_orders: Estimate | None
    extra_revenue: Estimate | None

    @property
    def is_clear(self) -> bool:
        """Say whether the interval leaves out "no difference": that of the ratio, which people are shown."""
        if self.ratio:
            return not self.ratio.low <= 1 <= self.ratio.high
        return self.difference is not None and not self.difference.low <= 0 <= self.difference.high


def newcombe(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of k1/n1 - k2/n2 by the hybrid score method.

    Parameters
    ----------
    k1, n1, k2, n2 : counts, 0 <= k <= n and n >= 1
    level : coverage in (0, 1)

    Returns
    -------
    (low, high), each in [-1, 1].

    Source: Newcombe (1998), Statistics in Medicine 17, 873-890, method 10 (Wilson limits, no continuity correction).
    """
    p1, p2 = k1 / n1, k2 / n2
    (low1, high1), (low2, high2) = wilson(k1, n1, level), wilson(k2, n2, level)
    low = p1 - p2 - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = p1 - p2 + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return max(low, -1.0), min(high, 1.0)


def koopman(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the ratio (k1/n1) / (k2/n2) by the score method, which needs no event in either group.

    Returns
    -------
    (low, high) with 0 <= low <= high <= inf; (0, inf) when neither group has an event.

    Source: Koopman (1984), Biometrics 40, 513-517: the ratios that a chi-square test would not reject.
    """
    if k1 == 0 and k2 == 0:
        return 0.0, inf
    limit = NormalDist().inv_cdf(0.5 + level / 2) ** 2

    def rejected(log_ratio: float) -> bool:
        return _koopman_statistic(exp(log_ratio), k1, n1, k2, n2) > limit

    # The observed ratio is never rejected; where one group has no event, walk towards that end until it is not.
    inside = log((k1 or 0.5) / n1) - log((k2 or 0.5) / n2)
    while rejected(inside):
        inside += -0.5 if k1 == 0 else 0.5
    low = 0.0 if k1 == 0 else exp(_edge(rejected, inside - SEARCH_WIDTH, inside))
    high = inf if k2 == 0 else exp(_edge(rejected, inside + SEARCH_WIDTH, inside))
    return low, high


def _edge(rejected: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return where ``rejected`` turns, by halving; 60 steps leave less than 1e-15 of the width."""
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if rejected(middle) else (outside, middle)
    return inside


def _koopman_statistic(ratio: float, k1: int, n1: int, k2: int, n2: int) -> float:
    """Pearson's chi-square of both groups under p1 = ratio * p2, at the most likely p2."""
    first, second = ratio * (n1 + k2), k1 + n2
    # The smaller root of n·ratio·p² - (first + second)·p + k = 0, in a form that cancels no digits.
    root = sqrt((first - second) ** 2 + 4 * ratio * (n1 - k1) * (n2 - k2))
    p2 = min(2 * (k1 + k2) / (first + second + root), 1.0)
    p1 = min(ratio * p2, 1.0)
    total = 0.0
    for events, size, p in ((k1, n1, p1), (k2, n2, p2)):
        variance = size * p * (1 - p)
        if variance > 1e-300:
            total += (events - size * p) ** 2 / variance
        elif abs(events - size * p) > 1e-9:
            return 1e9
    return total


def money_difference(treated: Group, control: Group, level: float = 0.95) -> Estimate | None:
    """Return the difference in money per shopper; None when nobody bought.

    Each group's mean is rate times value on the log scale; the two are joined by MOVER. Whether there are buyers enough
    to claim money is for the caller to say (``enough_buyers``).

    Source: Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    everybody = np.concatenate([treated.spent, control.spent])
    if not everybody.size or everybody.mean() <= 0:
        return None
    (low1, high1), (low2, high2) = (_mean_limits(group, everybody, level) for group in (treated, control))
    m1, m2 = treated.spent_per_shopper, control.spent_per_shopper
    difference = m1 - m2
    return Estimate(
        difference,
        difference - sqrt((m1 - low1) ** 2 + (high2 - m2) ** 2),
        difference + sqrt((high1 - m1) ** 2 + (m2 - low2) ** 2),
    )


def enough_buyers(lifts: list["Lift"]) -> bool:
    """Say whether both sides hold MIN_BUYERS_FOR_MONEY buyers, over all comparisons together."""
    sides = (sum(one.treated.n_buyers for one in lifts), sum(one.control.n_buyers for one in lifts))
    return min(sides) >= MIN_BUYERS_FOR_MONEY


def mean_interval(group: Group, level: float = 0.95) -> Estimate | None:
    """Return the money per shopper of one group with its interval; None below MIN_BUYERS_FOR_MONEY buyers."""
    if group.n_buyers < MIN_BUYERS_FOR_MONEY:
        return None
    return Estimate(group.spent_per_shopper, *_mean_limits(group, group.spent, level))


def _mean_limits(group: Group, everybody: np.ndarray, level: float) -> tuple[float, float]:
    """Limits of rate times value: Wilson's for the rate, t on the log scale for the value.

    Without a buyer of its own a group may still be worth its rate's upper limit times everybody's mean basket.
    """
    k, mean = group.n_buyers, group.spent_per_shopper
    low, high = wilson(k, group.n_shoppers, level)
    if mean <= 0:
        return 0.0, high * float(everybody.mean())
    variation = (k * _squared_variation(group.spent) + PSEUDO_BUYERS * _squared_variation(everybody)) / (
        k + PSEUDO_BUYERS
    )
    from scipy.special import stdtrit

    value = float(stdtrit(k + 4, 0.5 + level / 2)) ** 2 * variation / k
    return (
        mean * exp(-sqrt(log(group.share / low) ** 2 + value)),
        mean * exp(sqrt(log(high / group.share) ** 2 + value)),
    )


def _squared_variation(spent: np.ndarray) -> float:
    """Return the squared coefficient of variation of what buyers spent; 0 for fewer than two or no money."""
    if spent.size < 2 or spent.mean() <= 0:
        return 0.0
    return float(spent.var(ddof=1) / spent.mean() ** 2)


def lift(treated: Group, control: Group, level: float = 0.95) -> Lift:
    """Compare the two groups; every part is None when a group is empty."""
    if not treated.n_shoppers or not control.n_shoppers:
        return Lift(treated, control, None, None, None, None)
    counts = (treated.n_buyers, treated.n_shoppers, control.n_buyers, control.n_shoppers)
    difference = Estimate(treated.share - control.share, *newcombe(*counts, level))
    ratio = None
    if treated.n_buyers and control.n_buyers:
        ratio = Estimate(treated.share / control.share, *koopman(*counts, level))
    result = Lift(treated, control, difference, ratio, difference.scaled(treated.n_shoppers), None)
    money = money_difference(treated, control, level) if enough_buyers([result]) else None
    return replace(result, extra_revenue=money.scaled(treated.n_shoppers)) if money else result


def pooled(lifts: list[Lift]) -> tuple[Estimate | None, Estimate | None]:
    """Add up extra orders and extra revenue over campaigns; money only with enough buyers in all of them together.

    Campaigns are summed, never weighted by their own observed variance, which invents a lift when events are few.
    Half widths are joined as independent (square root of the sum of squares), each side for itself.

    Source: Cochran (1954), Biometrics 10, 101-129, on weights that depend on the outcome; Zou and Donner (2008).
    """
    known = [one for one in lifts if one.extra_orders]
    if not known:
        return None, None
    orders = _sum([one.extra_orders for one in known if one.extra_orders])
    if not enough_buyers(known):
        return orders, None
    money = [(money_difference(one.treated, one.control), one.treated.n_shoppers) for one in known]
    return orders, _sum([estimate.scaled(size) for estimate, size in money if estimate])


def _sum(parts: list[Estimate]) -> Estimate:
    value = sum(part.value for part in parts)
    below = sqrt(sum((part.value - part.low) ** 2 for part in parts))
    above = sqrt(sum((part.high - part.value) ** 2 for part in parts))
    return Estimate(value, value - below, value + above)
