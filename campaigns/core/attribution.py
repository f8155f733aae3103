"""Which message earned an order: the last one that was clicked before it, within a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def attribute(clicks: pd.DataFrame, orders: pd.DataFrame, days: int) -> pd.DataFrame:
    """Give each order line to the shopper's last click before it, if that is at most ``days`` old.

    Parameters
    ----------
    clicks : DataFrame with columns shopper, message, at
        One row a click; times in UTC.
    orders : DataFrame with columns shopper, at, amount
        One row an order line; amount in the shop's currency.
    days : int, at least 1
        The attribution window.

    Returns
    -------
    DataFrame indexed by message with ordered_at (first such order) and revenue (sum of the lines). One order line
    belongs to one message at most, so the sum over messages never exceeds the shop's revenue.

    Source: last-click attribution as defined in architecture part 4; joined by ``pandas.merge_asof``.
    """
    import pandas as pd

    if clicks.empty or orders.empty:
        return pd.DataFrame({"ordered_at": [], "revenue": []})
    joined = pd.merge_asof(
        orders.sort_values("at", kind="stable"),
        clicks.sort_values("at", kind="stable").rename(columns={"at": "clicked_at"}),
        left_on="at",
        right_on="clicked_at",
        by="shopper",
        tolerance=pd.Timedelta(days=days),
    ).dropna(subset=["message"])
    return joined.groupby("message").agg(ordered_at=("at", "min"), revenue=("amount", "sum"))
