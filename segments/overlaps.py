"""Counts how segments overlap: one statement for all combinations, stopped after two seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Shopper
from mailai.errors import InputError
from segments import counting, rules
from segments.core import members
from segments.models import Sample, Segment, SegmentMembers
from segments.rules.references import fingerprint
from segments.sampling import on_sample
from segments.statements import select

FEWEST, MOST = 2, 6
SLOW_SECONDS = 3600


@dataclass(frozen=True)
class Overlap:
    """Counts by mask (bit i = in the i-th segment); exact, of an earlier moment, or an estimate of the sample."""

    masks: dict[int, int]
    at: datetime
    state: counting.State


def overlap(segments: Sequence[Segment], now: datetime | None = None) -> Overlap:
    """Count every combination of two to six segments that has shoppers.

    One statement: each segment's own select, as for its exact count, put together by shopper and counted by the sum of
    their bits. A million shoppers: docs/segments.md. After two seconds the last exact answer with its time is given,
    else that of the last record, else an estimate of the sample; for an hour nobody waits again.

    Raises
    ------
    InputError : too few or too many segments, or a rule can't be used any more.
    """
    if not FEWEST <= len(segments) <= MOST:
        raise InputError(_("Choose %(fewest)s to %(most)s segments.") % {"fewest": FEWEST, "most": MOST})
    context = rules.Context(now or timezone.now())
    conditions = []
    for segment in segments:
        try:
            conditions.append(rules.condition(segment.rule, context=context))
        except InputError as error:
            raise InputError(
                _("“%(name)s” can't be compared: %(why)s") % {"name": segment.name, "why": error}
            ) from error
    sql, parameters = _statement(conditions)
    prints = [fingerprint(rules.validate(one.rule), context) for one in segments]
    key = f"segment-overlap:{hashlib.sha256(''.join(prints).encode()).hexdigest()}"
    found = _in_time(sql, parameters, f"{key}:slow")
    if found is not None:
        exact = Overlap(found, context.now, counting.State.EXACT)
        cache.set(key, exact, counting.KEPT_SECONDS)
        return exact
    kept: Overlap | None = cache.get(key)
    if kept is not None:
        return Overlap(kept.masks, kept.at, counting.State.OLD)
    return _recorded(segments, prints, context) or _estimated(sql, parameters, context.now)


def _in_time(sql: str, parameters: Sequence[Any], slow: str) -> dict[int, int] | None:
    """Ask within two seconds; who was too slow is not asked again for a while, so that a page doesn't wait in vain."""
    if cache.get(slow):
        return None
    found = counting.in_time(lambda: _asked(sql, parameters), counting.EDITOR_SECONDS)
    if found is None:
        cache.set(slow, True, SLOW_SECONDS)
    return found


def _statement(conditions: Sequence[Any]) -> tuple[str, list[Any]]:
    selects: list[str] = []
    parameters: list[Any] = []
    for place, fits in enumerate(conditions):
        asked = select(Shopper.objects.filter(fits).order_by().values_list("pk"))
        if asked is None:
            continue
        selects.append(f"SELECT s{place}.pk AS id, {1 << place} AS bit FROM ({asked[0]}) s{place}")  # noqa: S608 made by the ORM
        parameters += asked[1]
    if not selects:
        return "", []
    each = f"SELECT id, SUM(bit) AS mask FROM ({' UNION ALL '.join(selects)}) e GROUP BY id"  # noqa: S608 as above
    return f"SELECT mask, COUNT(*) FROM ({each}) m GROUP BY mask", parameters  # noqa: S608 as above


def _asked(sql: str, parameters: Sequence[Any]) -> dict[int, int]:
    if not sql:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return {int(mask): int(n) for mask, n in cursor.fetchall()}


def _recorded(segments: Sequence[Segment], prints: Sequence[str], context: rules.Context) -> Overlap | None:
    """Return the answer of the last record, where all were recorded on one day by the rules of now: none is asked."""
    rows = {one.segment_id: one for one in SegmentMembers.objects.filter(segment__in=segments)}
    kept = [rows[one.pk] for one in segments if one.pk in rows]
    if [one.rule_hash for one in kept] != list(prints) or len({one.on for one in kept}) > 1:
        return None
    at = datetime.combine(kept[0].on, datetime.min.time(), tzinfo=context.zone)
    return Overlap(members.masks([members.unpack(one.ids) for one in kept]), at, counting.State.OLD)


def _estimated(sql: str, parameters: Sequence[Any], at: datetime) -> Overlap:
    sample = Sample.objects.filter(pk=1, n_sampled__gt=0).first()
    found = counting.in_time(lambda: _asked(on_sample(sql), parameters), counting.EDITOR_SECONDS) if sample else None
    if sample is None or found is None:
        return Overlap({}, at, counting.State.FAILED)
    share = sample.n_shoppers / sample.n_sampled
    return Overlap({mask: round(n * share) for mask, n in found.items()}, at, counting.State.ESTIMATE)
