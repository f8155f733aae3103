"""Clean rows into events, a block at a time, in parts that are committed one by one. Each row is loaded once, ever."""

import time
from collections.abc import Iterator
from typing import Any

import polars as pl
from django.db import connection, transaction

from behaviour import bulk, turns
from behaviour.core.cleaning import Cleaned
from behaviour.models import Event, Product, Shopper, Upload
from behaviour.names import new_products, new_shoppers
from behaviour.people_loading import ShopperLoader

BATCH = 5000
# Rows of one transaction on PostgreSQL: a block. SQLite has one writer, for which everybody else waits: its parts grow
# and shrink with the time that they take. Small ones write the pages of the indexes again and again.
WHOLE = 1_000_000
SMALLEST, LARGEST, PART_SECONDS = 10_000, 40_000, 0.2
KNOWN = {
    "sqlite": "SELECT dedupe_key FROM behaviour_event WHERE dedupe_key IN {many}",
    "postgresql": "SELECT encode(uuid_send(dedupe_key), 'hex') FROM behaviour_event"
    " WHERE dedupe_key IN (SELECT x::uuid FROM {many} AS t(x))",
}
FILL = "UPDATE {table} SET {field} = %s WHERE {name} = %s AND {empty}"


class StaleIdsError(Exception):
    """Shoppers or products were removed since their ids were read: the block must be prepared once more."""


class EventLoader:
    """Loads events; at the end names and prices new products and places new shoppers by what the file said of them."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._turn = -1
        self._size = WHOLE if connection.vendor == "postgresql" else SMALLEST
        self._shoppers, self._products = new_shoppers(upload), new_products(upload)
        self._people = ShopperLoader(upload)
        self._said: dict[str, list[pl.DataFrame]] = {"name": [], "each": [], "country": []}

    def observe(self, cleaned: Cleaned) -> None:
        """Remember what the rows say about products and shoppers; asked of every block, loaded before or not."""
        bought = cleaned.frame.filter(pl.col("kind").is_in(["purchase", "refund"]))
        for about, what in (("item_id", "name"), ("item_id", "each"), ("user_id", "country")):
            rows = bought.filter(pl.col(what).is_not_null() & (pl.col(about) != ""))
            if what != "each":
                rows = rows.filter(pl.col(what) != "")
            if len(rows):
                # A return says something only about what was never bought in this file.
                counted = rows.group_by(about, what, maintain_order=True).agg(len=(pl.col("kind") == "purchase").sum())
                self._said[what].append(counted)
                if len(self._said[what]) > 50:
                    self._said[what] = [_summed(self._said[what])]

    def parts(self, cleaned: Cleaned, after: str) -> Iterator[tuple[pl.DataFrame, str]]:
        """Yield the events that are not there yet in the order of their keys, and the last key of each part.

        ``after`` is the last key that an earlier run of this block committed.
        """
        if cleaned.people is not None:
            self._people.load_people(cleaned.people)
        frame = cleaned.frame.with_columns(dedupe_key=pl.col("key").bin.encode("hex")).sort("dedupe_key")
        frame = self._unknown(frame.filter(pl.col("dedupe_key") > after))
        with transaction.atomic():
            turn = turns.write_events()
        if turn != self._turn:
            self._turn = turn
            self._shoppers.forget()
            self._products.forget()
        rows, at = self._rows(frame), 0
        while at < len(rows):
            part = rows.slice(at, self._size)
            started = time.perf_counter()
            yield part, part["dedupe_key"][-1]
            at += len(part)
            self._pace(len(part), time.perf_counter() - started)

    def _pace(self, n_rows: int, seconds: float) -> None:
        if connection.vendor == "sqlite":
            fitting = int(n_rows / max(seconds, 0.001) * PART_SECONDS)
            self._size = max(SMALLEST, min(LARGEST, 2 * self._size, fitting))

    def write(self, part: pl.DataFrame) -> int:
        """Insert a part inside the caller's transaction and return how many events were new.

        Raises
        ------
        StaleIdsError : somebody removed shoppers or products meanwhile.
        django.db.IntegrityError : PostgreSQL, when somebody else wrote one of the events at this moment.
        """
        if turns.write_events() != self._turn:
            raise StaleIdsError
        return bulk.insert_frame(Event, part)

    def _unknown(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Leave out the events that are there; what only an unfinished upload brought is taken over from it."""
        if frame.is_empty():
            return frame
        first, last = frame["dedupe_key"][0], frame["dedupe_key"][-1]
        # Keys begin with the time: a file that goes on where the last one ended meets nothing in between.
        if not Event.everything.filter(dedupe_key__gte=first, dedupe_key__lte=last).exists():
            return frame
        keys = frame["dedupe_key"]
        there = pl.DataFrame(bulk.fetch(KNOWN[connection.vendor], keys), schema={"dedupe_key": pl.String}, orient="row")
        if unfinished := list(Upload.hidden_ids().exclude(pk=self._upload.pk)):
            there = self._take_over(there, unfinished)
        return frame.join(there, on="dedupe_key", how="anti", maintain_order="left")

    def _take_over(self, there: pl.DataFrame, unfinished: list[int]) -> pl.DataFrame:
        """Delete the events that only unfinished uploads brought, so that this file brings them; return the others."""
        taken: list[str] = []
        for keys in there["dedupe_key"].to_frame().iter_slices(BATCH):
            rows = Event.everything.filter(dedupe_key__in=keys["dedupe_key"].to_list(), upload__in=unfinished)
            taken += [key.hex for key in rows.values_list("dedupe_key", flat=True)]
            rows._raw_delete(rows.db)  # type: ignore[attr-defined]
        return there.filter(~pl.col("dedupe_key").is_in(taken))

    def _rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the table's columns; shoppers and products that are missing are made."""
        self._adopt(frame)
        shoppers = self._shoppers.ids(frame["user_id"]).rename({"id": "shopper_id"})
        products = self._products.ids(frame["item_id"]).rename({"id": "product_id"})
        frame = frame.join(shoppers, left_on="user_id", right_on="name", how="left", maintain_order="left")
        frame = frame.join(products, left_on="item_id", right_on="name", how="left", maintain_order="left")
        message = pl.col("message_id").str.to_lowercase().str.replace_all("-", "")
        return frame.select(
            "shopper_id", "kind", "product_id", "at", "quantity", (pl.col("cents") / 100).alias("amount"),
            pl.col("order_id").alias("order_ref"),
            pl.when(message.str.contains("^[0-9a-f]{32}$")).then(message).alias("message"),
            "dedupe_key", pl.lit(self._upload.pk).alias("upload_id"),
        )  # fmt: skip

    def _adopt(self, frame: pl.DataFrame) -> None:
        """Make shoppers and products of unfinished uploads this upload's own, or nobody would see them."""
        for unfinished in Upload.hidden_ids().exclude(pk=self._upload.pk):
            for model, field, name in ((Shopper, "external_id", "user_id"), (Product, "sku", "item_id")):
                for part in frame[name].unique().to_frame().iter_slices(BATCH):
                    rows = model._base_manager.filter(**{f"{field}__in": part[name].to_list()}, upload=unfinished)
                    rows.update(upload=self._upload)

    def finish(self) -> None:
        """Fill in what is still empty: a product's most frequent name and median price, a shopper's country."""
        names, prices, countries = (_summed(self._said[what]) for what in ("name", "each", "country"))
        _fill(Product, "sku", "name", _most_frequent(names, "name"))
        _fill(Product, "sku", "price", _medians(prices))
        _fill(Shopper, "external_id", "country", _most_frequent(countries, "country"))


