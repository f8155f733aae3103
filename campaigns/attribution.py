"""Which message earned an order, written on the message: decisions need it, reports read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from behaviour.models import Event, Shop
from campaigns.core import attribution
from campaigns.models import Message

if TYPE_CHECKING:
    import pandas as pd

BATCH = 500


def attribute() -> int:
    """Stamp ordered_at and revenue of every message that was clicked; return how many changed. Repeatable.

    Costs one pass over the email clicks and over the clickers' orders since the first of them; not over all events.
    """
    days = Shop.current().attribution_days
    clicks = _frame(
        Event.objects.filter(kind=Event.Kind.EMAIL_CLICK, message__isnull=False), "shopper_id", "message", "at"
    )
    if clicks.empty:
        return 0
    first = clicks["at"].min()
    clickers = Message.objects.filter(clicked_at__isnull=False).values("shopper")
    orders = _frame(
        Event.objects.filter(kind=Event.Kind.PURCHASE, at__gte=first, shopper__in=clickers),
        "shopper_id",
        "at",
        "amount",
    )
    clicks.columns, orders.columns = ["shopper", "message", "at"], ["shopper", "at", "amount"]
    found = attribution.attribute(clicks, orders, days)
    return _write(dict(found.to_dict("index")))


def _frame(events: Any, *columns: str) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(list(events.order_by("at", "pk").values_list(*columns)), columns=list(columns))
    if "at" in columns:
        frame["at"] = pd.to_datetime(frame["at"], utc=True)
    if "amount" in columns:
        frame["amount"] = frame["amount"].map(lambda value: value or 0)
    return frame


def _write(found: dict[Any, Any]) -> int:
    """Update the messages whose figures changed, also those that lost their order (an undone upload)."""
    changed = []
    for message in Message.objects.filter(clicked_at__isnull=False).only("uuid", "ordered_at", "revenue").iterator():
        figures = found.get(message.uuid)
        ordered_at = figures["ordered_at"].to_pydatetime() if figures else None
        revenue = figures["revenue"] if figures else 0
        if message.ordered_at != ordered_at or message.revenue != revenue:
            message.ordered_at, message.revenue = ordered_at, revenue
            changed.append(message)
    for start in range(0, len(changed), BATCH):
        Message.objects.bulk_update(changed[start : start + BATCH], ["ordered_at", "revenue"])
    return len(changed)
