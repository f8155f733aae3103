"""Who did what: one table, hash-chained, written by services.

django-auditlog was not taken: it listens to model signals, so it misses ``bulk_create`` and ``update()``, which is how
MailAI writes, and it stores old values with personal data in them. See docs/adr/0004-audit-log.md.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from mailai.accounts.models import AuditEntry

GENESIS = "0" * 64
# The person behind the current request and the entries written in it; set by AuditMiddleware.
current_actor: ContextVar[Any] = ContextVar("current_actor", default=None)
# What stands in the place of a person's name where a program acts.
program: ContextVar[str] = ContextVar("audit_program", default="system")
written: ContextVar[int] = ContextVar("audit_entries_written", default=0)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Let entries without a person name the program that acts."""
    token = program.set(name)
    try:
        yield
    finally:
        program.reset(token)


def entry_hash(entry: AuditEntry) -> str:
    """Return SHA-256 over the entry and the hash before it."""
    body = [
        entry.previous_hash, entry.at.isoformat(), entry.user_label, entry.action, entry.object_type,
        entry.object_id, entry.object_label, entry.reason, entry.detail,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def record(action: str, subject: Model | None = None, *, by: Any = None, reason: str = "", **detail: Any) -> AuditEntry:
    """Append one entry. ``detail`` holds ids and counts, never personal data.

    Two writers at once: the unique ``previous_hash`` lets one win inside its transaction; SQLite serialises them anyway
    and on PostgreSQL the newest row is locked.
    """
    by = by or current_actor.get()
    with transaction.atomic():
        last = AuditEntry.objects.select_for_update().order_by("-id").first()
        entry = AuditEntry(
            at=timezone.now(),
            user=by,
            user_label=str(by) if by else program.get(),
            action=action,
            object_type=subject._meta.label_lower if subject else "",
            object_id=str(getattr(subject, "uuid", None) or getattr(subject, "pseudonym", None) or subject.pk)
            if subject
            else "",
            object_label=_label(subject),
            reason=reason[:300],
            detail=json.loads(json.dumps(detail, default=str)),
            previous_hash=last.hash if last else GENESIS,
        )
        entry.hash = entry_hash(entry)
        entry.save(force_insert=True)
    written.set(written.get() + 1)
    return entry


def _label(subject: Model | None) -> str:
    """Name the thing without personal data: people of the shop by pseudonym."""
    if subject is None:
        return ""
    return str(getattr(subject, "pseudonym", None) or subject)[:200]


def first_broken_entry() -> AuditEntry | None:
    """Walk the chain, oldest first, and return the first entry that does not fit; None when all do."""
    previous = GENESIS
    for entry in AuditEntry.objects.order_by("id").iterator(chunk_size=2000):
        if entry.previous_hash != previous or entry.hash != entry_hash(entry):
            return entry
        previous = entry.hash
    return None
