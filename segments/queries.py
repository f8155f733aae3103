"""All that segments read over many rows."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour import consent
from behaviour.models import Event, Product, Shopper
from mailai.errors import InputError
from segments import name_rules, rules
from segments.estimate import estimates
from segments.models import Sample, Segment, SegmentSize
from segments.rules.limits import ANSWERS

logger = logging.getLogger(__name__)
# A prime, so that the shuffle meets every rest.
SHUFFLE = 1_000_003
# Shoppers and days that a page shows, values that an input offers.
N_SHOWN, HISTORY_DAYS, MOST_VALUES = 6, 90, 300


@dataclass(frozen=True)
class Reach:
    """How many a rule finds, how many of them may be mailed, and why the others may not."""

    count: int
    mailable: int
    excluded: dict[str, int]
    seconds: float


def reach(rule: Any, now: datetime | None = None) -> Reach:
    """Count who fits the rule, per reason why not mailable; one grouped query."""
    started = time.perf_counter()
    counts = consent.exclusion_counts(rules.matching(rule, now))
    mailable = counts.pop("", 0)
    return Reach(mailable + sum(counts.values()), mailable, counts, round(time.perf_counter() - started, 3))


@dataclass(frozen=True)
class Size:
    """How many a segment has, and how many of them may be mailed, None where only the first is known.

    ``on`` is the day that they were counted, None for just now; ``about`` says that it is an estimate.
    """

    count: int
    mailable: int | None
    on: date | None = None
    about: bool = False


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


def quick_sizes(segments: Sequence[Segment]) -> dict[int, Size]:
    """Return the sizes for a list of segments, in no time: counted where the shop is small, else as last counted.

    In a large shop a segment that was never counted is estimated from the sample. Two to four queries.
    """
    if not Sample.objects.filter(pk=1, n_sampled__gt=0).exists():
        return sizes(segments)
    newest = SegmentSize.objects.filter(segment=OuterRef("segment")).order_by("-on").values("on")[:1]
    counted = SegmentSize.objects.filter(segment__in=segments, on=Subquery(newest))
    found = {one.segment_id: Size(one.size, one.mailable, one.on) for one in counted}
    return found | _about([one for one in segments if one.pk not in found])


def _about(segments: Sequence[Segment]) -> dict[int, Size]:
    asked = {}
    for segment in segments:
        with suppress(InputError):
            asked[segment.pk] = rules.check(segment.rule)
    if not asked:
        return {}
    found = estimates({str(pk): rule for pk, rule in asked.items()})
    return {pk: Size(found[str(pk)].count, None, about=True) for pk in asked}


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


def sample(rule: Any, *, draw: int, now: datetime | None = None) -> list[Shopper]:
    """Return up to six shoppers that fit, the same for the same draw, others for another; one query."""
    # Ids shuffled by arithmetic: the database keeps the best six while it reads, no matter how many fit.
    shuffled = (F("pk") % SHUFFLE * (draw % SHUFFLE + 1)) % SHUFFLE
    return list(rules.matching(rule, now).select_related("profile", "prediction").order_by(shuffled, "pk")[:N_SHOWN])


def size_history(segment: Segment) -> list[SegmentSize]:
    """Return the daily sizes of the last 90 days, oldest first."""
    since = timezone.now() - timedelta(days=HISTORY_DAYS)
    return list(SegmentSize.objects.filter(segment=segment, on__gte=since.date()).order_by("on"))


def known_values(field_name: str) -> list[str]:
    """Return the values that a text field has in this shop, by name."""
    if field_name in ANSWERS:
        return _distinct(Event.objects.filter(question__isnull=False), field_name)
    if field_name == "bought_category":
        return _distinct(Product.objects.all(), "category")
    return _distinct(Shopper.objects.all(), rules.FIELDS[field_name].path)


def _distinct(rows: QuerySet[Any], path: str) -> list[str]:
    filled = rows.exclude(**{path: ""}).exclude(**{f"{path}__isnull": True})
    return list(filled.order_by(path).values_list(path, flat=True).distinct()[:MOST_VALUES])


def segment_named(name: str) -> Segment:
    """Return the segment of that name; InputError names the nearest when there is none."""
    return name_rules.named(
        name, Segment.objects.all(), near=_("There is no segment “%(name)s”. Did you mean “%(near)s”?"),
        nothing=_("There is no segment “%(name)s”. Make it first, on the page Segments."),
    )  # fmt: skip
