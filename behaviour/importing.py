"""The run of an upload: each part is committed with its checkpoint, so that a killed run goes on where it was."""

import errno
import logging
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Max, Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import bulk, first_load, turns
from behaviour.ahead import one_ahead, worked
from behaviour.core.cleaning import Cleaned
from behaviour.core.columns import PRODUCTS, SHOPPERS
from behaviour.core.parsing import TableError
from behaviour.core.typed import Reading
from behaviour.loading import EventLoader, StaleIdsError
from behaviour.models import Event, Upload
from behaviour.people_loading import ShopperLoader
from behaviour.product_loading import ProductLoader
from behaviour.pseudonyms import without_addresses
from behaviour.quality import Collector
from behaviour.rejects import RejectsFile, drop_rejects
from behaviour.removal import DEAD_AFTER, remove_rows
from behaviour.scouting import scout
from behaviour.tables import Table, clean, open_table, stored_file
from behaviour.upload_words import problem_text
from mailai.accounts import audit
from mailai.claims import claim_one

logger = logging.getLogger(__name__)

MOST_TRIES = 5
# A database that is gone for longer than this leaves the import to the sweep.
PATIENCE_SECONDS, PAUSE_SECONDS = 90.0, 1.0
State = Upload.State
Loader = EventLoader | ProductLoader | ShopperLoader


class _TakenOver(Exception):  # noqa: N818 it is no error: another run, or a person, decided otherwise
    """The upload was stopped, or another run goes on with it."""


def import_upload(upload_id: int) -> Upload:
    """Import a queued upload, or go on with one whose run died. Called again, it loads nothing twice.

    One import runs at a time; an upload that must wait stays queued, and the sweep begins it later.
    """
    run = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    if _claim(upload_id, run):
        try:
            _patiently(upload_id, run)
        except _TakenOver:
            logger.info("Upload %s was stopped or taken over", upload_id)
        except TableError as error:
            _fail(upload_id, problem_text(error))
        except FileNotFoundError:
            _fail(upload_id, _("The file is no longer there. Upload it again; rows that are there are passed over."))
        except (OSError, DatabaseError) as error:
            if not _is_full(error):
                raise
            _fail(upload_id, _("There is no space left on the disk. Free some, then go on with the import."))
        # If it was stopped: the block at hand may have written after the removal looked.
        remove_rows(upload_id)
    return Upload.objects.get(pk=upload_id)


def _patiently(upload_id: int, run: str) -> None:
    """Run the import; when the database goes away for a while, wait for it and go on from the checkpoint."""
    gone_since: float | None = None
    while True:
        before = Upload.objects.values_list("checkpoint", flat=True).get(pk=upload_id) if gone_since is None else None
        try:
            _run(Upload.objects.get(pk=upload_id), run)
            return
        except (OperationalError, InterfaceError) as error:
            if _is_full(error):
                raise
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > PATIENCE_SECONDS:
                raise
            logger.warning("Upload %s waits for the database: %s", upload_id, type(error).__name__)
            connection.close()
            time.sleep(PAUSE_SECONDS)
            with suppress(OperationalError, InterfaceError):
                after = Upload.objects.values_list("checkpoint", flat=True).get(pk=upload_id)
                gone_since = None if after != before else gone_since


