"""The one door for every event that is not part of a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from behaviour.core.keys import content_key
from behaviour.models import Event

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

    def dedupe_key(self) -> UUID:
        """Return the key that makes recording this event twice harmless."""
        if self.key:
            return content_key("own", self.key)
        return content_key(
            self.shopper_id, self.kind, self.at.isoformat(), self.product_id, self.quantity, self.amount,
            self.order_ref, self.message,
        )  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """What became of the rows; loaded + duplicates = rows handed in."""

    loaded: int
    duplicates: int


def record_events(rows: Sequence[EventRow]) -> Recorded:
    """Record events in batches; one that is there already is passed over.

    Costs two statements for a thousand events. The unique key is the net under two callers at the same moment.
    """
    loaded = 0
    for start in range(0, len(rows), BATCH):
        batch = {row.dedupe_key(): row for row in rows[start : start + BATCH]}
        known = set(Event.objects.filter(dedupe_key__in=batch).values_list("dedupe_key", flat=True))
        fresh = [_event(key, row) for key, row in batch.items() if key not in known]
        Event.objects.bulk_create(fresh, ignore_conflicts=True)
        loaded += len(fresh)
    return Recorded(loaded, len(rows) - loaded)


def _event(key: UUID, row: EventRow) -> Event:
    return Event(
        shopper_id=row.shopper_id, kind=row.kind, at=row.at, product_id=row.product_id, quantity=row.quantity,
        amount=row.amount, order_ref=row.order_ref, message=row.message, dedupe_key=key,
    )  # fmt: skip
