"""The one door for every event that is not part of a file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Coalesce

from behaviour import turns
from behaviour.core.keys import content_key
from behaviour.models import Event, Shopper

BATCH = 1000


@dataclass(frozen=True)
class EventRow:
    """One event to record. ``key`` is the caller's own dedupe text; empty = equal content is the same event."""

    shopper_id: int
    kind: str
    at: datetime
    product_id: int | None = None
    quantity: int = 1
    amount: Decimal | None = None
    order_ref: str = ""
    message: UUID | None = None
    key: str = ""
    # Of a survey answer only.
    question: str | None = None
    answer: str | None = None

    def dedupe_key(self) -> UUID:
        """Return the key that makes recording this event twice harmless."""
        if self.key:
            return content_key("own", self.key)
        said = (self.question, self.answer) if self.question else ()
        return content_key(
            self.shopper_id, self.kind, self.at.isoformat(), self.product_id, self.quantity, self.amount,
            self.order_ref, self.message, *said,
        )  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """What became of the rows; loaded + duplicates + orphans = rows handed in.

    orphans : rows of shoppers who are no longer there.
    """

    loaded: int
    duplicates: int
    orphans: int = 0


def record_events(rows: Sequence[EventRow]) -> Recorded:
    """Record events in batches; one that is there already is passed over.

    Costs a handful of statements for a thousand events. The unique key is the net under two callers at the same moment.
    """
    loaded = orphans = 0
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        with transaction.atomic():
            turns.write_events()
            people = Shopper.everything.filter(pk__in={row.shopper_id for row in batch})
            # What an old mail of a merged shopper brings is done by who she is today.
            today = dict(people.values_list("pk", Coalesce("merged_into_id", "pk")))
            living = [row for row in batch if row.shopper_id in today]
            loaded += _insert({row.dedupe_key(): replace(row, shopper_id=today[row.shopper_id]) for row in living})
        orphans += len(batch) - len(living)
    return Recorded(loaded, len(rows) - loaded - orphans, orphans)


def _insert(batch: dict[UUID, EventRow]) -> int:
    """Insert what is new; what only an unfinished upload brought is new, or it would vanish with that upload."""
    there = dict(Event.everything.filter(dedupe_key__in=batch).values_list("dedupe_key", "upload__hidden"))
    if half := [key for key, hidden in there.items() if hidden]:
        rows = Event.everything.filter(dedupe_key__in=half)
        rows._raw_delete(rows.db)  # type: ignore[attr-defined]
    known = there.keys() - set(half)
    fresh = [_event(key, row) for key, row in batch.items() if key not in known]
    Event.everything.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def _event(key: UUID, row: EventRow) -> Event:
    return Event(
        shopper_id=row.shopper_id, kind=row.kind, at=row.at, product_id=row.product_id, quantity=row.quantity,
        amount=row.amount, order_ref=row.order_ref, message=row.message, dedupe_key=key,
        question=row.question, answer=row.answer,
    )  # fmt: skip
