"""Writes what became of segments from day to day: their size, who came, who left, and sudden changes."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone

from behaviour import consent
from behaviour.models import Shop, Shopper
from mailai.accounts import audit
from mailai.errors import InputError
from segments import reading, rules
from segments.core import members, sudden
from segments.models import Segment, SegmentAlert, SegmentMembers, SegmentSize
from segments.rules.references import fingerprint

logger = logging.getLogger(__name__)
# An alert that nobody looked at is old news after so many days.
ALERT_DAYS = 7


def record_sizes(now: datetime | None = None) -> int:
    """Write today's record of each segment that has none yet; return how many were written.

    A record is the size, and who came and left since the record before: the difference of two sets of row ids. Asked
    again, or by two workers at once, it is written once. A segment at a time, in a transaction of its own: reading a
    million ids takes half a second, comparing and packing them a tenth. A segment whose rule can't be read any more
    has no record.
    """
    now = now or timezone.now()
    today = Shop.current().day_of(now)
    missing = list(Segment.objects.exclude(sizes__on=today).select_related("members"))
    if not missing:
        return 0
    context, mailable = rules.Context(now), reading.ids(consent.mailable(Shopper.objects.all()))
    return sum(_recorded(segment, today, context, mailable) for segment in missing)


def forget_removed() -> int:
    """Take shoppers who were removed out of the kept members, once per removal; return how many rows changed."""
    n_removals = Shop.current().n_removals
    stale = list(SegmentMembers.objects.exclude(n_removals=n_removals).values_list("pk", "on", "n_removals"))
    if not stale:
        return 0
    alive = reading.ids(Shopper.everything.all())
    for pk, on, seen in stale:
        row = SegmentMembers.objects.filter(pk=pk, on=on, n_removals=seen).first()
        if row is None:
            continue
        kept = members.unpack(row.ids)
        left = kept[members.living(kept, alive)]
        changes: dict[str, Any] = {"n_removals": n_removals}
        if len(left) < len(kept):
            changes |= {"ids": members.pack(left), "n_gone": row.n_gone + len(kept) - len(left)}
        # A record that was written meanwhile holds nobody who was removed before it.
        SegmentMembers.objects.filter(pk=pk, on=on, n_removals=seen).update(**changes)
    return len(stale)


def open_alerts(now: datetime | None = None, segment: Segment | None = None) -> list[SegmentAlert]:
    """Return the newest alert of each segment that nobody dismissed, of the last seven days, the newest first."""
    today = Shop.current().day_of(now or timezone.now())
    found = SegmentAlert.objects.filter(dismissed_at=None, on__gt=today - timedelta(days=ALERT_DAYS))
    if segment is not None:
        found = found.filter(segment=segment)
    newest: dict[int, SegmentAlert] = {}
    for alert in found.select_related("segment").order_by("-on", "segment__name"):
        newest.setdefault(alert.segment_id, alert)
    return list(newest.values())


def dismiss_alerts(segment: Segment, *, by: Any) -> int:
    """Take a segment's alerts away; return how many there were."""
    n = SegmentAlert.objects.filter(segment=segment, dismissed_at=None).update(
        dismissed_at=timezone.now(), dismissed_by=by
    )
    if n:
        audit.record("segment.dismiss_alert", segment, by=by)
    return n


def _recorded(segment: Segment, today: date, context: rules.Context, mailable: np.ndarray) -> bool:
    # Read first: who is removed after that is taken out by `forget_removed`.
    n_removals = Shop.current().n_removals
    try:
        found = reading.ids(Shopper.objects.filter(rules.condition(segment.rule, context=context)))
        rule_hash = fingerprint(rules.validate(segment.rule), context)
    except InputError:
        logger.warning("segment %s has a rule that can't be read", segment.pk)
        return False
    reached = len(np.intersect1d(found, mailable, assume_unique=True))
    size = SegmentSize(segment=segment, on=today, size=len(found), mailable=reached)
    before: SegmentMembers | None = getattr(segment, "members", None)
    alert = _compare(size, before, found, rule_hash) if before is not None else None
    kept = {
        "on": today, "ids": members.pack(found), "n_members": len(found), "n_gone": 0, "rule_hash": rule_hash,
        "n_removals": n_removals,
    }  # fmt: skip
    try:
        with transaction.atomic():
            size.save(force_insert=True)
            SegmentMembers.objects.update_or_create(segment=segment, defaults=kept)
            if alert is not None:
                alert.save(force_insert=True)
    except IntegrityError:
        logger.info("segment %s was recorded or deleted by another process", segment.pk)
        return False
    return True


def _compare(size: SegmentSize, before: SegmentMembers, found: np.ndarray, rule_hash: str) -> SegmentAlert | None:
    """Fill in who came and left; return an alert where that is far from what is usual."""
    size.rule_changed = rule_hash != before.rule_hash
    if before.on >= size.on and not size.rule_changed:
        # Today's record was written once already, and whom that was compared with is not kept any more.
        return None
    came, left = members.difference(members.unpack(before.ids), found)
    size.came, size.left, size.since = came, left + before.n_gone, before.on
    if size.rule_changed:
        return None
    since = size.on - timedelta(days=sudden.DAYS)
    past = list(SegmentSize.objects.filter(segment=size.segment, on__gte=since, on__lt=size.on).order_by("on"))
    known = sudden.usual(_daily_changes(past))
    days = (size.on - before.on).days
    if known is None or not sudden.is_sudden(size.size - before.n_members, days, before.n_members, known):
        return None
    return SegmentAlert(
        segment=size.segment, on=size.on, size_before=before.n_members, size=size.size, usual=known.median,
        spread=known.spread,
    )  # fmt: skip


def _daily_changes(past: Sequence[SegmentSize]) -> list[float]:
    """Return by how much a segment changed a day between its records; what an edited rule did is left out."""
    pairs = [pair for pair in itertools.pairwise(past) if not pair[1].rule_changed]
    return [(later.size - earlier.size) / (later.on - earlier.on).days for earlier, later in pairs]
