"""An upload from its arrival to its undo: receive, check, queue, resume, sweep. Its end is in ``removal``."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, BinaryIO

from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import set_aside, shaping, tables
from behaviour.core.columns import EVENT_NAMES, KINDS, Match
from behaviour.core.parsing import TableError
from behaviour.importing import DEAD_AFTER, MOST_TRIES, works
from behaviour.models import Upload
from behaviour.rejects import drop_rejects
from behaviour.removal import cancel_upload
from behaviour.upload_words import FIELD_NAMES, fields_text, problem_text
from mailai.accounts import audit
from mailai.errors import InputError, StateError

# Refused rows and files that nobody imported are kept so long.
KEPT_FOR = timedelta(days=7)
State = Upload.State


def receive_upload(file: BinaryIO, filename: str, by: Any = None, kind: str = "auto") -> Upload:
    """Keep a file under a name of our own and find out what it is; nothing of it is loaded yet.

    Raises
    ------
    InputError : it is no table; nothing of it is kept then.
    """
    if kind not in ("auto", *KINDS):
        raise InputError(_("Choose what the file holds: auto, events, orders, products or shoppers."))
    upload = Upload(filename=filename[-255:], stored_as=f"{uuid.uuid4()}.bin", created_by=by, mapping={"kind": kind})
    path = tables.stored_file(upload)
    try:
        upload.sha256, upload.size = tables.store(file, path)
        upload.mapping |= {"shape": tables.look(upload).stored()}
        shaping.understand(upload)
    except TableError as error:
        path.unlink(missing_ok=True)
        raise InputError(problem_text(error)) from error
    upload.save()
    audit.record("upload.receive", upload, by=by, size=upload.size)
    return upload


def match_of(upload: Upload) -> Match:
    """Return how the columns of the file are read."""
    with tables.open_table(upload) as table:
        return table.match


def missing_text(match: Match) -> str:
    """Return the sentence that says which columns are missing; "" when none is."""
    if match.complete:
        return ""
    return _(
        "No column was recognised for: %(fields)s. Name the columns as in the template, or say which they are."
    ) % {"fields": fields_text(match.missing)}


def choose_columns(upload: Upload, chosen: Mapping[str, Any]) -> Upload:
    """Take a person's decisions: ``kind``, ``columns`` (field -> column), ``events`` (name -> kind), ``answers``.

    Raises
    ------
    InputError : a field, a kind, an event or an answer is unknown, or the file has no such column.
    StateError : the import has begun.
    """
    _only(upload, State.RECEIVED, State.CHECKED)
    columns, events = dict(chosen.get("columns", {})), dict(chosen.get("events", {}))
    kind = chosen.get("kind") or upload.mapping.get("kind", "auto")
    shaping.reread(upload, chosen.get("answers", {}))
    with tables.open_table(upload) as table:
        header = table.header
    _refuse_unknown(columns, events, kind, header)
    upload.mapping |= {"kind": kind, "columns": columns, "events": events}
    shaping.understand(upload)
    shaping.take_answers(upload, chosen.get("answers", {}))
    return shaping.keep(upload)


def _refuse_unknown(columns: dict[str, str], events: dict[str, str], kind: str, header: list[str]) -> None:
    strange = [name for name in columns if name not in FIELD_NAMES]
    if strange:
        raise InputError(_("There is no field “%(name)s”. Use the names of the template.") % {"name": strange[0]})
    strange = [str(name) for name in columns.values() if name and name not in header]
    if strange:
        raise InputError(_("The file has no column “%(name)s”.") % {"name": strange[0]})
    strange = [str(name) for name in events.values() if name not in EVENT_NAMES and name != "skip"]
    if strange or kind not in ("auto", *KINDS):
        raise InputError(_("There is no kind “%(name)s”.") % {"name": strange[0] if strange else kind})


def queue(upload: Upload, by: Any = None) -> Upload:
    """Let the import begin.

    Raises
    ------
    InputError : columns are missing, or a question is open. StateError : it was begun, cancelled or undone before.
    """
    waits = upload.state in (State.RECEIVED, State.CHECKED)
    if waits and (sentence := missing_text(match_of(upload)) or shaping.unanswered_text(upload)):
        raise InputError(sentence)
    waiting = Upload.objects.filter(pk=upload.pk, state__in=[State.RECEIVED, State.CHECKED])
    changes: dict[str, Any] = {
        "checkpoint": {},
        "findings": {},
        "rejects_file": "",
        "heartbeat_at": None,
        "hidden": True,
    }
    if waiting.update(state=State.QUEUED, **changes) != 1:
        raise StateError(_("This upload was begun already. Upload the file again to import it once more."))
    upload.refresh_from_db()
    audit.record("upload.queue", upload, by=by)
    return upload


def resume_upload(upload: Upload, by: Any = None) -> Upload:
    """Let a failed import go on where it was.

    Raises
    ------
    StateError : it has not failed.
    """
    failed = Upload.objects.filter(pk=upload.pk, state=State.FAILED)
    changes = {"heartbeat_at": None, "error": "", "checkpoint": upload.checkpoint | {"tries": 0}}
    if failed.update(state=State.QUEUED, **changes) != 1:
        raise StateError(_("Only an import that has failed can go on."))
    upload.refresh_from_db()
    audit.record("upload.resume", upload, by=by)
    return upload


def begun_before(upload: Upload) -> Upload | None:
    """Return an import of the same file that was interrupted, ready to go on; None where there is none."""
    same = Upload.objects.filter(sha256=upload.sha256, size=upload.size, demo=False).exclude(pk=upload.pk)
    for one in same.filter(state__in=[State.QUEUED, State.IMPORTING, State.FAILED]):
        asked_alike = one.mapping.get("kind", "auto") == upload.mapping.get("kind", "auto")
        if asked_alike and not works(one, now()) and tables.stored_file(one).exists():
            return resume_upload(one) if one.state == State.FAILED else one
    return None


def _only(upload: Upload, *states: str) -> None:
    if upload.state not in states:
        raise StateError(
            _("This is not possible any more: the upload is %(state)s.") % {"state": upload.get_state_display()}
        )


def sweep_uploads() -> list[int]:
    """Return the uploads whose import must be started again, and delete files that were kept long enough."""
    moment = now()
    dead = Q(state=State.IMPORTING) & (Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=moment - DEAD_AFTER))
    waiting = Q(state=State.QUEUED) & (Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=moment - DEAD_AFTER))
    again = []
    for upload in Upload.objects.filter(dead | waiting, demo=False):
        # Who waits for another import has not failed; a run that died has.
        tries = upload.checkpoint.get("tries", 0) + (upload.state == State.IMPORTING)
        if tries > MOST_TRIES:
            _give_up(upload)
            continue
        Upload.objects.filter(pk=upload.pk, state=upload.state).update(
            checkpoint=upload.checkpoint | {"tries": tries},
            **({"heartbeat_at": moment} if upload.state == State.QUEUED else {}),
        )
        again.append(upload.pk)
    for upload in Upload.objects.filter(state__in=[State.RECEIVED, State.CHECKED], created_at__lt=moment - KEPT_FOR):
        cancel_upload(upload)
    for upload in Upload.objects.filter(finished_at__lt=moment - KEPT_FOR).exclude(rejects_file=""):
        drop_rejects(upload)
        Upload.objects.filter(pk=upload.pk).update(rejects_file="")
    set_aside.forget()
    return again


def begin_check(upload: Upload) -> None:
    """Note that a check runs from now on, so that one whose worker died is begun again."""
    Upload.objects.filter(pk=upload.pk, state=State.RECEIVED).update(heartbeat_at=now(), checkpoint={})


def sweep_checks() -> list[int]:
    """Return the uploads whose check must be started again."""
    again = []
    for upload in Upload.objects.filter(state=State.RECEIVED, heartbeat_at__lt=now() - DEAD_AFTER, demo=False):
        tries = upload.checkpoint.get("tries", 0) + 1
        if tries > MOST_TRIES:
            _give_up(upload)
            continue
        row = Upload.objects.filter(pk=upload.pk, state=State.RECEIVED, heartbeat_at=upload.heartbeat_at)
        if row.update(checkpoint={"tries": tries}, heartbeat_at=now()):
            again.append(upload.pk)
    return again


def _give_up(upload: Upload) -> None:
    sentence = _("The file stopped its worker several times. Undo it, and ask an administrator to look at the log.")
    Upload.objects.filter(pk=upload.pk, state=upload.state).update(state=State.FAILED, error=sentence)
