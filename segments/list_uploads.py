"""Lists that people bring: a file or pasted text comes in, its column is chosen, it is read, it is used.

A list is complete or not used: whom a file names is found out first, a batch of names at a time, and written in short
transactions, the last of which makes the list ready. A killed reading begins again and ends with the same members.
"""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import naming
from behaviour.core.parsing import Block, TableError
from behaviour.upload_words import problem_text
from mailai.accounts import audit
from mailai.claims import claim_one
from mailai.errors import InputError, StateError
from segments import list_files, list_writing, lists
from segments.models import ShopperList

logger = logging.getLogger(__name__)
State = ShopperList.State
# Smaller files are read while the browser waits, larger ones by a worker.
READ_AT_ONCE = 500_000
# Ids that wait to be made different ones; rows without a shopper that are shown.
HELD, SHOWN = 500_000, 10
# A reading that has said nothing for so long is dead; a file that nobody chose a column for is kept so long.
DEAD_AFTER, KEPT_FOR = list_writing.DEAD_AFTER, timedelta(days=7)
MOST_TRIES = 3


@dataclass
class Named:
    """Whom the rows so far name. Memory: 8 bytes a shopper and one piece of the file."""

    n_rows: int = 0
    n_found: int = 0
    unknown: list[tuple[int, str]] = field(default_factory=list)
    _ids: list[np.ndarray] = field(default_factory=list)

    def add(self, block: Block, column: int) -> None:
        """Look up the names of a piece."""
        rows = block.frame.select("line", name=pl.col(f"c{column}").str.strip_chars())
        ids = naming.ids_named(rows.filter(pl.col("name") != "")["name"].unique().to_list())
        found = [ids.get(name, 0) for name in rows["name"].to_list()]
        self.n_rows += len(block)
        self.n_found += len(found) - found.count(0)
        self._ids.append(np.unique(np.array(found, dtype=np.int64)))
        self._show(block, rows, found)
        if sum(map(len, self._ids)) > HELD:
            self._ids = [self.ids]

    def _show(self, block: Block, rows: pl.DataFrame, found: list[int]) -> None:
        if len(self.unknown) >= SHOWN:
            return
        strange = rows.filter(pl.Series(found) == 0).head(SHOWN).rows()
        strange += [(row.line, "") for row in block.refused[:SHOWN]]
        shown = [(line, naming.shown(name)[:60] if name else "") for line, name in sorted(strange)]
        self.unknown += shown[: SHOWN - len(self.unknown)]

    @property
    def ids(self) -> np.ndarray:
        """Row ids of the shoppers, each once."""
        ids = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *self._ids]))
        return ids[ids > 0]


def receive(file: BinaryIO, *, name: str, filename: str, column: str = "", by: Any = None) -> ShopperList:
    """Keep a file that names shoppers and find out which column does; nothing of it is a list yet.

    Raises
    ------
    InputError : it is no table, has no such column, or the name is taken.
    """
    lists.checked(name)
    kept = list_files.keep(file)
    try:
        place = list_files.place_of(kept.header, column) if column else kept.column
        with transaction.atomic():
            made = ShopperList.objects.create(
                name=lists.free(name), source=ShopperList.Source.UPLOADED, origin=filename[-255:],
                state=State.ASKS if place is None else State.READING, file=kept.stored(),
                column="" if place is None else kept.header[place], created_by=by,
            )  # fmt: skip
            audit.record("list.create", made, by=by, size=kept.size)
    except BaseException:
        list_files.drop(kept.stored_as)
        raise
    return made


def choose_column(asked: ShopperList, column: str, *, by: Any) -> None:
    """Say which column names shoppers.

    Raises
    ------
    InputError : there is no such column. StateError : the list does not ask any more.
    """
    list_files.place_of(asked.file.get("header", []), column)
    changes: dict[str, Any] = {"column": column, "problem": "", "heartbeat_at": None}
    if not claim_one(asked, from_status=State.ASKS, to_status=State.READING, **changes):
        raise StateError(_("The column of this list was chosen already."))
    asked.refresh_from_db()
    audit.record("list.column", asked, by=by)


