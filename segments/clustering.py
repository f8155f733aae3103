"""Makes groups of shoppers who are alike: one process at a time, numbers kept from run to run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from mailai.errors import StateError
from segments import clustering_reads, news, writing
from segments.clustering_reads import Buyers
from segments.core import alike, clusters, matching
from segments.core.alike import Scale
from segments.core.clusters import Found
from segments.models import Cluster, Clustering, ClusteringTurn, Profile, ProfileRefresh

logger = logging.getLogger(__name__)
# A process that was killed gives no sign of life; after this long another takes over.
ABANDONED = timedelta(minutes=15)
# With so many times more or fewer shoppers than at the last run, the groups are made anew within the day.
OTHER = 1.2
BLOCK = 50_000
CRITERION = "silhouette"


@dataclass(frozen=True)
class Done:
    """What a run did; ``changed``: profiles that were written."""

    clustering: Clustering
    changed: int
    seconds: float


@dataclass(frozen=True)
class Last:
    """The run before: its clusters by number, and where their centres lie on today's scale, shape (k, n_features)."""

    clusters: list[Cluster]
    centres: np.ndarray | None

    @property
    def numbers(self) -> list[int]:
        """The numbers of the groups."""
        return [one.number for one in self.clusters]


def newest() -> Clustering | None:
    """Return the run whose groups the profiles hold."""
    return Clustering.objects.order_by("-at", "-pk").first()


def is_due(now: datetime | None = None) -> bool:
    """Say whether to make groups: the profiles of the day are there and no groups yet, or the shop became another."""
    midnight = news.windows(now).today
    profiles, last = ProfileRefresh.objects.filter(pk=1).first(), newest()
    if profiles is None or profiles.full_at is None or profiles.full_at < midnight:
        return False
    if last is not None and last.at >= midnight and (profiles.refreshed_at or last.at) <= last.at:
        return False
    n_buyers = Profile.objects.filter(n_orders__gt=0).count()
    if last is None:
        return n_buyers > 0
    return last.at < midnight or not last.n_shoppers / OTHER <= n_buyers <= last.n_shoppers * OTHER


def cluster_shoppers(now: datetime | None = None, *, seed: int = 0) -> Done:
    """Make the groups of all shoppers with an order, and write the numbers that changed.

    Raises
    ------
    StateError : another process is at it.
    """
    started, now = time.perf_counter(), now or timezone.now()
    with _turn() as beat:
        people = clustering_reads.buyers(now)
        beat()
        scale = alike.make_scale(people.figures)
        scores = alike.scaled(people.figures, scale)
        last = _last(scale)
        found = _by_spending(clusters.find(scores, people.ids, before=last.centres, seed=seed), scores, people)
        beat()
        group = clusters.assign(scores, found.centres) if found.n else np.full(len(scores), -1, np.int16)
        numbers, stability = _matched(people, group, found, last)
        changed = _write(people, np.array([*numbers, 0])[group], beat)
        made = _publish(people, group, found, _Kept(scale, numbers, stability, last), now)
    return Done(made, changed, round(time.perf_counter() - started, 1))


@dataclass(frozen=True)
class _Kept:
    """What binds a run to the one before."""

    scale: Scale
    numbers: list[int]
    stability: float | None
    last: Last


@contextmanager
def _turn() -> Iterator[Any]:
    """Be the only one at it; gives a function to call as a sign of life."""
    ClusteringTurn.objects.get_or_create(pk=1)
    mine = timezone.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=mine - ABANDONED)
    if not ClusteringTurn.objects.filter(free, pk=1).update(claimed_at=mine):
        raise StateError("Groups are being made by another process. Try again in a quarter of an hour.")

    def beat() -> None:
        nonlocal mine
        later = timezone.now()
        if not ClusteringTurn.objects.filter(pk=1, claimed_at=mine).update(claimed_at=later):
            raise StateError("Another process took over.")
        mine = later

    try:
        yield beat
    finally:
        ClusteringTurn.objects.filter(pk=1, claimed_at=mine).update(claimed_at=None)


