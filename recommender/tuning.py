"""Searching better settings of an algorithm for this shop: asked for, tried one by one, taken up again, judged."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import nan
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.accounts import audit
from mailai.errors import InputError, MailAIError, StateError
from recommender import queries
from recommender.claimed import MAX_TRIES, Claimed, take_up
from recommender.core.algorithms import ALGORITHMS, AUTOMATIC, BASELINE, create
from recommender.core.intervals import bootstrap
from recommender.core.rehearsal import Rehearsal, marks, n_shoppers, rehearsal
from recommender.core.splitting import split_by_time
from recommender.core.tuning import Trial as Tried
from recommender.core.tuning import best, proposed
from recommender.models import Trial, Tuning
from recommender.promotion import MIN_TEST_SHOPPERS
from recommender.reading import read_shop
from recommender.said import TOO_FEW_TO_TUNE, TUNING_LEFT
from recommender.sharing import TEST_SHARE

logger = logging.getLogger(__name__)
K = 10
# More tries than this gain less than the noise of the rehearsal, whatever the budget.
MOST_TRIALS = 60
# What was found and the defaults are fitted once more in the end, for the shoppers who judge.
JUDGED = 2
# A worker gives way to others after this long, or after ten times what reading the shop took it, but no later than the
# last: a task is ended by force after 50 minutes.
TURN_SECONDS, READINGS, LONGEST_TURN = 60.0, 10, 1500.0
# What was read longer ago is read again: shoppers may have been erased meanwhile.
FRESH_SECONDS = 1800.0
LEAST_SECONDS, MOST_SECONDS = 1.0, 240 * 60.0
# By itself MailAI tunes once a week, the live algorithm and so many of the best others, those for which the events have
# become a twentieth more since the last time.
WEEK, N_CHALLENGERS, GROWTH = timedelta(days=7), 3, 1.05
N_EVENTS, DAY_SECONDS = "events-to-tune-on", 86_400
Told = Callable[[Trial], None]
# The rehearsal of the search that this process worked on last, and when it was read.
_kept: dict[int, tuple[Rehearsal, float]] = {}


def unheard(trial: Trial) -> None:
    """Tell nobody."""


def tunable() -> list[str]:
    """Return the algorithms that have settings to search; the baseline stays what everybody must beat."""
    return [name for name, cls in ALGORITHMS.items() if cls.space and name != BASELINE]


def request_tuning(algorithm: str, seconds: float, *, by: Any = None, seed: int = 0, by_itself: bool = False) -> Tuning:
    """Queue a search and return it; where one of this algorithm waits or runs already, that one.

    Raises
    ------
    InputError : there is no such algorithm, it has no settings to search, or the budget makes no sense.
    StateError : there is nothing to learn from.
    """
    if algorithm not in tunable():
        text = _("There is nothing to tune in %(name)s. Choose one of: %(known)s.")
        raise InputError(text % {"name": algorithm, "known": ", ".join(tunable())})
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        text = _("Give tuning between 1 second and %(most)s minutes.")
        raise InputError(text % {"most": f"{MOST_SECONDS / 60:.0f}"})
    if not queries.telling_events().exists():
        raise StateError(_("There is nothing to learn from yet. Upload orders first."))
    in_use = queries.tuned(algorithm)
    first = [{}, in_use.trials.get(number=in_use.found["number"]).params] if in_use else [{}]
    try:
        with transaction.atomic():
            tuning = Tuning.objects.create(
                algorithm=algorithm, budget=seconds, seed=seed, first=first, requested_by=by, by_itself=by_itself
            )
            audit.record("recommender.tune", tuning, by=by, algorithm=algorithm, seconds=seconds)
    except IntegrityError:
        return queries.unfinished_tunings().get(algorithm=algorithm)
    return tuning


def end(tuning: Tuning, by: Any) -> None:
    """Let a search make no further try: what it found so far is judged, by the worker that has it or by the next one.

    Raises
    ------
    StateError : it has ended.
    """
    with transaction.atomic():
        if not queries.unfinished_tunings().filter(pk=tuning.pk).update(budget=0):
            raise StateError(_("This tuning has ended already."))
        audit.record("recommender.end_tuning", tuning, by=by, algorithm=tuning.algorithm)


def tune(tuning_id: int, turn: int | None = None, *, to_the_end: bool = False, told: Told = unheard) -> Tuning:
    """Work on a queued search for a turn, or to its end; run twice, or by two workers, each try is made once.

    It is done, or it waits for its next turn. Stored tries are given back to the search, so that it goes on where it
    was, with what is left of the budget. With ``turn`` it does nothing if that turn was taken already: however many
    messages ask for it while workers are busy, emails and trainings get theirs in between.
    """
    tuning = Tuning.objects.get(pk=tuning_id)
    work = Claimed(tuning)
    if turn not in (None, tuning.turns) or not work.begin(turns=tuning.turns + 1):
        return tuning
    try:
        _tune(work, to_the_end, told)
    except MailAIError as error:
        work.fail(str(error))
    except Exception:
        logger.exception("Tuning %s failed", tuning.uuid)
        work.fail(_("Tuning stopped with an error that nobody expected. Trainings go on with the settings they have."))
    except BaseException:
        # Ctrl-C: whoever comes next goes on.
        work.give_way()
        raise
    tuning.refresh_from_db()
    if tuning.state != Tuning.State.QUEUED:
        _kept.pop(tuning.pk, None)
    return tuning


def _tune(work: Claimed, to_the_end: bool, told: Told) -> None:
    tuning: Tuning = work.row
    began = time.monotonic()
    parts = _rehearsal(work)
    turn = min(max(TURN_SECONDS, READINGS * (time.monotonic() - began)), LONGEST_TURN)
    # A try that its worker did not survive is made again; the same settings are proposed.
    tuning.trials.filter(state=Trial.State.RUNNING).delete()
    trials = [Tried(one.params, nan if one.ndcg is None else one.ndcg, one.seconds) for one in tuning.trials.all()]
    began, known = time.monotonic(), len(trials)
    while _pays(tuning, trials):
        # A turn makes one try at least, however short it is.
        if not to_the_end and len(trials) > known and time.monotonic() - began > turn:
            work.give_way()
            return
        row = _try(work, parts, trials)
        trials.append(Tried(row.params, nan if row.ndcg is None else row.ndcg, row.seconds))
        told(row)
        tuning.refresh_from_db(fields=["budget"])
    _judge(work, parts, trials)


def _rehearsal(work: Claimed) -> Rehearsal:
    """Read what happened until the search was asked for, so that all its tries are made on the same."""
    tuning: Tuning = work.row
    parts, read_at = _kept.get(tuning.pk, (None, 0.0))
    if parts is not None and time.monotonic() - read_at < FRESH_SECONDS:
        return parts
    _kept.clear()
    shop = read_shop(tuning.created_at, work.beat)
    parts = rehearsal(shop.log, split_by_time(shop.log, TEST_SHARE), k=K, seed=tuning.seed, catalogue=shop.catalogue)
    n, judges = n_shoppers(parts.searched), n_shoppers(parts.judged)
    work.update(n_shoppers=n, n_judges=judges, n_events=int(shop.log.liked.sum()), demo=shop.demo)
    if min(n, judges) < MIN_TEST_SHOPPERS:
        raise StateError(TOO_FEW_TO_TUNE % {"n": n + judges, "needed": 2 * MIN_TEST_SHOPPERS})
    _kept[tuning.pk] = (parts, time.monotonic())
    return parts


def _pays(tuning: Tuning, trials: Sequence[Tried]) -> bool:
    """Say whether the budget pays for one more try and for the judgement; the defaults are always tried."""
    if not trials or len(trials) >= MOST_TRIALS:
        return not trials
    spent = sum(trial.seconds for trial in trials)
    return spent + (1 + JUDGED) * spent / len(trials) <= tuning.budget


def _try(work: Claimed, parts: Rehearsal, trials: Sequence[Tried]) -> Trial:
    tuning: Tuning = work.row
    params = proposed(tuning.algorithm, trials, tuning.seed, tuning.first)
    with transaction.atomic():
        work.update()
        row = Trial.objects.create(tuning=tuning, number=len(trials), params=params)
    began = time.monotonic()
    try:
        ndcg = bootstrap(marks(create(tuning.algorithm, params), parts.searched, work.beat), tuning.seed)
        row.ndcg, row.low, row.high = ndcg["value"], ndcg["low"], ndcg["high"]
        row.state = Trial.State.DONE
    except MailAIError:
        raise
    except Exception as error:
        if not trials:
            raise
        logger.exception("Try %s of tuning %s failed", row.number, tuning.uuid)
        row.state, row.error = Trial.State.FAILED, f"{type(error).__name__}: {error}"[:300]
    row.seconds = round(time.monotonic() - began, 3)
    with transaction.atomic():
        work.update()
        row.save()
    return row


def _judge(work: Claimed, parts: Rehearsal, trials: Sequence[Tried]) -> None:
    """Compare what was found with the defaults, shopper by shopper, on those whom the search did not see."""
    tuning: Tuning = work.row
    found = best(trials)
    number = next(n for n, trial in enumerate(trials) if trial is found)
    told: dict[str, Any] = {"number": number}
    if number:
        models = (create(tuning.algorithm, params) for params in (found.params, {}))
        ours, defaults = (marks(model, parts.judged, work.beat) for model in models)
        told |= bootstrap(ours - defaults, tuning.seed)
    work.update(
        found=told, adopted=told.get("low", 0.0) > 0, state=Tuning.State.DONE, finished_at=timezone.now(),
    )  # fmt: skip


def sweep() -> list[tuple[int, int]]:
    """Queue again what a dead worker left, give up after three times, and return what should be worked on now."""
    take_up(Tuning, TUNING_LEFT % {"n": MAX_TRIES})
    return next_one()


def next_one() -> list[tuple[int, int]]:
    """Return (id, turn) of the search that is next, or nothing: one at a time, so that workers are left for emails."""
    unfinished = queries.unfinished_tunings()
    if unfinished.filter(state=Tuning.State.RUNNING).exists():
        return []
    return list(unfinished.values_list("pk", "turns")[:1])


def candidates() -> list[str]:
    """Return the live algorithm and the best others, those that can be tuned; before any training, those of a night."""
    live, known = queries.serving_run(), tunable()
    order = [*([live.algorithm] if live else []), *(run.algorithm for run in queries.leaderboard())]
    ranked = [name for name in dict.fromkeys(order) if name in known]
    if live and live.algorithm in known:
        return ranked[: N_CHALLENGERS + 1]
    return ranked[:N_CHALLENGERS] or [name for name in AUTOMATIC if name in known]


def request_weekly() -> list[tuple[int, int]]:
    """Once a week queue searches for those whose events have grown; they share MAILAI_TUNING_MINUTES."""
    seconds = settings.MAILAI_TUNING_MINUTES * 60.0
    lately = Tuning.objects.filter(by_itself=True, created_at__gt=timezone.now() - WEEK)
    if not seconds or lately.exists() or not queries.serving_run():
        return next_one()
    # After a quiet week this is asked every hour, and counting the events of a large shop takes long.
    n_events = cache.get_or_set(N_EVENTS, queries.telling_events().count, DAY_SECONDS) or 0
    due = [name for name in candidates() if n_events >= GROWTH * queries.events_of_last_tuning(name)]
    for name in due:
        request_tuning(name, min(seconds / len(due), MOST_SECONDS), by_itself=True)
    return next_one()