def read_at_once(waiting: ShopperList) -> bool:
    """Say whether a file is small enough for the browser to wait."""
    return waiting.file.get("size", 0) <= READ_AT_ONCE


def read(list_id: int) -> ShopperList | None:
    """Read the file of a list and make it ready; a list that names nobody asks for its column again.

    Run twice, one of them makes it ready. A million names took 2 to 4 minutes on a busy machine with SQLite.
    """
    begun = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now() - DEAD_AFTER)
    if not ShopperList.objects.filter(begun, pk=list_id, state=State.READING).update(heartbeat_at=now()):
        return ShopperList.objects.filter(pk=list_id).first()
    waiting = ShopperList.objects.get(pk=list_id)
    try:
        _note_try(waiting)
        named = _whom(waiting)
        if not named.n_found:
            _ask_again(waiting, named)
        else:
            _write(waiting, named)
    except (TableError, InputError) as error:
        _fail(waiting, problem_text(error) if isinstance(error, TableError) else str(error))
    except FileNotFoundError:
        _fail(waiting, _("The file is no longer there. Delete this list and upload it again."))
    return ShopperList.objects.filter(pk=list_id).first()


def sweep() -> list[int]:
    """Drop files that nobody chose a column for, and return the lists whose reading must begin (again)."""
    for one in ShopperList.objects.filter(state=State.ASKS, created_at__lt=now() - KEPT_FOR):
        _fail(
            one, _("Nobody chose a column for 7 days, so the file was deleted. Delete this list and upload it again.")
        )
    idle = Q(heartbeat_at=None, created_at__lt=now() - timedelta(seconds=10)) | Q(heartbeat_at__lt=now() - DEAD_AFTER)
    return list(ShopperList.objects.filter(idle, state=State.READING).values_list("pk", flat=True))


def _note_try(waiting: ShopperList) -> None:
    waiting.file["tries"] = waiting.file.get("tries", 0) + 1
    if waiting.file["tries"] > MOST_TRIES:
        raise InputError(_("The file stopped its worker several times. Ask an administrator to look at the log."))
    ShopperList.objects.filter(pk=waiting.pk).update(file=waiting.file)


def _whom(waiting: ShopperList) -> Named:
    named, column = Named(), list_files.place_of(waiting.file["header"], waiting.column)
    with list_files.pieces(waiting.file) as pieces:
        for block in pieces:
            named.add(block, column)
            ShopperList.objects.filter(pk=waiting.pk).update(heartbeat_at=now(), n_rows=named.n_rows)
    return named


def _ask_again(waiting: ShopperList, named: Named) -> None:
    sentence = _("No shopper of this shop is named in the column “%(column)s”.") % {"column": waiting.column}
    changes: dict[str, Any] = {
        "problem": sentence, "n_rows": named.n_rows, "n_unknown": named.n_rows, "unknown": named.unknown,
    }  # fmt: skip
    claim_one(waiting, from_status=State.READING, to_status=State.ASKS, **changes)


def _write(waiting: ShopperList, named: Named) -> None:
    """Write the members, then make the list ready; who lost the race changes nothing.

    A reading that begins again finds the same members and passes them over.
    """
    if not list_writing.put_all(waiting, named.ids):
        return
    with transaction.atomic():
        n_members = waiting.members.count()
        counts: dict[str, Any] = {
            "file": {}, "problem": "", "heartbeat_at": None, "n_rows": named.n_rows, "n_members": n_members,
            "n_twice": named.n_found - n_members, "n_unknown": named.n_rows - named.n_found, "unknown": named.unknown,
        }  # fmt: skip
        kept = waiting.file["stored_as"]
        if not claim_one(waiting, from_status=State.READING, to_status=State.READY, **counts):
            return
        audit.record("list.read", waiting, by=waiting.created_by, shoppers=n_members)
    list_files.drop(kept)


def _fail(waiting: ShopperList, sentence: str) -> None:
    kept = waiting.file.get("stored_as", "")
    if claim_one(waiting, from_status=waiting.state, to_status=State.FAILED, problem=sentence[:500], file={}):
        list_files.drop(kept)
        logger.warning("list %s can't be read", waiting.pk)
