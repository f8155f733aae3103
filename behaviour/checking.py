"""The dry run of an upload: everything the import would do with each row, nothing saved."""

import os
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from django.db import transaction
from django.utils.timezone import now

from behaviour.core import addresses
from behaviour.core.cleaning import Cleaned
from behaviour.core.columns import PERSONAL, PRODUCTS, SHOPPERS
from behaviour.core.parsing import Row
from behaviour.importing import loader_for, refuse_taken_addresses
from behaviour.models import Event, Product, Shopper, Upload
from behaviour.pseudonyms import names_of, without_addresses
from behaviour.quality import Collector
from behaviour.rejects import RejectsFile, checking_name, path_of
from behaviour.scouting import scout
from behaviour.tables import Table, clean, open_table
from behaviour.upload_cleaning import chosen_of

BATCH = 5000
MOST_NAMES = 20
# Misspelt names of providers that the page shows, each with what was probably meant.
MOST_MEANT = 3
State = Upload.State


def check_upload(upload: Upload) -> Upload:
    """Read the whole file and note what an import would load, pass over and refuse.

    What was found is dropped when the import began, or other columns or rules were chosen, in the meantime.

    Raises
    ------
    TableError : the file is damaged.
    """
    started = time.monotonic()
    path = path_of(checking_name(upload, uuid.uuid4().hex))
    try:
        preview = _read(upload, path.name) | {"seconds": max(0.1, round(time.monotonic() - started, 1))}
        _note(upload, preview, path)
    finally:
        path.unlink(missing_ok=True)
    upload.refresh_from_db()
    return upload


def _read(upload: Upload, rejects_name: str) -> dict[str, Any]:
    started = time.monotonic()
    report = _Report(upload)
    reading = scout(upload)
    loader = loader_for(upload, upload.kind)
    with open_table(upload) as table:
        rejects = RejectsFile(rejects_name, table.header)
        for block in table.blocks():
            cleaned = without_addresses(clean(block, table, reading))
            refuse_taken_addresses(loader, cleaned)
            rejects.add(cleaned.refused)
            report.add(cleaned, table, n_rows=len(block))
            _beat(upload, report.counts["rows"], table.position(), time.monotonic() - started)
    return report.finish()


def _beat(upload: Upload, n_rows: int, position: int, seconds: float) -> None:
    """Show that the check lives, and how far it is."""
    share = min(1.0, position / upload.size) if upload.size else 1.0
    seen = {"checked": n_rows, "share": share, "seconds": round(seconds, 1)}
    row = Upload.objects.filter(pk=upload.pk, state=State.RECEIVED)
    row.update(heartbeat_at=now(), checkpoint=upload.checkpoint | seen)


def _note(upload: Upload, preview: dict[str, Any], found: Path) -> None:
    """Keep the result and its refused rows if the upload still is as it was read."""
    name = f"{upload.uuid}.csv.gz" if found.stat().st_size else ""
    with transaction.atomic():
        row = Upload.objects.select_for_update().get(pk=upload.pk)
        if row.state != State.RECEIVED or row.mapping != upload.mapping or chosen_of(row) != chosen_of(upload):
            return
        if name:
            os.replace(found, path_of(name))
        changes = {"state": State.CHECKED, "preview": preview, "rejects_file": name, "checkpoint": {}}
        Upload.objects.filter(pk=upload.pk).update(**changes)


