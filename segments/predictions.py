"""Runs the predictions: one process at a time, and the last good ones serve until new ones are whole."""

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from behaviour import bulk
from behaviour.ahead import one_ahead
from behaviour.models import Event, Shop, Upload
from mailai.errors import StateError
from segments import activity_reads, order_reads, prediction_store, track_record
from segments.core import backtest, categories, forecast, year_ahead
from segments.core.forecast import Forecast, Lesson
from segments.core.order_book import known_at
from segments.models import PredictionRun
from segments.order_reads import Bought

logger = logging.getLogger(__name__)
# A process that was killed gives no sign of life; after this long another takes over.
ABANDONED = timedelta(minutes=15)
# After a failure the task lets the shop rest; a person with the command may try at once.
REST = timedelta(hours=6)
# Shoppers whose next order tells how well categories are told.
CATEGORY_SAMPLE = 5_000
STATE = PredictionRun.State
STOPPED = gettext_noop("The process was stopped.")


@dataclass(frozen=True)
class Told:
    """The next category of every shopper; arrays of shape (n,), -1 = none."""

    names: list[str]
    category: np.ndarray
    chance: np.ndarray
    lean: float
    table: dict[str, dict[str, float]]


def latest() -> PredictionRun | None:
    """Return the run whose predictions serve."""
    return PredictionRun.objects.filter(state=STATE.DONE).order_by("-pk").first()


def is_due(now: datetime | None = None) -> bool:
    """Say whether there is something to predict anew: a new day of the shop, or orders that a file brought or took."""
    now = now or timezone.now()
    if PredictionRun.objects.filter(state=STATE.FAILED, finished_at__gte=now - REST).exists():
        return False
    last = latest()
    if last is None:
        return Event.objects.filter(kind=Event.Kind.PURCHASE).exists()
    midnight = now.astimezone(Shop.current().zone).replace(hour=0, minute=0, second=0, microsecond=0)
    files = Upload.objects.filter(
        state__in=(Upload.State.DONE, Upload.State.UNDONE), finished_at__gte=last.as_of, kind=Upload.Kind.EVENTS
    )
    return last.as_of < midnight or files.exists()


def predict(now: datetime | None = None, *, seed: int = 0) -> PredictionRun:
    """Predict for every shopper with an order.

    Raises
    ------
    StateError : another process is at it.

    Any other error leaves the run failed and the predictions of the last good one where they are.
    """
    run = _claim(now or timezone.now())
    started = time.perf_counter()
    try:
        with bulk.long_read():
            _work(run, started, seed)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:300]
        PredictionRun.objects.filter(pk=run.pk, state=STATE.RUNNING).update(
            state=STATE.FAILED, error=text, finished_at=timezone.now(), claimed_at=None
        )
        raise
    run.refresh_from_db()
    return run


def _claim(now: datetime) -> PredictionRun:
    """Make the run; the database lets only one be under way."""
    abandoned = PredictionRun.objects.filter(state=STATE.RUNNING).filter(
        Q(claimed_at=None) | Q(claimed_at__lt=timezone.now() - ABANDONED)
    )
    abandoned.update(state=STATE.FAILED, error=STOPPED, claimed_at=None)
    try:
        with transaction.atomic():
            return PredictionRun.objects.create(as_of=now, claimed_at=timezone.now())
    except IntegrityError as error:
        raise StateError("Predictions are being made by another process. Try again in a quarter of an hour.") from error


