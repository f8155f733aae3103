"""All that profiles and segments read over many rows."""

from __future__ import annotations

import difflib
import itertools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import Abs, Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour import consent
from behaviour.models import Event, Merge, Product, Shop, Shopper, Upload
from mailai.errors import InputError
from segments import rules
from segments.models import Profile, ProfileRefresh, Segment, SegmentSize

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)
BATCH = 2000
# A prime, so that the shuffle meets every rest.
SHUFFLE = 1_000_003
# On PostgreSQL an event with a lower id can become visible after one with a higher id; so the last ids are read again.
OVERLAP = 5000
SCORING_ROWS = 20_000
# An upload notes when it was done a moment before others see it.
PUBLISHING = timedelta(minutes=1)
PURCHASES = Q(kind=Event.Kind.PURCHASE)
REFUNDS = Q(kind=Event.Kind.REFUND)


@dataclass(frozen=True)
class Windows:
    """Where the windows of 90 and 365 days begin: at the midnight of the shop's today minus so many days.

    Counted from midnight, a profile says the same all day long, however often it is refreshed.
    """

    now: datetime
    today: datetime
    since_90d: datetime
    since_365d: datetime


@dataclass(frozen=True)
class Reach:
    """How many a rule finds, how many of them may be mailed, and why the others may not."""

    count: int
    mailable: int
    excluded: dict[str, int]
    seconds: float


def windows(now: datetime | None = None) -> Windows:
    """Return the windows as of a moment."""
    now = now or timezone.now()
    midnight = now.astimezone(Shop.current().zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return Windows(now, midnight, midnight - timedelta(days=90), midnight - timedelta(days=365))


def reach(rule: Any, now: datetime | None = None) -> Reach:
    """Count who fits the rule, per reason why not mailable; one grouped query."""
    started = time.perf_counter()
    counts = consent.exclusion_counts(rules.matching(rule, now))
    mailable = counts.pop("", 0)
    return Reach(mailable + sum(counts.values()), mailable, counts, round(time.perf_counter() - started, 3))


def changed_shoppers(progress: ProfileRefresh) -> list[int]:
    """Return the shoppers with events that were not read yet, and those who are new.

    An upload shows its rows when it is done, and their ids are older than what came in beside it: it is read whole.
    """
    since, new = Q(pk__gt=progress.last_event_id - OVERLAP), Q(pk__gt=progress.last_shopper_id)
    for upload in published_since(progress):
        if upload.last_event is not None:
            since |= Q(upload=upload, pk__gte=upload.first_event, pk__lte=upload.last_event)
        new |= Q(upload=upload)
    # Who gained or lost events by a merge; a joined shopper gets no profile.
    merged = {pk for pair in merged_since(progress).values_list("kept_id", "joined_id") for pk in pair}
    with_events = merged | set(Event.objects.filter(since).order_by().values_list("shopper_id", flat=True).distinct())
    return sorted(with_events.union(Shopper.objects.filter(new).values_list("pk", flat=True)))


def merged_since(progress: ProfileRefresh) -> QuerySet[Merge]:
    """Return the merges of shoppers that were made, or undone, since the last refresh read."""
    if progress.refreshed_at is None:
        return Merge.objects.none()
    since = progress.refreshed_at - PUBLISHING
    return Merge.objects.filter(Q(at__gte=since) | Q(undone_at__gte=since))


def published_since(progress: ProfileRefresh) -> QuerySet[Upload]:
    """Return the uploads that showed their rows since the last refresh read."""
    if progress.refreshed_at is None:
        return Upload.objects.none()
    return Upload.objects.filter(state=Upload.State.DONE, finished_at__gte=progress.refreshed_at - PUBLISHING)


def shopper_batches(size: int = BATCH) -> Iterator[list[int]]:
    """Walk all shoppers by id."""
    last = 0
    while batch := list(Shopper.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size]):
        yield batch
        last = batch[-1]


