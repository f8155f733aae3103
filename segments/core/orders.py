"""From lines of orders to one row of figures per shopper."""

import polars as pl

from segments.core import deeds

# Below this many orders a shopper has no rhythm yet.
RHYTHM_ORDERS = 3
GAP_DECIMALS = 4


def orders_of(lines: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Put lines together to orders: those with the same reference, and those without one of the same day.

    Parameters
    ----------
    lines : purchases (segments.core.deeds)
    zone : name of the time zone whose days count

    Returns
    -------
    frame with the columns shopper, at (the earliest line), cents (lines without an amount count nothing); by shopper,
    oldest first
    """
    keyed, loose = lines.filter(pl.col("ref") != 0), lines.filter(pl.col("ref") == 0)
    day = deeds.local(pl.col("at"), zone).floordiv(deeds.DAY).alias("ref")
    # A day and a hash may be the same number: they are grouped apart.
    made = [
        part.group_by("shopper", "ref").agg(pl.col("at").min(), pl.col("cents").sum())
        for part in (keyed, loose.with_columns(day))
    ]
    return pl.concat(made).select("shopper", "at", "cents").sort("shopper", "at")


def order_figures(orders: pl.DataFrame, *, since_30d: int, since_90d: int, since_365d: int) -> pl.DataFrame:
    """Count and sum each shopper's orders.

    Parameters
    ----------
    orders : frame as of `orders_of`
    since_30d, since_90d, since_365d : microseconds since 1970 at which the windows begin; an order at that very moment
        is inside

    Returns
    -------
    frame: shopper, n_orders, n_orders_30d, n_orders_90d, n_orders_365d; first_order_at, last_order_at (microseconds);
    spent, spent_365d (cents, refunds not yet taken off); basket (cents, mean of an order, half a cent goes up);
    order_gap_days (median days between two orders, to four decimals, null below three orders)
    """
    same = pl.col("shopper") == pl.col("shopper").shift()
    gaps = orders.with_columns(pl.when(same).then(pl.col("at").diff()).alias("gap"))
    inside = {name: pl.col("at") >= since for name, since in [("30d", since_30d), ("90d", since_90d)]}
    year = pl.col("at") >= since_365d
    figures = gaps.group_by("shopper").agg(
        pl.len().cast(pl.Int64).alias("n_orders"),
        *(flag.sum().cast(pl.Int64).alias(f"n_orders_{name}") for name, flag in inside.items()),
        year.sum().cast(pl.Int64).alias("n_orders_365d"),
        pl.col("at").min().alias("first_order_at"),
        pl.col("at").max().alias("last_order_at"),
        pl.col("cents").sum().alias("spent"),
        pl.col("cents").filter(year).sum().alias("spent_365d"),
        pl.col("gap").median().alias("gap"),
    )
    n = pl.col("n_orders")
    gap_days = (pl.col("gap") / deeds.DAY).round(GAP_DECIMALS)
    return figures.with_columns(
        (2 * pl.col("spent") + n).floordiv(2 * n).alias("basket"),
        pl.when(n >= RHYTHM_ORDERS).then(gap_days).alias("order_gap_days"),
    ).drop("gap")
