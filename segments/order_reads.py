"""All orders of a shop, and what they held, read in one pass over packed events.

The database puts events together block by block; another thread turns a block into orders meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from django.db.models import QuerySet

from behaviour.ahead import worked
from behaviour.models import Shop
from mailai.chunks import chunks
from segments import reading
from segments.core import deeds
from segments.core.categories import Habits
from segments.core.order_book import OrderBook, make_book
from segments.gathering import Places

CHUNK = 50_000
DAY = 86_400.0
# Lines are counted for so many parts of the shoppers one after the other: what that needs beside them is then small.
PARTS = 8
ORDERS = {"shopper": pl.Int64, "ref": pl.Int64, "at": pl.Int64, "cents": pl.Int64}
REFUNDS = {"shopper": pl.Int64, "at": pl.Int64, "cents": pl.Int64}
HELD = {"shopper": pl.Int64, "category": pl.Int32, "at": pl.Int64}


@dataclass(frozen=True)
class Bought:
    """All orders, and what they held.

    held : shopper (int64, id), category (int32, place in `names`), at (int64, seconds since 1970); a row for each
        category of an order, at least
    names : categories, sorted
    """

    book: OrderBook
    held: pl.DataFrame
    names: list[str]


def day_number(moment: datetime) -> float:
    """Return days since 1970."""
    return moment.timestamp() / DAY


def moment_of(day: float) -> datetime:
    """Return the moment of a day number."""
    return datetime.fromtimestamp(day * DAY, UTC)


def columns(rows: QuerySet[Any, Any], width: int = 3) -> np.ndarray:
    """Return rows of numbers as a float array of shape (n, width); null is NaN. Ids below 2**53 stay exact."""
    parts = [np.array(chunk, float) for chunk in chunks(rows.iterator(chunk_size=CHUNK), CHUNK)]
    return np.concatenate(parts) if parts else np.empty((0, width))


def read_book(as_of: datetime) -> OrderBook:
    """Return all orders and refunds before a moment.

    Lines with an order reference are one order; those without are one order per day of the shop.
    """
    return _put_together(as_of, None)[0]


def read_bought(as_of: datetime) -> Bought:
    """Return all orders and refunds before a moment, and the categories of what was bought."""
    products = reading.products().select("product", "category").sort("product")
    names = [name for name in products["category"].unique().cast(pl.String).sort().to_list() if name]
    # The first of its numbers is that of products without one.
    places = products["category"].to_physical().cast(pl.Int32).to_numpy() - 1
    return Bought(*_put_together(as_of, _Categories(Places(products["product"].to_numpy()), places)), names)


@dataclass(frozen=True)
class _Categories:
    products: Places
    category: np.ndarray

    def of(self, product: pl.Series) -> pl.Series:
        """Return the place of each product's category; -1 where there is none."""
        found = self.products.of(product.to_numpy())
        return pl.Series(np.where(found >= 0, self.category[found], -1) if len(self.category) else found)


def _put_together(as_of: datetime, categories: _Categories | None) -> tuple[OrderBook, pl.DataFrame]:
    """Read the lines before a moment once: the book, and the rows of `Bought.held` where categories are wanted."""
    zone, end = str(Shop.current().zone), round(as_of.timestamp() * deeds.SECOND)
    kept: list[tuple[pl.DataFrame, ...]] = [tuple(pl.DataFrame(schema=schema) for schema in (ORDERS, REFUNDS, HELD))]

    def parts(block: reading.Fetched) -> tuple[pl.DataFrame, ...]:
        rows = block()
        lines = deeds.unpacked(rows[rows["at"] < end][["shopper", "kind", "product", "at", "cents", "ref"]])
        bought = deeds.purchases(lines)
        # Lines without a reference go by the day; a reference's hash is none of these numbers.
        day = deeds.local(pl.col("at"), zone).floordiv(deeds.DAY)
        keyed = bought.with_columns(ref=pl.when(pl.col("ref") == 0).then(day).otherwise(pl.col("ref")))
        cents = pl.when(pl.col("cents") == deeds.MISSING).then(0).otherwise(pl.col("cents")).alias("cents")
        refunds = lines.filter(deeds.of("refund")).select("shopper", "at", cents)
        return _orders(keyed), refunds, _held(bought, categories)

    for found in worked(reading.events(only=reading.TRADED), parts):
        kept.append(found)
    orders, refunds, held = (pl.concat(frames) for frames in zip(*kept, strict=True))
    del kept
    # Orders of one moment stand alike in every run.
    orders = pl.concat([_orders(orders).drop("ref").sort("cents"), refunds])
    refund = np.repeat([False, True], [len(orders) - len(refunds), len(refunds)])
    day = (orders["at"] // deeds.SECOND).to_numpy() / DAY
    return make_book(orders["shopper"].to_numpy(), day, orders["cents"].to_numpy() / 100, refund), held


def _orders(lines: pl.DataFrame) -> pl.DataFrame:
    """Put lines of one order together; amounts that nobody said count as nothing."""
    return lines.group_by("shopper", "ref").agg(pl.col("at").min(), pl.col("cents").sum())


def _held(bought: pl.DataFrame, categories: _Categories | None) -> pl.DataFrame:
    if categories is None:
        return pl.DataFrame(schema=HELD)
    rows = bought.select("shopper", categories.of(bought["product"]).alias("category"), pl.col("at") // deeds.SECOND)
    return rows.filter(pl.col("category") >= 0).unique()


def habits(bought: Bought, shoppers: np.ndarray, n_orders: np.ndarray) -> Habits:
    """Return in how many of their orders some shoppers bought each category.

    Lines of one order were bought at one moment.

    Parameters
    ----------
    shoppers : int64 array of shape (n,), ids, ascending
    n_orders : float array of shape (n,)
    """
    whole = [pl.DataFrame(schema={"shopper": pl.Int64, "category": pl.Int32, "n": pl.UInt32})]
    for part in range(PARTS):
        mine = bought.held.filter(pl.col("shopper") % PARTS == part).unique()
        whole.append(mine.group_by("shopper", "category").agg(pl.len().cast(pl.UInt32).alias("n")))
    counted = pl.concat(whole)
    who = Places(shoppers).of(counted["shopper"].to_numpy())
    known = who >= 0
    who, category = who[known], counted["category"].to_numpy()[known]
    count = np.minimum(counted["n"].to_numpy()[known], n_orders[who])
    share = np.bincount(category, weights=count, minlength=len(bought.names)) / max(float(n_orders.sum()), 1.0)
    return Habits(who, category, count, n_orders, share)