def _fill(model: type[Shopper] | type[Product], name: str, field: str, values: dict[str, Any]) -> None:
    empty = f"{field} IS NULL" if field == "price" else f"{field} = ''"
    sql = FILL.format(table=model._meta.db_table, field=field, name=name, empty=empty)
    rows = [(value, key) for key, value in sorted(values.items())]
    for start in range(0, len(rows), BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, rows[start : start + BATCH])


def _summed(parts: list[pl.DataFrame]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame()
    frame = pl.concat(parts)
    return frame.group_by(frame.columns[:2], maintain_order=True).agg(pl.col("len").sum())


def _most_frequent(counted: pl.DataFrame, what: str) -> dict[str, Any]:
    """Return the value that each thing has most often; the first one where several do."""
    if counted.is_empty():
        return {}
    about = counted.columns[0]
    best = counted.sort("len", descending=True, maintain_order=True).unique(about, keep="first", maintain_order=True)
    limit = Product._meta.get_field("name").max_length if what == "name" else 60
    return {name: value[:limit] for name, value in best.select(about, what).rows()}


def _medians(counted: pl.DataFrame) -> dict[str, Any]:
    if counted.is_empty():
        return {}
    weight = pl.when(pl.col("len").sum().over("item_id") == 0).then(1).otherwise(pl.col("len"))
    each = counted.with_columns(pl.col("each").repeat_by(weight)).explode("each")
    rows = each.group_by("item_id").agg(pl.col("each").median()).rows()
    return {name: round(price, 2) for name, price in rows}
