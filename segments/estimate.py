"""How many fit a rule, at once: an estimate from the fixed sample, with its interval."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, Value
from django.utils import timezone

from behaviour.models import Shopper
from segments import rules
from segments.core.intervals import hits_range
from segments.models import Sample
from segments.sampling import on_sample
from segments.statements import select

# Below so many found in the sample the interval is wider than a tenth: the exact count is quick then, wait for it.
ENOUGH_HITS = 400


@dataclass(frozen=True)
class Estimate:
    """How many fit; `low` and `high` hold the true number at least 95 times of 100. An exact one equals both."""

    count: int
    low: int
    high: int
    exact: bool
    seconds: float
    hits: int = 0

    @property
    def rough(self) -> bool:
        """Whether the interval is so wide that one should wait for the exact count."""
        return not self.exact and self.hits < ENOUGH_HITS


def estimate(rule: Any, now: datetime | None = None) -> Estimate:
    """Return how many fit a rule; exact where the shop is small. InputError when the rule can't be used."""
    return estimates({"": rule}, now)[""]


def estimates(asked: Mapping[str, Any], now: datetime | None = None) -> dict[str, Estimate]:
    """Return how many fit each of these rules, by one statement."""
    started = time.perf_counter()
    context, sample = rules.Context(now or timezone.now()), Sample.objects.filter(pk=1).first()
    found = [rules.condition(rule, context=context) for rule in asked.values()]
    sampled = sample is not None and sample.n_sampled > 0
    hits = _hits(found, sampled=sampled)
    seconds = round(time.perf_counter() - started, 4)
    return {
        name: _from_sample(hits.get(number, 0), sample, seconds)
        if sample is not None and sampled
        else _exact(hits.get(number, 0), seconds)
        for number, name in enumerate(asked)
    }


def _exact(count: int, seconds: float) -> Estimate:
    return Estimate(count, count, count, exact=True, seconds=seconds, hits=count)


def _from_sample(hits: int, sample: Sample, seconds: float) -> Estimate:
    low, high = hits_range(hits, sample.n_sampled, sample.n_shoppers)
    count = round(hits / sample.n_sampled * sample.n_shoppers)
    return Estimate(count, math.floor(low), math.ceil(high), exact=False, seconds=seconds, hits=hits)


def _hits(found: list[Q], *, sampled: bool) -> dict[int, int]:
    statements: list[str] = []
    parameters: list[Any] = []
    for number, fits in enumerate(found):
        counted = Shopper.objects.filter(fits).order_by().annotate(which=Value(number)).values("which")
        asked = select(counted.annotate(n=Count("pk")))
        if asked is None:
            continue
        statements.append(on_sample(asked[0]) if sampled else asked[0])
        parameters += asked[1]
    if not statements:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), parameters)
        return dict(cursor.fetchall())
