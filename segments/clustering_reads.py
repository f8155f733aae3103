"""What groups of shoppers are made from, read block by block into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from django.db.models import F, FloatField
from django.db.models.functions import Cast

from behaviour.moments import Epoch
from segments import order_reads, reading
from segments.core import alike
from segments.models import Profile

BLOCK = 50_000
SCHEMA = {
    "id": pl.Int64, "cluster": pl.Int64, "spending": pl.Float64, "orders": pl.Float64, "basket": pl.Float64,
    "last": pl.Float64, "discount": pl.Float64, "categories": pl.String, "visits": pl.Float64,
    "engagement": pl.Float64,
}  # fmt: skip
SHARES = pl.List(pl.Struct({"share": pl.Float64}))


@dataclass(frozen=True)
class Buyers:
    """Everybody with an order, by id.

    ids : int64 array of shape (n,)
    cluster : int64 array of shape (n,), the number of the group so far, 0 = none
    figures : "spending" and the names of alike.FEATURES -> float32 array of shape (n,), NaN = not known
    """

    ids: np.ndarray
    cluster: np.ndarray
    figures: dict[str, np.ndarray]


def buyers(as_of: datetime) -> Buyers:
    """Return what all shoppers with an order are compared by."""
    # First, so that the orders are gone from memory before the profiles come.
    who, share = _christmas(as_of)
    end = as_of.timestamp()
    whole = pl.concat([_figures(pl.DataFrame(schema=SCHEMA), end), *(_figures(block, end) for block in _blocks())])
    ids = whole["id"].to_numpy()
    figures = {name: whole[name].to_numpy() for name in ("spending", *alike.FEATURES) if name in whole.columns}
    figures["christmas"] = _of(ids, who, share)
    return Buyers(ids, whole["cluster"].to_numpy(), figures)


def _blocks() -> Iterator[pl.DataFrame]:
    rows = Profile.objects.filter(n_orders__gt=0).order_by("pk")
    read = rows.values_list(
        "pk", "cluster", Cast("monetary", FloatField()), "n_orders", Cast("average_basket", FloatField()),
        Epoch(F("last_order_at")), "discount_share", "categories", "n_visit_days_90d", "engagement",
    )  # fmt: skip
    for start in reading.starts(rows, BLOCK):
        sql, params = read.filter(pk__gt=start, pk__lte=start + BLOCK).query.sql_with_params()
        yield reading.table(sql, params, SCHEMA)


def _figures(rows: pl.DataFrame, end: float) -> pl.DataFrame:
    """Turn columns of the profile into figures; who bought from one category alone has a focus of 1."""
    share = pl.element().struct.field("share")
    focus = pl.col("categories").str.json_decode(SHARES).list.eval(share * share).list.sum()
    counted = [pl.col(name) for name in ("spending", "orders", "basket", "discount", "visits", "engagement")]
    made = [*counted, ((end - pl.col("last")) / order_reads.DAY).alias("recency"), focus.alias("focus")]
    floats = [one.cast(pl.Float32).fill_null(float("nan")) for one in made]
    found = rows.select("id", pl.col("cluster").fill_null(0), *floats)
    # Nothing bought that has a category.
    return found.with_columns(pl.when(pl.col("focus") > 0).then(pl.col("focus")).otherwise(float("nan")).alias("focus"))


def _christmas(as_of: datetime) -> tuple[np.ndarray, np.ndarray]:
    book = order_reads.read_book(as_of)
    share = alike.christmas_share(book.shopper, book.day, len(book.shoppers))
    return book.shoppers, share.astype(np.float32)


def _of(ids: np.ndarray, who: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the shares of these ids, NaN of those who are not among `who`, ascending."""
    if not len(who) or not len(ids):
        return np.full(len(ids), np.nan, np.float32)
    places = np.searchsorted(who, ids).clip(0, len(who) - 1)
    return np.where(who[places] == ids, share[places], np.float32(np.nan))
