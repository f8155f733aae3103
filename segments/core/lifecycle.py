"""Where a shopper stands in her life with the shop, measured by the shop's own rhythm."""

from dataclasses import dataclass

import numpy as np

LEAD, NEW, PROMISING, LOYAL, AT_RISK, DORMANT = "lead", "new", "promising", "loyal", "at_risk", "dormant"
LOYAL_ORDERS = 3
# Below this many shoppers with a rhythm of their own the defaults hold.
ENOUGH_SHOPPERS = 30
# A shop whose shoppers come back daily, or every three years, still gets thresholds that mean something.
SHORTEST, LONGEST = 7.0, 365.0


@dataclass(frozen=True)
class Thresholds:
    """Days since the last order at which a stage ends."""

    new_days: float = 30.0
    at_risk_days: float = 90.0
    dormant_days: float = 180.0


def thresholds(typical_gaps: np.ndarray) -> Thresholds:
    """Derive the thresholds from how long the shop's returning shoppers usually wait.

    `new_days` is the median of the typical gaps; `at_risk_days` the 90th percentile: nine of ten returning shoppers
    usually are back by then; `dormant_days` is twice that. Both percentiles are kept within 7 and 365 days.

    Parameters
    ----------
    typical_gaps : float array of shape (n_shoppers_with_three_orders,), days
        Each shopper's median gap between two orders; NaN is left out.

    Returns
    -------
    Thresholds, 7 <= new_days <= at_risk_days < dormant_days; the defaults (30, 90, 180) below 30 shoppers.

    Source: the idea of latency in Novo (2004), Drilling Down: a shopper later than is usual is likely to be leaving.
    The percentiles are ours.
    """
    gaps = np.asarray(typical_gaps, dtype=float)
    gaps = gaps[~np.isnan(gaps)]
    if len(gaps) < ENOUGH_SHOPPERS:
        return Thresholds()
    middle, late = np.clip(np.quantile(gaps, [0.5, 0.9]), SHORTEST, LONGEST)
    return Thresholds(float(middle), float(late), 2 * float(late))


def stages(n_orders: np.ndarray, days_since_last: np.ndarray, limits: Thresholds) -> np.ndarray:
    """Give each shopper her stage; the first line that fits counts.

    lead: no order. dormant: the last order is at least `dormant_days` ago. at_risk: at least `at_risk_days` ago.
    loyal: three orders or more. new: one order, less than `new_days` ago. promising: all others.

    Parameters
    ----------
    n_orders : int array of shape (n_shoppers,)
    days_since_last : float array of shape (n_shoppers,), days; NaN without an order
    limits : Thresholds

    Returns
    -------
    str array of shape (n_shoppers,)
    """
    return np.select(
        [
            n_orders == 0,
            days_since_last >= limits.dormant_days,
            days_since_last >= limits.at_risk_days,
            n_orders >= LOYAL_ORDERS,
            (n_orders == 1) & (days_since_last < limits.new_days),
        ],
        [LEAD, DORMANT, AT_RISK, LOYAL, NEW],
        default=PROMISING,
    )
