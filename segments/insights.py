"""What is good to know of a segment before it is mailed: when they are there, what they buy, whom they overlap with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Avg, Case, Q, QuerySet, SmallIntegerField, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from behaviour.models import Shopper
from mailai.errors import InputError
from mailai.ui import numbers
from segments import rules
from segments.models import Sample, Segment
from segments.sampling import on_sample
from segments.statements import select

# Below so many shoppers of whom something is known, a share says nothing.
FEWEST = 20
# So many of the newest segments are compared with.
N_COMPARED = 8
ON_SALE, OFTEN, WORTH_SAYING = 0.6, 0.3, 0.1
SATURDAY, N_BANDS_A_DAY = 5, 4
COLUMNS = {
    "weekday": "profile__best_weekday", "hour": "profile__best_hour", "category": "profile__favourite_category",
    "sale": "profile__discount_share", "chance": "prediction__order_chance",
}  # fmt: skip
BANDS: tuple[tuple[Any, ...], ...] = (
    (
        gettext_lazy("weekday nights"), gettext_lazy("weekday mornings"),
        gettext_lazy("weekday afternoons"), gettext_lazy("weekday evenings"),
    ),
    (
        gettext_lazy("weekend nights"), gettext_lazy("weekend mornings"),
        gettext_lazy("weekend afternoons"), gettext_lazy("weekend evenings"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Overlap:
    """Another segment that many of them are in too."""

    segment: Segment
    n: int


@dataclass(frozen=True)
class Insights:
    """Sentences about a segment, and with which other one it overlaps most; ``about``: drawn from the sample."""

    said: list[str] = field(default_factory=list)
    overlap: Overlap | None = None
    about: bool = False


def insights(segment: Segment, now: datetime | None = None) -> Insights:
    """Return what is good to know of a segment.

    Two statements over at most 20,000 shoppers: all of a small shop, the sample of a large one; each rule is asked
    once.
    """
    context = rules.Context(now or timezone.now())
    try:
        them = Shopper.objects.filter(rules.condition(segment.rule, context=context)).order_by()
    except InputError:
        return Insights()
    sample = Sample.objects.filter(pk=1, n_sampled__gt=0).first()
    others = _others(segment, context)
    flags = {
        f"in_{pk}": Case(When(fits, then=1), default=0, output_field=SmallIntegerField())
        for pk, (_one, fits) in others.items()
    }
    rows = _rows(them.annotate(**flags).values_list(*COLUMNS.values(), *flags), sampled=sample is not None)
    if len(rows) < FEWEST:
        return Insights()
    columns = dict(zip((*COLUMNS, *others), zip(*rows, strict=True), strict=True))
    said = [
        _when(columns["weekday"], columns["hour"]),
        _category(columns["category"]),
        _sale(columns["sale"]),
        _chance(columns["chance"], sampled=sample is not None),
    ]
    counts = {pk: sum(columns[pk]) for pk in others}
    return Insights([one for one in said if one], _overlap(others, counts, len(rows), sample), sample is not None)


def _others(segment: Segment, context: rules.Context) -> dict[int, tuple[Segment, Q]]:
    found = {}
    for one in Segment.objects.exclude(pk=segment.pk).order_by("-updated_at", "-pk")[:N_COMPARED]:
        with suppress(InputError):
            found[one.pk] = (one, rules.condition(one.rule, context=context))
    return found


def _rows(asked: QuerySet[Any, Any], *, sampled: bool) -> list[tuple[Any, ...]]:
    statement = select(asked)
    if statement is None:
        return []
    sql, values = statement
    with connection.cursor() as cursor:
        cursor.execute(on_sample(sql) if sampled else sql, values)
        return cursor.fetchall()


def _when(weekdays: Sequence[int | None], hours: Sequence[int | None]) -> str:
    known = [(day, hour) for day, hour in zip(weekdays, hours, strict=True) if day is not None and hour is not None]
    if len(known) < FEWEST:
        return ""
    bands = Counter((int(day >= SATURDAY), hour * N_BANDS_A_DAY // 24) for day, hour in known)
    (weekend, part), n = bands.most_common(1)[0]
    words = {"when": BANDS[weekend][part], "share": numbers.percent(n / len(known))}
    return _("They are here most on %(when)s: that is the best time for %(share)s of them.") % words


def _category(liked: Sequence[str | None]) -> str:
    # The first part of the path: fine categories are so many that hardly one is liked by a tenth.
    known = [one.split(" > ", 1)[0] for one in liked if one]
    if len(known) < FEWEST:
        return ""
    name, n = Counter(known).most_common(1)[0]
    if n / len(known) < WORTH_SAYING:
        return ""
    return _("%(share)s spend most on %(category)s.") % {"share": numbers.percent(n / len(known)), "category": name}


def _sale(shares: Sequence[float | None]) -> str:
    known = [one for one in shares if one is not None]
    if len(known) < FEWEST:
        return ""
    often = sum(one >= ON_SALE for one in known) / len(known)
    if often >= OFTEN:
        return _("%(share)s buy mostly below the usual price.") % {"share": numbers.percent(often)}
    said = _("Few of them wait for a sale: %(share)s buy mostly below the usual price.")
    return said % {"share": numbers.percent(often)}


def _chance(chances: Sequence[float | None], *, sampled: bool) -> str:
    known = [one for one in chances if one is not None]
    if len(known) < FEWEST:
        return ""
    predicted = Shopper.objects.order_by().filter(prediction__order_chance__isnull=False)
    everybody = predicted.values_list(Value(1)).annotate(mean=Avg("prediction__order_chance"))
    ((_one, of_all),) = _rows(everybody, sampled=sampled)
    words = {"theirs": numbers.percent(sum(known) / len(known)), "all": numbers.percent(of_all)}
    return _("Their chance to order within 30 days is %(theirs)s on average, that of all shoppers %(all)s.") % words


def _overlap(
    others: Mapping[int, tuple[Segment, Q]], counts: Mapping[int, int], n_all: int, sample: Sample | None
) -> Overlap | None:
    """Return the segment that most of them are in too; one that all of them are in says nothing new."""
    pk, n = max(
        ((pk, n) for pk, n in counts.items() if n < n_all), key=lambda row: (row[1], -row[0]), default=(0, 0)
    )  # fmt: skip
    if not n:
        return None
    return Overlap(others[pk][0], round(n / sample.n_sampled * sample.n_shoppers) if sample else n)
