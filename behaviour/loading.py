"""Clean rows into events, a block at a time, in parts that are committed one by one. Each row is loaded once, ever."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import polars as pl
from django.db import connection, transaction

from behaviour import bulk, merging, netting, product_history, set_aside, turns
from behaviour.core.cleaning import ANSWERED, Cleaned
from behaviour.core.columns import ONLINE_RETAIL
from behaviour.core.people import BY_VISITOR
from behaviour.core.rules import is_on
from behaviour.models import Event, Product, Shopper, Upload
from behaviour.names import new_products, new_shoppers
from behaviour.people_loading import ShopperLoader
from behaviour.said import Said

BATCH = 5000
# Rows of one transaction on PostgreSQL: a block. SQLite has one writer, for which everybody else waits: its parts grow
# and shrink with the time that they take. Small ones write the pages of the indexes again and again.
WHOLE = 1_000_000
SMALLEST, LARGEST, PART_SECONDS = 8_000, 60_000, 0.25
KNOWN = {
    "sqlite": "SELECT dedupe_key FROM behaviour_event WHERE dedupe_key IN {many}",
    "postgresql": "SELECT encode(uuid_send(dedupe_key), 'hex') FROM behaviour_event"
    " WHERE dedupe_key IN (SELECT x::uuid FROM {many} AS t(x))",
}


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
        self._said = Said(upload)
        self._met_later: list[tuple[str, str]] = []
        self._net_later = False
        self._cut_later: list[pl.DataFrame] = []
        self._met = pl.DataFrame(schema={"visitor": pl.String, "user": pl.String})
        self._returned_at: list[datetime] = []
        self._ordered_from: datetime | None = None

    def observe(self, cleaned: Cleaned) -> None:
        """Remember what the rows say about products and shoppers; asked of every block, loaded before or not."""
        self._said.observe(cleaned.frame)
        self._meetings(cleaned.frame)
        returned = cleaned.frame.filter(pl.col("kind") == "refund")["at"]
        if len(returned):
            times: list[Any] = [*self._returned_at, returned.min(), returned.max()]
            self._returned_at = [min(times), max(times)]
        first: Any = cleaned.frame.filter((pl.col("kind") == "purchase") & (pl.col("order_id") != ""))["at"].min()
        self._ordered_from = min(filter(None, (self._ordered_from, first)), default=None)

    def _meetings(self, frame: pl.DataFrame) -> None:
        """Remember which browser was seen with which shopper."""
        met = frame.filter((pl.col("visitor_id") != "") & (pl.col("user_id") != BY_VISITOR + pl.col("visitor_id")))
        if len(met):
            pairs = met.select(visitor=BY_VISITOR + pl.col("visitor_id"), user="user_id")
            self._met = pl.concat([self._met, pairs]).unique(maintain_order=True)

    def parts(self, cleaned: Cleaned, after: str) -> Iterator[tuple[pl.DataFrame, str]]:
        """Yield the events that are not there yet in the order of their keys, and the last key of each part.

        ``after`` is the last key that an earlier run of this block committed.
        """
        if cleaned.people is not None:
            self._people.load_people(cleaned.people)
        frame = cleaned.frame.with_columns(dedupe_key="key").sort("dedupe_key")
        frame = self._unknown(frame.filter(pl.col("dedupe_key") > after))
        with transaction.atomic():
            turn = turns.write_events()
        if turn != self._turn:
            self._turn = turn
            self._shoppers.forget()
            self._products.forget()
        rows, at = self._rows(frame), 0
        while at < len(rows):
            left = len(rows) - at
            # As even as they can be: the rest of a block is not worth a commit of its own.
            part = rows.slice(at, -(-left // -(-left // self._size)))
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
        # Files without a survey, nearly all, are written as if there were no such columns.
        said = frame["kind"] == ANSWERED
        told = [pl.when(said).then(pl.col(name)).alias(name) for name in ("question", "answer")] if said.any() else []
        return frame.select(
            *told, "shopper_id", "kind", "product_id", "at", "quantity", (pl.col("cents") / 100).alias("amount"),
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

    def finish(self, beat: Callable[[], None]) -> Counter[str]:
        """Join who met, fill in what is still empty (a product's name and price, a shopper's country), and net returns
        against their orders; return what was found. What anybody would see of it waits for ``publish``.
        """
        pairs: list[Any] = self._met.rows()
        self._met_later = set_aside.joined_later(pairs, self._upload)
        later = set(self._met_later)
        met = merging.join([pair for pair in pairs if pair not in later], upload=self._upload)
        merging.collect_strays()
        self._said.fill()
        # Returns find their orders under the name of who is kept.
        self._net_later = bool(self._met_later) or set_aside.joins(self._upload)
        return _left_apart(met) + (Counter() if self._net_later else self._net(beat))

    def _net(self, beat: Callable[[], None]) -> Counter[str]:
        """Net the returns of earlier files, which ``publish`` writes, and those of this one; return what was found."""
        # The published cleaning of a data set knows no netting.
        if self._upload.layout == ONLINE_RETAIL:
            return Counter()
        if self._ordered_from:
            self._cut_later = netting.net_waiting(self._upload, since=self._ordered_from, beat=beat)
        if not self._returned_at:
            return Counter()
        first, last = self._returned_at
        capped = is_on("refund_netted", self._upload.cleaning.get("rules", {}))
        return netting.net_upload(self._upload, between=(first, last), capped=capped, beat=beat)

    def publish(self) -> Counter[str]:
        """Change what everybody sees, inside the transaction that lets everybody see the upload: what was set aside,
        who turned out to be one person, returns of earlier files. Return what was found.
        """
        if self._met_later:
            turns.alone()
        self._people.publish()
        product_history.publish(self._upload)
        met = merging.join(self._met_later, upload=self._upload)
        found = self._net(beat=lambda: None) if self._net_later else Counter()
        netting.write(self._cut_later)
        return found + _left_apart(met)


def _left_apart(met: merging.Joined) -> Counter[str]:
    return +Counter(visitor_shared=met.visitor_shared, two_addresses=met.two_addresses)
