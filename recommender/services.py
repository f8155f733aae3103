"""The doors of this room: ask for a training, run it, sweep what was left behind, promote, pick products."""

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Upload
from mailai.accounts import audit
from mailai.errors import InputError, StateError
from recommender import queries
from recommender.core.algorithms import ALGORITHMS
from recommender.models import TrainingRun
from recommender.promotion import promote
from recommender.serving import top_products
from recommender.training import train

__all__ = ["champion", "give_up", "promote", "request_training", "sweep", "top_products", "train"]

logger = logging.getLogger(__name__)
AUTO = "auto"
# A run beats every few seconds; this long without a beat means that its worker is gone.
DEAD_AFTER = timedelta(minutes=5)
MAX_TRIES = 3


def champion() -> TrainingRun | None:
    """Return the run that picks the products now."""
    return queries.serving_run()


def request_training(algorithm: str = AUTO, by: Any = None, seed: int = 0) -> TrainingRun:
    """Queue a training and return its run; "auto" queues every algorithm, baseline first, and returns the last.

    An algorithm that waits or trains already is not queued again.

    Raises
    ------
    InputError : there is no such algorithm.
    StateError : there is nothing to learn from.
    """
    names = list(ALGORITHMS) if algorithm == AUTO else [algorithm]
    if not set(names) <= set(ALGORITHMS):
        known = ", ".join([AUTO, *ALGORITHMS])
        raise InputError(
            _("There is no algorithm %(name)s. Choose one of: %(known)s.") % {"name": algorithm, "known": known}
        )
    if not queries.telling_events().exists():
        raise StateError(_("There is nothing to learn from yet. Upload orders first."))
    with transaction.atomic():
        waiting = {run.algorithm: run for run in queries.unfinished_runs()}
        for name in names:
            if name not in waiting:
                waiting[name] = TrainingRun.objects.create(algorithm=name, seed=seed, requested_by=by)
                audit.record("recommender.train", waiting[name], by=by, algorithm=name)
    return waiting[names[-1]]


def request_nightly_training() -> list[int]:
    """Queue a training of everything if something happened since the last one; return the ids of what waits."""
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
    dead = Q(heartbeat_at__lt=timezone.now() - DEAD_AFTER) | Q(heartbeat_at=None)
    lost = TrainingRun.objects.filter(dead, state=TrainingRun.State.RUNNING)
    sentence = _(
        "The worker stopped %(n)s times during this training. Look at its memory; the last model goes on serving."
    )
    n = lost.filter(tries__gte=MAX_TRIES).update(
        state=TrainingRun.State.FAILED, error=sentence % {"n": MAX_TRIES}, finished_at=timezone.now()
    )
    again = lost.update(state=TrainingRun.State.QUEUED, progress={})
    if n or again:
        logger.warning("Training: %s runs queued again, %s given up", again, n)
    return waiting_runs()


def give_up(run: TrainingRun, sentence: str) -> None:
    """End a run that no worker has begun."""
    waiting = TrainingRun.objects.filter(pk=run.pk, state=TrainingRun.State.QUEUED)
    waiting.update(state=TrainingRun.State.FAILED, error=sentence[:500], finished_at=timezone.now())
