"""Brings together, part by part, all that the figures of some shoppers are made from."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from django.db.models import Max

from behaviour.ahead import worked
from behaviour.models import Event
from segments import reading, usual
from segments.core import deeds
from segments.core.figures import Frames
from segments.news import Windows

# A part holds about so many events, and no more than so many shoppers.
PART_EVENTS, PART_SHOPPERS = 400_000, 25_000
MAIL = np.dtype([("shopper", "<i4"), ("at", "<i8"), ("answered", "u1")])
# Ids that leave larger gaps than this are searched for.
SPARSE = 20


class Places:
    """Turns ids of shoppers into their places in a list."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids
        top = int(ids[-1]) + 1 if len(ids) else 0
        self.table: np.ndarray | None = None
        if top < SPARSE * len(ids) + 1_000_000:
            self.table = np.full(top + 1, -1, dtype=np.int32)
            self.table[ids] = np.arange(len(ids), dtype=np.int32)

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Return the places, -1 of who is not in the list."""
        if self.table is not None:
            return self.table[np.minimum(ids, len(self.table) - 1)]
        found = np.minimum(np.searchsorted(self.ids, ids), max(0, len(self.ids) - 1)).astype(np.int32)
        return np.where(self.ids[found] == ids, found, np.int32(-1)) if len(self.ids) else found - 1


class Spill:
    """Rows on disk, apart by part: twenty million events don't fit into the memory of a worker."""

    def __init__(self, folder: Path, name: str, *, kind: np.dtype[Any], size: int) -> None:
        self.folder, self.name, self.kind, self.size = folder, name, kind, size

    def add(self, places: np.ndarray, rows: np.ndarray) -> None:
        """Put rows to those of their part; those without a place are left out."""
        packed = _packed(places, rows, self.kind)
        if not len(packed):
            return
        parts = (packed["shopper"] // self.size).astype(np.uint16)
        order = np.argsort(parts, kind="stable")
        packed, numbers, starts = packed[order], *np.unique(parts[order], return_index=True)
        for number, start, end in zip(numbers, starts, [*starts[1:], len(packed)], strict=True):
            with (self.folder / f"{self.name}-{number}").open("ab") as file:
                packed[start:end].tofile(file)

    def take(self, number: int) -> pl.DataFrame:
        """Return the rows of a part, which go from the disk."""
        path = self.folder / f"{self.name}-{number}"
        rows = np.fromfile(path, dtype=self.kind) if path.exists() else np.empty(0, dtype=self.kind)
        path.unlink(missing_ok=True)
        return deeds.unpacked(rows)


def _packed(places: np.ndarray, rows: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    here = places >= 0
    made = np.empty(int(here.sum()), dtype=kind)
    for name in kind.names or ():
        made[name] = places[here] if name == "shopper" else rows[name][here]
    return made


class Everybody:
    """All shoppers: one pass over the events, which also says what everything usually costs."""

    def __init__(self, within: Windows, folder: Path) -> None:
        self.people = _people(reading.shoppers(), within)
        self.size = _part_size(len(self.people))
        places = Places(self.people["pk"].to_numpy())
        self.events = Spill(folder, "events", kind=deeds.PACKED, size=self.size)
        self.mails = Spill(folder, "mails", kind=MAIL, size=self.size)
        counter = usual.Counter()

        def put_aside(block: reading.Fetched) -> None:
            rows = block()
            self.events.add(places.of(rows["shopper"]), rows)
            counter.add(deeds.unpacked(rows[rows["kind"] == deeds.CODES["purchase"]]))

        for _done in worked(reading.events(), put_aside):
            pass
        for block in reading.sent_mails(within.since(365)):
            rows = block()
            self.mails.add(places.of(rows["shopper"]), rows)
        self.usual = usual.keep(counter.usual(), usual.stored())

    def parts(self) -> Iterator[tuple[pl.DataFrame, Frames]]:
        """Yield (people, frames) part by part."""
        products = reading.products()
        for number, start in enumerate(range(0, len(self.people), self.size)):
            people = self.people[start : start + self.size]
            rows, mails = self.events.take(number), self.mails.take(number)
            yield people, Frames(people.select("shopper", "zone"), rows, mails, products, self.usual)


def some(ids: Sequence[int], within: Windows, prices: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, Frames]]:
    """Yield (people, frames) of these shoppers, part by part."""
    products = reading.products()
    for start in range(0, len(ids), PART_SHOPPERS):
        people = _people(reading.shoppers(ids[start : start + PART_SHOPPERS]), within)
        wanted = people["pk"].to_list()
        places = Places(people["pk"].to_numpy())
        rows = _together(reading.events(wanted), places, deeds.PACKED)
        mails = _together(reading.sent_mails(within.since(365), wanted), places, MAIL)
        yield people, Frames(people.select("shopper", "zone"), rows, mails, products, prices)


def _together(blocks: Iterable[reading.Fetched], places: Places, kind: np.dtype[Any]) -> pl.DataFrame:
    found = [_packed(places.of(rows["shopper"]), rows, kind) for rows in (block() for block in blocks)]
    return deeds.unpacked(np.concatenate([np.empty(0, dtype=kind), *found]))


def _people(found: pl.DataFrame, within: Windows) -> pl.DataFrame:
    """Number shoppers, and give those without a time zone that of the shop."""
    known = [zone for zone in found["zone"].unique().to_list() if _exists(zone)]
    zone = pl.when(pl.col("zone").is_in(known)).then(pl.col("zone")).otherwise(pl.lit(within.zone))
    return found.with_columns(zone.alias("zone")).with_row_index("shopper").cast({"shopper": pl.Int32})


def _exists(zone: str) -> bool:
    """Say whether clocks of this name can be read; shops' files hold any text."""
    if not zone:
        return False
    try:
        pl.select(deeds.local(pl.lit(0), zone))
    except pl.exceptions.ComputeError:
        return False
    return True


def _part_size(n_shoppers: int) -> int:
    n_events = Event.everything.aggregate(n=Max("pk"))["n"] or 0
    n_parts = max(1, math.ceil(n_events / PART_EVENTS), math.ceil(n_shoppers / PART_SHOPPERS))
    return max(1, math.ceil(n_shoppers / n_parts))
