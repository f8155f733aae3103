"""Counts and last times of what a shopper did, apart from her orders."""

import polars as pl

from segments.core import deeds

VISITS = ("view", "favourite", "search", "cart", "purchase")
# Figure -> the kind whose newest moment it is.
NEWEST = {
    "last_view_at": "view", "last_cart_at": "cart", "last_open_at": "email_open", "last_click_at": "email_click",
}  # fmt: skip


def activity_figures(rows: pl.DataFrame, zone: str, *, since_30d: int, since_90d: int, since_365d: int) -> pl.DataFrame:
    """Count what each shopper did in the windows, and when she last did it.

    Parameters
    ----------
    rows : frame of deeds
    zone : name of the time zone whose days count as days of a visit
    since_30d, since_90d, since_365d : microseconds since 1970, inside the window

    Returns
    -------
    frame: shopper, last_event_at and the keys of NEWEST (microseconds, null where never), n_views_30d, n_opens_90d,
    n_clicks_90d, n_products (different ones bought), refunded, refunded_365d (cents), n_visit_days_90d
    """
    at, cents = pl.col("at"), pl.col("cents")
    refund = deeds.of("refund") & (cents != deeds.MISSING)
    bought = pl.col("product").filter(deeds.of("purchase") & (pl.col("product") != 0))
    counted = {
        "n_views_30d": deeds.of("view") & (at >= since_30d),
        "n_opens_90d": deeds.of("email_open") & (at >= since_90d),
        "n_clicks_90d": deeds.of("email_click") & (at >= since_90d),
    }
    figures = rows.group_by("shopper").agg(
        at.max().alias("last_event_at"),
        *(at.filter(deeds.of(kind)).max().alias(name) for name, kind in NEWEST.items()),
        *(flag.sum().cast(pl.Int64).alias(name) for name, flag in counted.items()),
        bought.n_unique().cast(pl.Int64).alias("n_products"),
        cents.filter(refund).abs().sum().alias("refunded"),
        cents.filter(refund & (at >= since_365d)).abs().sum().alias("refunded_365d"),
    )
    day = deeds.local(at, zone).floordiv(deeds.DAY)
    visits = rows.filter((at >= since_90d) & deeds.of(*VISITS)).select("shopper", day.alias("day"))
    days = visits.unique().group_by("shopper").agg(pl.len().cast(pl.Int64).alias("n_visit_days_90d"))
    return figures.join(days, on="shopper", how="left")