def _work(run: PredictionRun, started: float, seed: int) -> None:
    def beat() -> None:
        alive = PredictionRun.objects.filter(pk=run.pk, state=STATE.RUNNING).update(claimed_at=timezone.now())
        if not alive:
            raise StateError("Another process took over.")

    at = order_reads.day_number(run.as_of)
    bought = order_reads.read_bought(run.as_of)
    beat()
    book, told = bought.book, _next_categories(bought, at, seed)
    # Its lines would lie beside all that follows.
    del bought
    beat()
    seen = activity_reads.Activity(backtest.moments(book, at), book.shoppers)
    beat()
    lesson = forecast.study(book, at, activity_of=seen.of, seed=seed, beat=beat)
    made = forecast.predict(book, at, lesson, activity_of=seen.of, beat=beat)
    today = Shop.current().day_of(run.as_of)
    names: list[str] = []
    with prediction_store.beside():
        made_rows = prediction_store.frames(made, told.names, told.category, told.chance, run_id=run.pk, today=today)
        # The next rows are made while the database takes these.
        for rows in one_ahead(made_rows):
            prediction_store.write(rows)
            names = rows.columns
            beat()
        year = year_ahead.tried(book, at, seed=seed)
        beat()
        expected = forecast.totals(made, lesson)
        metrics = _metrics(lesson, told, made) | {
            "expected": _plain({name: list(row) for name, row in expected.items()}),
            "year": _plain(year | ({"at": order_reads.moment_of(year["at"]).isoformat()} if year else {})),
            "years": round((at - book.span[0]) / year_ahead.YEAR, 2) if len(book.day) else 0.0,
        }
        past = track_record.outcomes(book, at)
        with transaction.atomic():
            n_shoppers = prediction_store.publish(names)
            track_record.note(run, expected)
            track_record.fill(past)
            mine = PredictionRun.objects.filter(pk=run.pk, state=STATE.RUNNING)
            finished = mine.update(
                state=STATE.DONE, n_shoppers=n_shoppers, n_orders=len(book.day), metrics=metrics, claimed_at=None,
                chosen=lesson.chosen | {"category": categories.OWN if told.lean < 1e8 else categories.POPULAR},
                parameters=forecast.parameters(lesson) | {"category_lean": told.lean},
                finished_at=timezone.now(), seconds=round(time.perf_counter() - started, 1),
            )  # fmt: skip
            if not finished:
                raise StateError("Another process took over.")


def _next_categories(bought: Bought, at: float, seed: int) -> Told:
    """Choose how far a shopper's own habits are trusted, then tell the next category of everybody who ordered."""
    known, names = known_at(bought.book, at), bought.names
    if not names or not len(known.n):
        return Told([], np.full(len(known.n), -1), np.full(len(known.n), np.nan), 1.0, {})
    lean, table = _tried_categories(bought, at, seed)
    ids = bought.book.shoppers[known.buyer]
    category, chance = categories.next_category(order_reads.habits(bought, ids, known.n), lean)
    return Told(names, category, chance, lean, table)


def _tried_categories(bought: Bought, at: float, seed: int) -> tuple[float, dict[str, dict[str, float]]]:
    """Try the categories on the first orders since the last window began, of a sample of shoppers."""
    book, start = bought.book, at - backtest.window_of(bought.book, at)
    before, after = known_at(book, start), np.unique(book.shopper[(book.day >= start) & (book.day < at)])
    both = np.intersect1d(before.buyer, after)
    if not len(both):
        return 1.0, {}
    if len(both) > CATEGORY_SAMPLE:
        both = np.sort(np.random.default_rng(seed).choice(both, CATEGORY_SAMPLE, replace=False))
    ids = book.shoppers[both]
    lines = bought.held.filter(pl.col("shopper").is_in(ids))
    old = pl.col("at") < start * order_reads.DAY
    n_orders = before.n[np.searchsorted(before.buyer, both)]
    habits = order_reads.habits(replace(bought, held=lines.filter(old)), ids, n_orders)
    held, tested = _first_orders(lines.filter(~old).to_numpy(), ids, len(bought.names))
    return categories.choose_lean(habits, held, tested) if len(tested) else (1.0, {})


def _first_orders(lines: np.ndarray, ids: np.ndarray, n_categories: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the first order of each shopper held, bool array (n_tested, n_categories), and who they are."""
    who = np.searchsorted(ids, lines[:, 0])
    first = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(first, who, lines[:, 2])
    mine = lines[:, 2] == first[who]
    held = np.zeros((len(ids), n_categories), bool)
    held[who[mine], lines[mine, 1]] = True
    tested = np.flatnonzero(held.any(axis=1))
    return held[tested], tested


def _metrics(lesson: Lesson, told: Told, made: Forecast) -> dict[str, Any]:
    """Return the figures of the model card as plain JSON values."""
    metrics = dict(lesson.metrics)
    starts = [order_reads.moment_of(day).isoformat() for day in metrics.pop("starts")]
    metrics |= {"split_at": starts[0] if starts else None, "rounds": starts, "drivers": forecast.importance(made)}
    metrics["targets"] = metrics["targets"] | {"category": told.table}
    for row in metrics["totals"]:
        row["at"] = order_reads.moment_of(row["at"]).isoformat()
    return _plain(metrics)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return round(float(value), 6) if isinstance(value, float | np.floating) else value