def _is_full(error: Exception) -> bool:
    """Say whether disk or database have no space left (PostgreSQL: class 53; SQLite: SQLITE_FULL)."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    cause = error.__cause__
    return (getattr(cause, "sqlstate", None) or "")[:3] == "531" or "is full" in str(error)


def _fail(upload_id: int, sentence: str) -> None:
    Upload.objects.filter(pk=upload_id, state=State.IMPORTING).update(state=State.FAILED, error=sentence)


def _claim(upload_id: int, run: str) -> bool:
    """Take the upload if it waits, or if the run that has it is dead, and no other import or removal is at work."""
    moment = now()
    with transaction.atomic():
        # Two claims at the same moment look at each other's result, one after the other.
        uploads = list(Upload.objects.select_for_update().filter(Q(hidden=True) | Q(pk=upload_id)).order_by("pk"))
        upload = next(one for one in uploads if one.pk == upload_id)
        busy = any(one.pk != upload_id and works(one, moment) for one in uploads)
        if busy or upload.state not in (State.QUEUED, State.IMPORTING) or works(upload, moment):
            return False
        first = (Event.everything.aggregate(n=Max("pk"))["n"] or 0) + 1
        Upload.objects.filter(pk=upload_id).update(
            state=State.IMPORTING, hidden=True, error="", heartbeat_at=moment,
            started_at=upload.started_at or moment, first_event=upload.first_event or first,
            checkpoint=upload.checkpoint | {"run": run},
        )  # fmt: skip
    return True


def works(upload: Upload, moment: datetime) -> bool:
    """Say whether a run imports this upload, or takes its rows out, right now."""
    if upload.heartbeat_at is None or upload.heartbeat_at < moment - DEAD_AFTER:
        return False
    if upload.state == State.IMPORTING:
        return not _ended(upload.checkpoint.get("run", ""))
    return upload.hidden and upload.state in (State.CANCELLED, State.UNDONE)


def _ended(run: str) -> bool:
    """Say whether the process of a run is certainly gone: that can be told on the machine where it ran."""
    host, pid, *_rest = [*run.split(" "), "", ""]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def loader_for(upload: Upload, kind: str) -> Loader:
    """Return what loads rows of this kind."""
    if kind == PRODUCTS:
        return ProductLoader(upload)
    return ShopperLoader(upload) if kind == SHOPPERS else EventLoader(upload)


def _run(upload: Upload, run: str) -> None:
    loader = loader_for(upload, upload.kind)
    with bulk.long_load():
        found = _load(upload, run, loader)
    _complete(upload, run, loader, found)


def _load(upload: Upload, run: str, loader: Loader) -> Counter[str]:
    """Load all blocks that no earlier run loaded, and return what was found over all of them."""
    quality = Collector(upload)
    reading = scout(upload, beat=lambda: _own(upload, run, checkpoint=upload.checkpoint))
    with open_table(upload) as table:
        first_load.begin(upload, table.match)
        rejects = RejectsFile(f"{upload.uuid}.csv.gz", table.header, upload.checkpoint.get("rejects_bytes", 0))
        for block in cleaned_ahead(table, reading, look=lambda found: quality.add(found, table.match)):
            cleaned = without_addresses(block)
            loader.observe(cleaned)
            if cleaned.block.end > upload.checkpoint.get("rows", 0):
                if cleaned.block.end > first_load.MOST_ROWS:
                    first_load.end()
                _load_block(upload, run, loader, cleaned, rejects=rejects)
            else:
                # Reading again what is loaded takes its time: who looks sees that somebody is at work.
                _own(upload, run, checkpoint=upload.checkpoint)
    first_load.end()
    found = loader.finish(beat=lambda: _own(upload, run, checkpoint=upload.checkpoint))
    quality.refuse(Counter(email_taken=upload.findings.get("email_taken", 0)))
    upload.quality = quality.finish()
    Upload.objects.filter(pk=upload.pk, checkpoint__run=run).update(quality=upload.quality)
    return found


def cleaned_ahead(table: Table, reading: Reading, look: Callable[[Cleaned], None]) -> Iterator[Cleaned]:
    """Read, clean and look at blocks ahead of the caller, on other cores; ``look`` asks no database."""

    def looked_at() -> Iterator[Cleaned]:
        blocks, way = one_ahead(table.blocks()), partial(clean, table=table, how=reading)
        # PostgreSQL itself needs the other core; SQLite works in this process.
        for cleaned in map(way, blocks) if connection.vendor == "postgresql" else worked(blocks, way, threads=2):
            look(cleaned)
            yield cleaned

    return one_ahead(looked_at())


def _load_block(upload: Upload, run: str, loader: Loader, cleaned: Cleaned, *, rejects: RejectsFile) -> None:
    """Load one block in parts, then close it: counters and checkpoint are committed with the rows they count."""
    refuse_taken_addresses(loader, cleaned)
    for turn in range(MOST_TRIES):
        try:
            _load_parts(upload, run, loader, cleaned)
            break
        except (StaleIdsError, IntegrityError):
            # The API wrote the same event or shopper at this moment, or ids were removed: look again.
            if turn == MOST_TRIES - 1:
                raise
            upload.refresh_from_db(fields=["checkpoint"])
    loaded = upload.checkpoint.get("part_loaded", 0)
    upload.findings = dict(
        Counter(upload.findings)
        + cleaned.findings
        + Counter(code for _row, code in cleaned.refused)
        + Counter(withdrawal_kept=getattr(loader, "n_withdrawals_kept", 0))
    )
    rejects.add(cleaned.refused)
    checkpoint = {"rows": cleaned.block.end, "rejects_bytes": rejects.size, "run": run}
    _own(
        upload,
        run,
        rows_read=cleaned.block.end,
        loaded=F("loaded") + loaded,
        duplicates=F("duplicates") + cleaned.repeated + len(cleaned.frame) - loaded,
        rejected=F("rejected") + len(cleaned.refused),
        fixed=F("fixed") + cleaned.fixed,
        findings=upload.findings,
        checkpoint=checkpoint,
        rejects_file=rejects.path.name if rejects.size else "",
        last_event=Event.everything.aggregate(n=Max("pk"))["n"],
    )


def _load_parts(upload: Upload, run: str, loader: Loader, cleaned: Cleaned) -> None:
    for part, last in loader.parts(cleaned, upload.checkpoint.get("part", "")):
        with transaction.atomic():
            n_new = loader.write(part)  # type: ignore[arg-type]
            loaded = upload.checkpoint.get("part_loaded", 0) + n_new
            _own(upload, run, checkpoint=upload.checkpoint | {"part": last, "part_loaded": loaded, "run": run})
        turns.breathe()


def _own(upload: Upload, run: str, **changes: Any) -> None:
    """Write the upload's row if it is still this run's: who stopped it, or took it over, changed state or run."""
    rows = Upload.objects.filter(pk=upload.pk, state=State.IMPORTING, checkpoint__run=run)
    if rows.update(**changes, heartbeat_at=now()) != 1:
        raise _TakenOver
    upload.checkpoint = changes["checkpoint"]


def refuse_taken_addresses(loader: Loader, cleaned: Cleaned) -> None:
    """Move rows whose address belongs to another shopper to the refused ones."""
    if not isinstance(loader, ShopperLoader):
        return
    taken = dict(loader.taken(cleaned.frame))
    if taken:
        cleaned.refused.extend(zip(cleaned.block.rows(list(taken)), taken.values(), strict=True))
        cleaned.frame = cleaned.frame.filter(~cleaned.frame["row"].is_in(list(taken)))


@transaction.atomic
def _publish(upload: Upload, run: str, loader: Loader, found: Counter[str]) -> Upload:
    """Let everybody see the rows and what was set aside, all at once.

    ``found`` is what only the end told: written with the publication, so that it is counted once.
    """
    _own(upload, run, checkpoint=upload.checkpoint)
    found = found + loader.publish()
    row = Upload.objects.get(pk=upload.pk)
    findings = dict(Counter(row.findings) + found)
    moment = now()
    published: Any = {"finished_at": moment, "published_at": moment, "hidden": False, "checkpoint": {}}
    if not claim_one(row, from_status=State.IMPORTING, to_status=State.DONE, findings=findings, **published):
        raise _TakenOver
    return row


def _complete(upload: Upload, run: str, loader: Loader, found: Counter[str]) -> None:
    """Publish the upload, and delete the original file, as the page promises."""
    row = _publish(upload, run, loader, found)
    audit.record("upload.import", row, by=row.created_by, loaded=row.loaded, rejected=row.rejected)
    stored_file(row).unlink(missing_ok=True)
    drop_rejects(row, keep=row.rejects_file)
