"""The run of an upload: each chunk is committed with its checkpoint, so that a killed run goes on where it was."""

import logging
from collections import Counter
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour.core.cleaning import Cleaned
from behaviour.core.columns import PRODUCTS, SHOPPERS
from behaviour.core.parsing import Block, TableError
from behaviour.loading import EventLoader, ProductLoader
from behaviour.models import Upload
from behaviour.people_loading import ShopperLoader
from behaviour.rejects import RejectsFile, drop_rejects
from behaviour.tables import clean, open_table, reading_of, stored_file
from behaviour.upload_words import problem_text
from mailai.accounts import audit
from mailai.claims import claim_one

logger = logging.getLogger(__name__)

# A run that has not committed a chunk for so long is dead.
DEAD_AFTER = timedelta(seconds=60)
MOST_TRIES = 5
State = Upload.State
Loader = EventLoader | ProductLoader | ShopperLoader


class _TakenOver(Exception):  # noqa: N818 it is no error: another run, or a person, decided otherwise
    """The upload was stopped, or another run goes on with it."""


def import_upload(upload_id: int) -> Upload:
    """Import a queued upload, or go on with one whose run died. Called again, it loads nothing twice."""
    if not _claim(upload_id):
        return Upload.objects.get(pk=upload_id)
    upload = Upload.objects.get(pk=upload_id)
    try:
        _run(upload)
    except _TakenOver:
        logger.info("Upload %s was stopped or taken over", upload_id)
    except (TableError, FileNotFoundError) as error:
        sentence = problem_text(error) if isinstance(error, TableError) else _gone()
        Upload.objects.filter(pk=upload_id, state=State.IMPORTING).update(state=State.FAILED, error=sentence)
    return Upload.objects.get(pk=upload_id)


def _gone() -> str:
    return _("The file is no longer there. Upload it again; rows that are loaded already are passed over.")


def _claim(upload_id: int) -> bool:
    """Take the upload if it waits, or if the run that has it is dead."""
    moment = now()
    upload = Upload.objects.get(pk=upload_id)
    changes: dict[str, Any] = {"heartbeat_at": moment, "started_at": upload.started_at or moment, "error": ""}
    if claim_one(upload, from_status=State.QUEUED, to_status=State.IMPORTING, **changes):
        return True
    dead = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=moment - DEAD_AFTER)
    rows = Upload.objects.filter(dead, pk=upload_id, state=State.IMPORTING)
    return rows.update(heartbeat_at=moment) == 1


def loader_for(upload: Upload, kind: str) -> Loader:
    """Return what loads rows of this kind."""
    if kind == PRODUCTS:
        return ProductLoader(upload)
    return ShopperLoader(upload) if kind == SHOPPERS else EventLoader(upload)


def _run(upload: Upload) -> None:
    reading = reading_of(upload)
    loader = loader_for(upload, upload.kind)
    with open_table(upload) as table:
        rejects = RejectsFile(f"{upload.uuid}.csv.gz", table.header, upload.checkpoint.get("rejects_bytes", 0))
        for number, block in enumerate(table.blocks(), start=1):
            done = block.end <= upload.checkpoint.get("rows", 0)
            if done and isinstance(loader, ProductLoader | ShopperLoader):
                continue
            cleaned = clean(block, table, reading)
            loader.observe(cleaned)
            if not done:
                load_block(upload, loader, cleaned, number=number, rejects=rejects)
    loader.finish()
    _complete(upload)


def load_block(upload: Upload, loader: Loader, cleaned: Cleaned, *, number: int, rejects: RejectsFile) -> None:
    """Load one block and commit it with its checkpoint; rows and counters stand or fall together."""
    block: Block = cleaned.block
    with transaction.atomic():
        # The upload's own row is the fence: whoever moves it on owns the chunk, a second run finds it moved.
        owned = Upload.objects.filter(pk=upload.pk, state=State.IMPORTING, rows_read=block.end - len(block))
        if owned.update(rows_read=block.end) != 1:
            raise _TakenOver
        refuse_taken_addresses(loader, cleaned)
        loaded = loader.load(cleaned)
        findings = Counter(upload.findings) + cleaned.findings + Counter(code for _row, code in cleaned.refused)
        if isinstance(loader, ShopperLoader) and loader.n_withdrawals_kept:
            findings["withdrawal_kept"] += loader.n_withdrawals_kept
        rejects.add(cleaned.refused)
        upload.findings = dict(findings)
        upload.checkpoint = {"rows": block.end, "chunk": number, "rejects_bytes": rejects.size}
        Upload.objects.filter(pk=upload.pk).update(
            loaded=F("loaded") + loaded,
            duplicates=F("duplicates") + cleaned.repeated + len(cleaned.frame) - loaded,
            rejected=F("rejected") + len(cleaned.refused),
            fixed=F("fixed") + cleaned.fixed,
            findings=upload.findings,
            checkpoint=upload.checkpoint,
            rejects_file=rejects.path.name if rejects.size else "",
            heartbeat_at=now(),
        )


def refuse_taken_addresses(loader: Loader, cleaned: Cleaned) -> None:
    """Move rows whose address belongs to another shopper to the refused ones."""
    if not isinstance(loader, ShopperLoader):
        return
    taken = dict(loader.taken(cleaned))
    if taken:
        cleaned.refused.extend(zip(cleaned.block.rows(list(taken)), taken.values(), strict=True))
        cleaned.frame = cleaned.frame.filter(~cleaned.frame["row"].is_in(list(taken)))


def _complete(upload: Upload) -> None:
    """Mark the upload as done and delete the original file, as the page promises."""
    row = Upload.objects.get(pk=upload.pk)
    if not claim_one(row, from_status=State.IMPORTING, to_status=State.DONE, finished_at=now()):
        raise _TakenOver
    audit.record("upload.import", row, by=row.created_by, loaded=row.loaded, rejected=row.rejected)
    stored_file(row).unlink(missing_ok=True)
    drop_rejects(row, keep=row.rejects_file)
