"""All figures of a profile that come from one shopper's own deeds and mails, side by side."""

import json
from dataclasses import dataclass

import polars as pl

from segments.core import activity, affinity, attention, deeds, hours, orders, prices

COUNTS = (
    "n_orders", "n_orders_30d", "n_orders_90d", "n_orders_365d", "n_views_30d", "n_visit_days_90d", "n_products",
    "n_received_30d", "n_received_90d", "n_opens_90d", "n_clicks_90d",
)  # fmt: skip
TIMES = (
    "first_order_at", "last_order_at", "last_event_at", "last_view_at", "last_cart_at", "last_open_at",
    "last_click_at",
)  # fmt: skip
# Whole cents here, amounts of the shop's currency in the table.
MONEY = ("monetary", "monetary_365d", "average_basket", "price_low", "price_median", "price_high")
SMALL = ("best_hour", "best_weekday", "engagement")
SHARES = ("order_gap_days", "discount_share", "fatigue")
# Favourites: the column of the best one, the column of the list, and what one is called there.
FAVOURITES = (("favourite_category", "categories", "category"), ("favourite_brand", "brands", "brand"))
TEXTS = ("favourite_category", "categories", "favourite_brand", "brands", "hours")
COLUMNS = (*COUNTS, *TIMES, *MONEY, *SMALL, *SHARES, *TEXTS)


@dataclass(frozen=True)
class Frames:
    """What figures are made from: all of some shoppers, nothing of others.

    people : shopper (int32), zone (the time zone by whose clock she lives)
    rows : her deeds (segments.core.deeds)
    mails : shopper, at, answered: what she got in 365 days (segments.core.attention)
    products : product, category, brand ("" where there is none), of the whole shop; text, or faster an Enum whose
        categories are sorted
    usual : product, usual (segments.core.prices), of the whole shop
    """

    people: pl.DataFrame
    rows: pl.DataFrame
    mails: pl.DataFrame
    products: pl.DataFrame
    usual: pl.DataFrame


@dataclass(frozen=True)
class Since:
    """Microseconds since 1970 at which the windows begin, and the zone whose midnights they are."""

    today: int
    since_30d: int
    since_90d: int
    since_365d: int
    zone: str


def figures(found: Frames, when: Since) -> pl.DataFrame:
    """Return shopper and COLUMNS, a row for everybody in ``people``, in that order.

    Counts are 0 and texts empty ("[]" where they are lists) where there is nothing, all else is null; times are
    microseconds since 1970, money is whole cents.
    """
    windows = {"since_30d": when.since_30d, "since_90d": when.since_90d}
    year = {**windows, "since_365d": when.since_365d}
    lines = deeds.purchases(found.rows)
    parts = [
        orders.order_figures(orders.orders_of(lines, when.zone), **year),
        activity.activity_figures(found.rows, when.zone, **year),
        prices.price_figures(prices.priced(lines), found.usual),
        hours.hour_figures(hours.moments(found.rows, found.people)),
        attention.mail_figures(found.mails, today=when.today, **windows),
        *(_listed(lines, found.products, *names) for names in FAVOURITES),
    ]
    wide = found.people.select("shopper")
    for part in parts:
        wide = wide.join(part, on="shopper", how="left", maintain_order="left")
    spent, refunded = pl.col("spent").fill_null(0), pl.col("refunded").fill_null(0)
    wide = wide.with_columns(
        (spent - refunded).alias("monetary"),
        (pl.col("spent_365d").fill_null(0) - pl.col("refunded_365d").fill_null(0)).alias("monetary_365d"),
        pl.col("basket").alias("average_basket"),
        pl.col("categories", "brands").fill_null("[]"),
        pl.col("favourite_category", "favourite_brand", "hours").fill_null(""),
        pl.col(COUNTS).fill_null(0),
    )
    return wide.select("shopper", *COLUMNS)


def _listed(lines: pl.DataFrame, products: pl.DataFrame, best: str, many: str, name: str) -> pl.DataFrame:
    """Return shopper, the best name and the JSON list of the five best."""
    named = lines.join(products.select("product", pl.col(name).alias("name")), on="product")
    # Where a line has no money its quantity counts.
    money = pl.col("cents").fill_null(100 * pl.col("quantity").cast(pl.Int64))
    found = affinity.favourites(named.filter(pl.col("name") != "").select("shopper", "name", "at", money))
    # Escaped once a name, not once a shopper.
    quoted = found.select(pl.col("name").unique())
    quoted = quoted.with_columns(quoted=quoted["name"].cast(pl.String).map_elements(_quoted, return_dtype=pl.String))
    share = pl.col("share")
    decimals = share.mod(affinity.WHOLE).cast(pl.String).str.pad_start(4, "0").str.strip_chars_end("0")
    decimals = pl.when(decimals == "").then(pl.lit("0")).otherwise(decimals)
    text = pl.concat_str(
        pl.lit(f'{{"{name}": '), "quoted", pl.lit(', "share": '), share.floordiv(affinity.WHOLE), pl.lit("."),
        decimals, pl.lit("}"),
    )  # fmt: skip
    texts = found.join(quoted, on="name", how="left", maintain_order="left").with_columns(text=text)
    return texts.group_by("shopper", maintain_order=True).agg(
        pl.col("name").first().cast(pl.String).alias(best), pl.format("[{}]", pl.col("text").str.join(", ")).alias(many)
    )


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