class _Report:
    """Counts over all chunks."""

    def __init__(self, upload: Upload) -> None:
        self._kind = upload.kind
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.permission: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.mended: dict[str, tuple[int, str, str]] = {}
        self.meant: dict[str, str] = {}
        self._quality = Collector(upload)
        self._period: list[str] = []
        self._names: dict[str, list[pl.Series]] = {"user_id": [], "item_id": []}

    def add(self, cleaned: Cleaned, table: Table, *, n_rows: int) -> None:
        """Count one chunk."""
        frame = cleaned.frame
        known = self._known(frame)
        self.counts.update(
            rows=n_rows, rejected=len(cleaned.refused), fixed=cleaned.fixed, known=known,
            repeated=cleaned.repeated, ready=len(frame) - known,
        )  # fmt: skip
        self.findings += cleaned.findings + cleaned.foreseen
        self._quality.add(cleaned, table.match)
        for code, example in cleaned.examples.items():
            self.mended.setdefault(code, example)
        people = frame if self._kind == SHOPPERS else cleaned.people
        if people is not None and cleaned.findings["email_typo"]:
            self.meant |= addresses.meant(people["email"], most=MOST_MEANT - len(self.meant))
        for row, code in cleaned.refused:
            self.reasons[code] += 1
            self.examples.setdefault(code, _example(row, table, code))
            if code == "unknown_event":
                self.unknown[row.cells[table.match.columns["event"]].strip()[:60]] += 1
        if "kind" in frame.columns and len(frame):
            self.kinds.update(frame["kind"].to_list())
            self._period += [str(frame["at"].min()), str(frame["at"].max())]
        if self._kind == SHOPPERS:
            said = frame["consent"]
            self.permission.update(given=int(said.sum()), withdrawn=int((~said).sum()), unsaid=said.null_count())
            by_address = names_of(frame.filter(pl.col("user_id") == "")["email"].to_list())
            self._names["user_id"].append(pl.Series(by_address.values(), dtype=pl.String))
        for name in self._names:
            if name in frame.columns:
                self._names[name].append(frame[name].unique())

    def _known(self, frame: pl.DataFrame) -> int:
        if "key" not in frame.columns:
            return 0
        keys = [UUID(key) for key in frame["key"]]
        return Event.objects.filter(dedupe_key__in=keys).count()

    def finish(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            **{name: self.counts[name] for name in ("rows", "ready", "known", "repeated", "rejected", "fixed")},
            "reasons": dict(self.reasons.most_common()),
            "findings": dict(self.findings),
            "examples": self.examples,
            "mended": self.mended,
            "meant": self.meant,
            "quality": self._quality.finish(),
            "kinds": dict(self.kinds.most_common()),
            "permission": dict(self.permission),
            "unknown_events": dict(self.unknown.most_common(MOST_NAMES)),
            "period": [min(self._period), max(self._period)] if self._period else [],
            "new_shoppers": 0 if self._kind == PRODUCTS else self._new("user_id", Shopper, "external_id"),
            "new_products": 0 if self._kind == SHOPPERS else self._new("item_id", Product, "sku"),
        }

    def _new(self, name: str, model: Any, field: str) -> int:
        if not self._names[name]:
            return 0
        names = [text for text in pl.concat(self._names[name]).unique().to_list() if text]
        there = sum(
            model.objects.filter(**{f"{field}__in": names[start : start + BATCH]}).count()
            for start in range(0, len(names), BATCH)
        )
        return len(names) - there


# Reason -> the field whose cell shows it.
SHOWN = {
    "unknown_event": "event",
    "time_unreadable": "timestamp",
    "time_out_of_range": "timestamp",
    "not_a_product": "item_id",
    "return_not_a_product": "item_id",
    "not_positive": "price",
    "quantity_unreadable": "quantity",
    "quantity_out_of_range": "quantity",
    "price_unreadable": "price",
    "price_out_of_range": "price",
    "rating_unreadable": "rating",
    "answer_missing": "answer",
    "answer_too_long": "answer",
    "stock_unreadable": "stock",
}


def _example(row: Row, table: Table, code: str) -> str:
    """Return line and cell of a refused row; cells that name a person are not kept."""
    field = SHOWN.get(code, "")
    at = table.match.columns.get(field)
    if at is None or field in PERSONAL or len(row.cells) <= at:
        return f"{row.line}"
    return f"{row.line}: {table.header[at]} = “{row.cells[at][:40]}”"
