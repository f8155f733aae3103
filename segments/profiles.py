"""Brings profiles up to date: gathers what shoppers did, makes figures and scores, writes what changed."""

from __future__ import annotations

import functools
import operator
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone

from behaviour.ahead import worked
from behaviour.models import Event, Shop, Shopper
from mailai.errors import StateError
from segments import first_fill, gathering, news, usual, writing
from segments.core import deeds, figures, lifecycle, rfm
from segments.models import Profile, ProfileRefresh

# A process that was killed gives no sign of life; after this long another takes over.
ABANDONED = timedelta(minutes=10)
WAIT_SECONDS, POLL_SECONDS = 600, 0.5
# Above this share of the shoppers one pass over all events is faster than looking for theirs.
EVERYBODY_SHARE = 0.2
FEW = 1000
SCORED_FROM = ("n_orders", "last_order_at", "monetary", "order_gap_days", "price_median")


@dataclass(frozen=True)
class Refreshed:
    """How many profiles were read anew, and how long it took."""

    shoppers: int
    seconds: float


def refresh_profiles(everybody: bool = False, *, now: datetime | None = None, wait: bool = True) -> Refreshed:
    """Bring profiles up to date: of shoppers with news, or of everybody; scores always of the whole shop.

    The result is the same either way, and twice the same: windows begin at the shop's midnight, and when the day, the
    products or an undone upload changed what is old, everybody is read again. Only one process does it at a time;
    `wait=False` comes back at once when another is at it. Raises StateError when it waited in vain.

    Cost: docs/profiles.md and `make bench-profiles`. Memory does not grow with the events, which are put aside on the
    disk, 37 bytes each, and by some 150 bytes with each shopper.
    """
    started = time.perf_counter()
    if not _claim(wait):
        return Refreshed(0, 0.0)
    try:
        n_read = _refresh(everybody, now)
    finally:
        ProfileRefresh.objects.filter(pk=1).update(claimed_at=None)
    return Refreshed(n_read, round(time.perf_counter() - started, 3))


def _refresh(everybody: bool, now: datetime | None) -> int:
    progress = ProfileRefresh.objects.get(pk=1)
    within = news.windows(now)
    # Read before the work: what comes in meanwhile is read again next time.
    seen = {
        "last_event_id": Event.objects.aggregate(n=Max("pk"))["n"] or 0,
        "last_shopper_id": Shopper.objects.aggregate(n=Max("pk"))["n"] or 0,
        "n_shoppers": Shopper.objects.count(),
        "n_removals": Shop.current().n_removals,
    }
    everybody = everybody or news.must_rebuild(progress, within.today)
    unchanged = all(getattr(progress, name) == value for name, value in seen.items())
    if not everybody and unchanged and not news.is_news(progress):
        return 0
    first_fill.end()
    folder = Path(settings.MAILAI_DATA_DIR) / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profiles-", dir=folder) as made:
        if not everybody:
            prices = usual.renew(news.sold_products(progress) if progress.n_removals == seen["n_removals"] else None)
            changed = news.changed_shoppers(progress) | usual.buyers(prices)
            everybody = len(changed) > max(FEW, EVERYBODY_SHARE * seen["n_shoppers"])
        if everybody:
            parts = gathering.Everybody(within, Path(made)).parts()
        else:
            parts = gathering.some(sorted(changed), within, prices)
        n_read = _renew(parts, within, Path(made), everybody=everybody)
    finished = {"refreshed_at": within.now, **({"full_at": within.now} if everybody else {})}
    ProfileRefresh.objects.filter(pk=1).update(**seen, **finished)
    return n_read


def _claim(wait: bool) -> bool:
    ProfileRefresh.objects.get_or_create(pk=1)
    for _turn in range(int(WAIT_SECONDS / POLL_SECONDS) if wait else 1):
        now = timezone.now()
        free = Q(claimed_at=None) | Q(claimed_at__lt=now - ABANDONED)
        if ProfileRefresh.objects.filter(free, pk=1).update(claimed_at=now):
            return True
        if wait:
            time.sleep(POLL_SECONDS)
    if wait:
        raise StateError("Profiles are being refreshed by another process. Try again in ten minutes.")
    return False