def must_rebuild(progress: ProfileRefresh, today: datetime) -> bool:
    """Say whether something changed that new event ids don't show: a new day, an undone upload, changed products."""
    if progress.full_at is None or progress.refreshed_at is None or progress.full_at < today:
        return True
    changed = Q(state=Upload.State.UNDONE) | Q(kind=Upload.Kind.PRODUCTS, state=Upload.State.DONE)
    return Upload.objects.filter(changed, finished_at__gte=progress.refreshed_at).exists()


def order_lines(shopper_ids: Sequence[int]) -> pd.DataFrame:
    """Return what a batch of shoppers bought, per order and category; two grouped queries.

    Lines without an order reference are one order per day of the shop.
    """
    import pandas as pd

    # Wrapped, so that SQLite reads these shoppers by their index, and not all purchases of the shop by that of kinds.
    events = Event.objects.alias(what=Coalesce("kind", Value(""))).order_by()
    bought = events.filter(what=Event.Kind.PURCHASE, shopper_id__in=shopper_ids)
    columns = {"first": Min("at"), "money": Sum("amount"), "n": Sum("quantity")}
    keyed = bought.exclude(order_ref="").values("shopper_id", "product__category", "order_ref").annotate(**columns)
    loose = bought.filter(order_ref="").values("shopper_id", "product__category", "at").annotate(**columns)
    zone = Shop.current().zone
    rows = [(*_line(row), f"r{row['order_ref']}") for row in keyed.iterator()]
    rows += [(*_line(row), f"d{row['at'].astimezone(zone):%Y-%m-%d}") for row in loose.iterator()]
    lines = pd.DataFrame(rows, columns=["shopper", "category", "at", "amount", "quantity", "order"])
    # The sums below don't depend on the order in which the database gave the rows.
    return lines.sort_values(["shopper", "at", "order", "category"]).reset_index(drop=True)


def _line(row: Mapping[str, Any]) -> tuple[int, str, float, float, float]:
    money = None if row["money"] is None else float(row["money"])
    return (
        row["shopper_id"], row["product__category"] or "", row["first"].timestamp(),
        float("nan") if money is None else money, float(row["n"] or 0),
    )  # fmt: skip


def event_figures(shopper_ids: Sequence[int], within: Windows) -> list[Mapping[str, Any]]:
    """Return refunds, products, opens, clicks and last times of a batch of shoppers; one grouped query."""
    opened, clicked = Q(kind=Event.Kind.EMAIL_OPEN), Q(kind=Event.Kind.EMAIL_CLICK)
    recent_90d, recent_365d = Q(at__gte=within.since_90d), Q(at__gte=within.since_365d)
    return list(
        Event.objects.filter(shopper_id__in=shopper_ids)
        .order_by()
        .values("shopper_id")
        .annotate(
            refunded=Sum(Abs("amount"), filter=REFUNDS),
            refunded_365d=Sum(Abs("amount"), filter=REFUNDS & recent_365d),
            products=Count("product_id", filter=PURCHASES, distinct=True),
            last_event=Max("at"),
            opens_90d=Count("pk", filter=opened & recent_90d),
            clicks_90d=Count("pk", filter=clicked & recent_90d),
            last_open=Max("at", filter=opened),
            last_click=Max("at", filter=clicked),
        )
    )


