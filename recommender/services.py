"""The doors of this room: ask for a training, run it, sweep what was left behind, promote, pick products."""

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Upload
from mailai.accounts import audit
from mailai.errors import InputError, StateError
from recommender import queries
from recommender.claimed import MAX_TRIES, take_up
from recommender.core.algorithms import ALGORITHMS, AUTOMATIC, COMPOSITES
from recommender.models import TrainingRun
from recommender.promotion import promote
from recommender.said import TRAINING_LEFT
from recommender.serving import top_products
from recommender.teamwork import Call, help_with, nobody, take_up_blocks, tidy
from recommender.training import train
from recommender.words import name_of

__all__ = [
    "champion",
    "give_up",
    "help_with",
    "promote",
    "request_training",
    "sweep",
    "top_products",
    "train",
    "train_with_siblings",
]

AUTO, ALL = "auto", "all"
# After this long a worker that trains begins no further run of the request by itself: emails want a turn.
BURST_SECONDS = 60.0


def champion() -> TrainingRun | None:
    """Return the run that picks the products now."""
    return queries.serving_run()


def request_training(algorithm: str = AUTO, by: Any = None, seed: int = 0) -> TrainingRun:
    """Queue a training and return its run, the last one of several.

    "auto" queues what is trained by itself, baseline first, and the live algorithm; "all" queues every algorithm. What
    waits already is not queued twice: it joins this request, and learns from what happened since it was asked for.

    Raises
    ------
    InputError : there is no such algorithm.
    StateError : there is nothing to learn from.
    """
    names = asked_for(algorithm)
    if not queries.telling_events().exists():
        raise StateError(_("There is nothing to learn from yet. Upload orders first."))
    # The runs of one request have this moment in common, and share what they read (recommender.sharing).
    at = timezone.now()
    with transaction.atomic():
        unfinished = {run.algorithm: run for run in queries.unfinished_runs()}
        queries.unfinished_runs().filter(state=TrainingRun.State.QUEUED, seed=seed).update(created_at=at)
        for name in names:
            if name not in unfinished:
                run = TrainingRun.objects.create(algorithm=name, seed=seed, requested_by=by, created_at=at)
                unfinished[name] = run
                audit.record("recommender.train", run, by=by, algorithm=name)
    return unfinished[names[-1]]


def asked_for(algorithm: str) -> list[str]:
    """Return the algorithms that a request means, in the order of their trainings.

    Raises
    ------
    InputError : there is no such algorithm.
    """
    known = [*ALGORITHMS, *COMPOSITES]
    if algorithm == ALL:
        return known
    if algorithm == AUTO:
        live = champion()
        # A model that somebody chose stays fresh, whatever it is.
        return list(dict.fromkeys([*AUTOMATIC, *([live.algorithm] if live and live.algorithm in known else [])]))
    if algorithm in known:
        return [algorithm]
    text = _("There is no algorithm %(name)s. Choose one of: %(known)s.")
    raise InputError(text % {"name": algorithm, "known": ", ".join([AUTO, ALL, *known])})


def choices_to_train() -> list[tuple[str, str]]:
    """Return what a person may ask to be trained, with its name: several at once, or one algorithm."""
    several = [(AUTO, _("What every night trains")), (ALL, _("All algorithms"))]
    return [*several, *((name, name_of(name)) for name in (*ALGORITHMS, *COMPOSITES))]


def train_with_siblings(run_id: int, call: Call = nobody) -> None:
    """Train a run, and then what waits of the same request: this process has read the shop already.

    Several workers may do so at once; each run is trained by one of them, with the help of those that are called.
    """
    began = time.monotonic()
    run = train(run_id, call)
    while time.monotonic() - began < BURST_SECONDS:
        waiting = queries.waiting_with(run).first()
        if waiting is None:
            return
        train(waiting.pk, call)


def request_nightly_training() -> list[int]:
    """Queue the trainings of every night if something happened since the last one; return the ids of what waits."""
    newest = TrainingRun.objects.filter(state=TrainingRun.State.DONE).first()
    events = queries.telling_events()
    if newest and newest.data_to and not events.filter(at__gt=newest.data_to + timedelta(seconds=1)).exists():
        return []
    if not newest and not events.exists():
        return []
    request_training()
    return waiting_runs()


def request_wished_training() -> None:
    """Queue a training for imports that are done and whose uploader wished it; each wish counts once.

    A training that runs right now may have read the events before; the wish waits for its end.
    """
    wishing = list(Upload.objects.filter(state=Upload.State.DONE, preview__train=True))
    if not wishing or queries.unfinished_runs().filter(state=TrainingRun.State.RUNNING).exists():
        return
    with suppress(StateError):
        request_training(by=wishing[0].created_by)
    for upload in wishing:
        Upload.objects.filter(pk=upload.pk).update(preview=upload.preview | {"train": "asked"})


def waiting_runs() -> list[int]:
    """Return the ids of the queued runs, oldest first."""
    return list(queries.unfinished_runs().filter(state=TrainingRun.State.QUEUED).values_list("id", flat=True))


def sweep() -> list[int]:
    """Queue again what a dead worker left, give up after three tries, and return what waits."""
    take_up(TrainingRun, TRAINING_LEFT % {"n": MAX_TRIES}, progress={})
    take_up_blocks()
    for run in queries.untidy_runs():
        tidy(run)
    return waiting_runs()


def runs_to_help() -> list[int]:
    """Return the ids of the runs with blocks that no worker has taken."""
    return list(queries.waiting_blocks().order_by().values_list("run_id", flat=True).distinct())


def give_up(run: TrainingRun, sentence: str) -> None:
    """End a run that no worker has begun."""
    waiting = TrainingRun.objects.filter(pk=run.pk, state=TrainingRun.State.QUEUED)
    waiting.update(state=TrainingRun.State.FAILED, error=sentence[:500], finished_at=timezone.now())