def _beat() -> None:
    """Give a sign of life."""
    ProfileRefresh.objects.filter(pk=1).update(claimed_at=timezone.now())


def _renew(parts: Iterable[Any], within: news.Windows, folder: Path, *, everybody: bool) -> int:
    """Make the figures of all parts, then the scores of the whole shop, then write what changed.

    The figures wait on the disk for their scores, so that each row is written once.
    """
    small = []

    def put_aside(part: tuple[int, Any]) -> pl.DataFrame:
        number, (people, found) = part
        made = people.select("shopper", pl.col("pk").alias("shopper_id"))
        made = made.join(figures.figures(found, within.numbers), on="shopper", maintain_order="left").drop("shopper")
        made.write_ipc(folder / f"figures-{number}")
        return made.select("shopper_id", *SCORED_FROM)

    for made in worked(enumerate(parts), put_aside, threads=2):
        small.append(made)
        _beat()
    own = pl.concat(small) if small else pl.DataFrame(schema=dict.fromkeys(("shopper_id", *SCORED_FROM), pl.Int64))
    others = None if everybody else writing.stored_scores(own["shopper_id"].to_list())
    all_of_them = [own] if others is None else [own, others.select(own.columns)]
    scores = _scores(pl.concat(all_of_them, how="vertical_relaxed"), within)
    at, first = news.microseconds(within.now), not Profile.objects.exists()
    if first:
        first_fill.begin(len(own))
    starts = np.cumsum([0, *(len(made) for made in small)])[: len(small)].tolist()

    def read_again(part: tuple[int, int]) -> pl.DataFrame:
        number, start = part
        made = pl.read_ipc(folder / f"figures-{number}")
        (folder / f"figures-{number}").unlink()
        scored = pl.concat([made, scores[start : start + len(made)].drop("shopper_id")], how="horizontal")
        return writing.as_stored(scored, at)

    for stored in worked(enumerate(starts), read_again):
        writing.write_profiles(stored, first=first)
        _beat()
    first_fill.end()
    if others is not None:
        new = scores[len(own) :]
        changed = [~new[name].eq_missing(others[name]) for name in writing.SCORED]
        writing.write_scores(new.filter(functools.reduce(operator.or_, changed)), at=at)
    return len(own)


def _scores(rows: pl.DataFrame, within: news.Windows) -> pl.DataFrame:
    """Return shopper_id and SCORED of the whole shop; scores are null where there is no order, or no price."""
    bought = (rows["n_orders"] > 0).to_numpy()
    # Days up to the end of the shop's today: the stage is the same all day.
    end = news.microseconds(within.today + timedelta(days=1))
    days = ((end - rows["last_order_at"]).cast(pl.Float64) / deeds.DAY).fill_null(np.nan).to_numpy()
    gaps = rows["order_gap_days"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    priced = rows["price_median"].is_not_null().to_numpy()
    prices = rows["price_median"].fill_null(0).to_numpy()
    scored = {
        "recency_score": (bought, rfm.quintile_scores(days[bought], high_is_good=False)),
        "frequency_score": (bought, rfm.quintile_scores(rows["n_orders"].to_numpy()[bought])),
        "monetary_score": (bought, rfm.quintile_scores(rows["monetary"].to_numpy()[bought])),
        "price_band": (priced, rfm.quintile_scores(prices[priced])),
    }
    columns = {name: _placed(*pair) for name, pair in scored.items()}
    stages = lifecycle.stages(rows["n_orders"].to_numpy(), days, lifecycle.thresholds(gaps))
    return rows.select("shopper_id").with_columns(**columns, stage=pl.Series(stages.tolist(), dtype=pl.String))


def _placed(where: np.ndarray, values: np.ndarray) -> pl.Series:
    """Return a column with values where they belong, null elsewhere."""
    whole = np.zeros(len(where), dtype=np.int64)
    whole[where] = values
    return pl.Series(whole).set(pl.Series(~where), None)