def scoring_frame() -> pd.DataFrame:
    """Return the columns of all profiles that scores are made from, and the scores they have now; one query."""
    import pandas as pd

    columns = (
        "shopper_id", "last_order_at", "n_orders", "monetary", "order_gap_days",
        "recency_score", "frequency_score", "monetary_score", "stage",
    )  # fmt: skip
    rows = Profile.objects.order_by("pk").values_list(*columns).iterator(chunk_size=BATCH)
    parts = []
    while part := list(itertools.islice(rows, SCORING_ROWS)):
        frame = pd.DataFrame.from_records(part, columns=list(columns))
        # Numbers and moments as plain arrays: a million rows of Python objects would take a gigabyte.
        numbers = dict.fromkeys(frame.columns.difference(["shopper_id", "last_order_at", "n_orders", "stage"]), float)
        parts.append(frame.astype(numbers).assign(last_order_at=pd.to_datetime(frame["last_order_at"], utc=True)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def in_chunks(ids: Sequence[int], size: int = BATCH) -> Iterator[Sequence[int]]:
    """Cut a list into pieces."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


# ---------- segments


@dataclass(frozen=True)
class Size:
    """How many a segment has now, and how many of them may be mailed."""

    count: int
    mailable: int


def sizes(segments: Sequence[Segment], now: datetime | None = None) -> dict[int, Size]:
    """Count several segments in one statement; one whose rule can't be read any more is left out."""
    context, found = rules.Context(now or timezone.now()), {}
    for segment in segments:
        try:
            found[segment.pk] = rules.condition(segment.rule, context=context)
        except InputError:
            logger.warning("segment %s has a rule that can't be read", segment.pk)
    everybody = consent.with_exclusion(Shopper.objects.order_by())
    mailable = Count("pk", filter=Q(exclusion=""))
    rows = _together(everybody, found, {"n": Count("pk"), "mailable": mailable})
    return {pk: Size(*rows.get(pk, (0, 0))) for pk in found}


def counts_alone(parts: dict[str, Any], now: datetime | None = None) -> dict[str, int]:
    """Count each of these rules by itself, in one statement."""
    context = rules.Context(now or timezone.now())
    found = {number: rules.condition(rule, context=context) for number, rule in enumerate(parts.values())}
    rows = _together(Shopper.objects.order_by(), found, {"n": Count("pk")})
    return {name: rows.get(number, (0,))[0] for number, name in enumerate(parts)}


def _together(
    everybody: QuerySet[Any], found: Mapping[int, Q], counted: Mapping[str, Any]
) -> dict[int, tuple[Any, ...]]:
    """Count per condition: one select each, so that the database plans each well, and one statement in all."""
    selects = [
        everybody.filter(fits).annotate(which=Value(number)).values_list("which").annotate(**counted)
        for number, fits in found.items()
    ]
    if not selects:
        return {}
    rows = selects[0].union(*selects[1:], all=True) if len(selects) > 1 else selects[0]
    return {number: tuple(figures) for number, *figures in rows}


def segment_list() -> QuerySet[Segment]:
    """Return all segments, the newest change first, with the number of campaigns that use them."""
    return Segment.objects.annotate(n_campaigns=Count("campaigns")).order_by("-updated_at", "pk")


def sample(rule: Any, *, draw: int, n: int = 6, now: datetime | None = None) -> list[Shopper]:
    """Return up to n shoppers that fit, the same for the same draw, others for another; one query."""
    # Ids shuffled by arithmetic: the database keeps the best six while it reads, no matter how many fit.
    shuffled = (F("pk") % SHUFFLE * (draw % SHUFFLE + 1)) % SHUFFLE
    return list(rules.matching(rule, now).select_related("profile").order_by(shuffled, "pk")[:n])


def size_history(segment: Segment, days: int = 90) -> list[SegmentSize]:
    """Return the daily sizes of the last days, oldest first."""
    since = timezone.now() - timedelta(days=days)
    return list(SegmentSize.objects.filter(segment=segment, on__gte=since.date()).order_by("on"))


def known_values(field_name: str, limit: int = 300) -> list[str]:
    """Return the values that a text field has in this shop, by name."""
    if field_name == "bought_category":
        return _distinct(Product.objects.all(), "category", limit)
    return _distinct(Shopper.objects.all(), rules.FIELDS[field_name].path, limit)


def _distinct(rows: QuerySet[Any], path: str, limit: int) -> list[str]:
    filled = rows.exclude(**{path: ""}).exclude(**{f"{path}__isnull": True})
    return list(filled.order_by(path).values_list(path, flat=True).distinct()[:limit])


def segment_named(name: str) -> Segment:
    """Return the segment of that name; InputError names the nearest when there is none."""
    found = Segment.objects.filter(name=name).first()
    if found:
        return found
    names = list(Segment.objects.values_list("name", flat=True))
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        raise InputError(
            _("There is no segment “%(name)s”. Did you mean “%(near)s”?") % {"name": name, "near": near[0]}
        )
    raise InputError(_("There is no segment “%(name)s”. Make it first, on the page Segments.") % {"name": name})
