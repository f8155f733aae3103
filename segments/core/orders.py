"""From lines of orders to one row of figures per shopper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DAY = 86_400.0
# Below this many orders a shopper has no rhythm yet.
RHYTHM_ORDERS = 3


def orders_of(lines: pd.DataFrame) -> pd.DataFrame:
    """Put lines together to orders.

    Parameters
    ----------
    lines : frame with the columns shopper (int), order (str, unique within a shopper), at (float, seconds since 1970)
        and amount (float, the shop's currency)

    Returns
    -------
    frame with the columns shopper, order, at (the earliest line), amount; by shopper, oldest first
    """
    grouped = lines.groupby(["shopper", "order"], as_index=False).agg(at=("at", "min"), amount=("amount", "sum"))
    return grouped.sort_values(["shopper", "at", "order"]).reset_index(drop=True)


def order_figures(orders: pd.DataFrame, *, since_90d: float, since_365d: float) -> pd.DataFrame:
    """Count and sum each shopper's orders.

    Parameters
    ----------
    orders : frame as of `orders_of`
    since_90d, since_365d : seconds since 1970 at which the windows begin; an order at that second is inside

    Returns
    -------
    frame indexed by shopper: n_orders, n_orders_90d, n_orders_365d (int); first_at, last_at (seconds since 1970);
    spent, spent_365d (currency, refunds not yet taken off); basket (currency, mean of an order); gap_days (median days
    between two orders, NaN below three orders)
    """
    recent = orders.assign(
        in_90d=orders["at"] >= since_90d,
        in_365d=orders["at"] >= since_365d,
        recent_amount=np.where(orders["at"] >= since_365d, orders["amount"], 0.0),
        gap=orders.groupby("shopper")["at"].diff() / DAY,
    )
    figures = recent.groupby("shopper").agg(
        n_orders=("at", "size"),
        n_orders_90d=("in_90d", "sum"),
        n_orders_365d=("in_365d", "sum"),
        first_at=("at", "min"),
        last_at=("at", "max"),
        spent=("amount", "sum"),
        spent_365d=("recent_amount", "sum"),
        basket=("amount", "mean"),
        gap_days=("gap", "median"),
    )
    figures.loc[figures["n_orders"] < RHYTHM_ORDERS, "gap_days"] = np.nan
    return figures