def _last(scale: Scale) -> Last:
    last = newest()
    if last is None:
        return Last([], None)
    rows = list(last.clusters.order_by("number"))
    if not rows:
        return Last([], None)
    old = Scale.from_json(last.scale)
    centres = np.zeros((len(rows), len(scale.names)))
    for place, name in enumerate(scale.names):
        if name in old.mean:
            scores = np.array([one.centre[name]["score"] for one in rows])
            there = old.mean[name] + scores * old.deviation[name]
            centres[:, place] = (there - scale.mean[name]) / scale.deviation[name]
    return Last(rows, centres)


def _by_spending(found: Found, scores: np.ndarray, people: Buyers) -> Found:
    """Put the group that spends most first: the first run numbers them so."""
    if not found.n:
        return found
    spending = _means(people.figures["spending"], clusters.assign(scores, found.centres), found.n)
    order = np.argsort(-np.nan_to_num(spending), kind="stable")
    return Found(found.centres[order], found.tried)


def _means(values: np.ndarray, group: np.ndarray, n: int) -> np.ndarray:
    """Return the mean of each group over those of whom it is known; float array of shape (n,), NaN without one."""
    known = ~np.isnan(values)
    count = np.bincount(group[known], minlength=n).astype(float)
    count[count == 0] = np.nan
    return np.bincount(group[known], weights=values[known], minlength=n) / count


def _matched(people: Buyers, group: np.ndarray, found: Found, last: Last) -> tuple[list[int], float | None]:
    """Return the number of each group, and how far the grouping agrees with the last one."""
    place = {number: index for index, number in enumerate(last.numbers)}
    old = np.full(max([*last.numbers, int(people.cluster.max(initial=0))], default=0) + 1, -1)
    old[list(place)] = list(place.values())
    table = matching.overlaps(old[people.cluster], group, n_old=len(place), n_new=found.n)
    sizes = np.bincount(group[group >= 0], minlength=found.n)
    highest = Cluster.objects.aggregate(n=Max("number"))["n"] or 0
    numbers = matching.numbers(table, last.numbers, sizes, first_free=highest + 1)
    return numbers, matching.adjusted_rand(table) if table.size else None


def _write(people: Buyers, number: np.ndarray, beat: Any) -> int:
    """Write the numbers that changed; 0 = none."""
    at = news.microseconds(timezone.now())
    changed = np.flatnonzero(number != people.cluster)
    for start in range(0, len(changed), BLOCK):
        rows = changed[start : start + BLOCK]
        named = pl.Series(number[rows].astype(np.int64))
        frame = pl.DataFrame({"shopper_id": people.ids[rows], "cluster": named.set(named == 0, None)})
        writing.write_scores(frame, at=at, columns=("cluster",))
        beat()
    # Whose orders were all taken back is in no group any more.
    left = Profile.objects.filter(n_orders=0).exclude(cluster=None).update(cluster=None, updated_at=timezone.now())
    return len(changed) + left


def _publish(people: Buyers, group: np.ndarray, found: Found, kept: _Kept, now: datetime) -> Clustering:
    given = {one.number: one.name for one in kept.last.clusters}
    sizes = np.bincount(group[group >= 0], minlength=found.n)
    centres = _centres(people, group, found, kept.scale)
    traits = matching.traits(found.centres, kept.scale.names)
    stability = None if kept.stability is None else round(kept.stability, 4)
    with transaction.atomic():
        made = Clustering.objects.create(
            n_clusters=found.n, tried=found.tried, criterion=CRITERION, scale=kept.scale.as_json(),
            n_shoppers=len(people.ids), stability=stability, at=now,
        )  # fmt: skip
        Cluster.objects.bulk_create(
            Cluster(
                clustering=made, number=number, traits={"traits": traits[place]}, name=given.get(number, ""),
                size=int(sizes[place]), centre=centres[place],
            )
            for place, number in enumerate(kept.numbers)
        )  # fmt: skip
    return made


def _centres(people: Buyers, group: np.ndarray, found: Found, scale: Scale) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _group in range(found.n)]
    for name, values in people.figures.items():
        for place, mean in enumerate(_means(values, group, found.n) if found.n else ()):
            rows[place][name] = {"mean": None if np.isnan(mean) else round(float(mean), 4)}
    for column, name in enumerate(scale.names):
        for place in range(found.n):
            rows[place][name]["score"] = round(float(found.centres[place, column]), 6)
    return rows
