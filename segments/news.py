"""What happened since profiles were last read: whose profile is out of date, and whether all of them are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from behaviour.models import Event, Merge, Shop, Shopper, Upload
from segments import mails
from segments.core.deeds import SECOND
from segments.core.figures import Since
from segments.models import ProfileRefresh

# On PostgreSQL an event with a lower id can become visible after one with a higher id; so the last ids are read again.
OVERLAP = 5000
# An upload, a merge and a mail note when they were done a moment before others see it.
PUBLISHING = timedelta(minutes=1)


@dataclass(frozen=True)
class Windows:
    """Where the windows begin: at the midnight of the shop's today minus so many days.

    Counted from midnight, a profile says the same all day long, however often it is refreshed.
    """

    now: datetime
    today: datetime
    zone: str

    def since(self, days: int) -> datetime:
        """Return where the window of so many days begins."""
        return self.today - timedelta(days=days)

    @property
    def numbers(self) -> Since:
        """The same as numbers."""
        month, quarter, year = (microseconds(self.since(days)) for days in (30, 90, 365))
        return Since(microseconds(self.today), month, quarter, year, self.zone)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return int(moment.timestamp()) * SECOND + moment.microsecond


def windows(now: datetime | None = None) -> Windows:
    """Return the windows as of a moment."""
    now, shop = now or timezone.now(), Shop.current()
    midnight = now.astimezone(shop.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return Windows(now, midnight, shop.timezone)


def must_rebuild(progress: ProfileRefresh, today: datetime) -> bool:
    """Say whether something changed that new event ids don't show: a new day, an undone upload, changed products."""
    if progress.full_at is None or progress.refreshed_at is None or progress.full_at < today:
        return True
    changed = Q(state=Upload.State.UNDONE) | Q(kind=Upload.Kind.PRODUCTS, state=Upload.State.DONE)
    return Upload.objects.filter(changed, finished_at__gte=progress.refreshed_at).exists()


def is_news(progress: ProfileRefresh) -> bool:
    """Say whether something happened that the newest ids of events and shoppers don't show."""
    return any(rows.exists() for rows in (_published(progress), _merged(progress), _mailed(progress)))


def new_events(progress: ProfileRefresh) -> "QuerySet[Event]":
    """Return the events that were not read yet.

    An upload shows its rows when it is done, and their ids are older than what came in beside it: it is read whole.
    """
    since = Q(pk__gt=progress.last_event_id - OVERLAP)
    for upload in _published(progress).exclude(last_event=None):
        since |= Q(upload=upload, pk__gte=upload.first_event, pk__lte=upload.last_event)
    return Event.objects.filter(since).order_by()


def changed_shoppers(progress: ProfileRefresh) -> set[int]:
    """Return the shoppers with events and mails that were not read yet, those who are new, and those of merges."""
    new = Q(pk__gt=progress.last_shopper_id) | Q(upload__in=_published(progress))
    # Who gained or lost events by a merge; a joined shopper gets no profile.
    merged = {pk for pair in _merged(progress).values_list("kept_id", "joined_id") for pk in pair}
    return merged.union(
        new_events(progress).values_list("shopper_id", flat=True).distinct(),
        _mailed(progress).values_list("shopper_id", flat=True).distinct(),
        Shopper.objects.filter(new).order_by().values_list("pk", flat=True),
    )


def sold_products(progress: ProfileRefresh) -> set[int]:
    """Return the products that were bought since then: their usual price may be another now."""
    bought = new_events(progress).filter(kind=Event.Kind.PURCHASE, product__isnull=False)
    return set(bought.values_list("product_id", flat=True).distinct())


def _merged(progress: ProfileRefresh) -> "QuerySet[Merge]":
    """Return the merges of shoppers that were made, or undone, since the last refresh read."""
    if progress.refreshed_at is None:
        return Merge.objects.none()
    since = progress.refreshed_at - PUBLISHING
    return Merge.objects.filter(Q(at__gte=since) | Q(undone_at__gte=since))


def _published(progress: ProfileRefresh) -> "QuerySet[Upload]":
    """Return the uploads that showed their rows since the last refresh read."""
    if progress.refreshed_at is None:
        return Upload.objects.none()
    return Upload.objects.filter(state=Upload.State.DONE, finished_at__gte=progress.refreshed_at - PUBLISHING)


def _mailed(progress: ProfileRefresh) -> "QuerySet[Any]":
    """Return the mails that left since the last refresh read."""
    found = mails.sent()
    if found is None or progress.refreshed_at is None:
        return Event.objects.none()
    return found.filter(at__gte=progress.refreshed_at - PUBLISHING).order_by()
