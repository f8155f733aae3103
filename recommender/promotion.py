"""Which model may serve. A bad one never does: the interval on held-out time decides, or a person with a name."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from mailai.accounts import audit
from mailai.errors import StateError
from recommender import artefacts, queries
from recommender.core.algorithms import BASELINE
from recommender.models import Champion, TrainingRun
from recommender.said import TOO_FEW_TESTED

# With fewer tested shoppers an interval is a guess.
MIN_TEST_SHOPPERS = 30


@dataclass(frozen=True)
class Verdict:
    """Whether a run takes over, and why, in a sentence."""

    promote: bool
    reason: str


def judge(run: TrainingRun, champion: TrainingRun | None) -> Verdict:
    """Apply the rule to a finished run.

    A challenger must beat most popular, and the live model, for the same shoppers: the whole 95 % interval of the
    paired difference in NDCG lies above zero. The same algorithm on newer data takes over as long as it beats most
    popular.
    """
    if run.algorithm == BASELINE:
        return _judge_baseline(run, champion)
    n = run.metrics["n_test_shoppers"]
    if n < MIN_TEST_SHOPPERS:
        return Verdict(False, TOO_FEW_TESTED % {"n": n, "needed": MIN_TEST_SHOPPERS})
    if not better(run, BASELINE):
        return Verdict(False, _("Refused: it does not rank better than most popular on orders it has not seen."))
    return _judge_against_live(run, champion)


def _judge_against_live(run: TrainingRun, champion: TrainingRun | None) -> Verdict:
    if champion is None or champion.algorithm == BASELINE:
        return Verdict(True, _("It ranks better than most popular on orders it has not seen."))
    if champion.algorithm == run.algorithm:
        return Verdict(True, _("The live model again, with newer data; it still beats most popular."))
    if better(run, champion.algorithm):
        return Verdict(True, _("It ranks better than the live model on orders neither has seen."))
    return Verdict(False, _("Not better than the live model for sure: the range of the difference contains zero."))


def _judge_baseline(run: TrainingRun, champion: TrainingRun | None) -> Verdict:
    if champion is None:
        return Verdict(True, _("The first model: it serves until another one beats it."))
    if champion.algorithm == BASELINE:
        return Verdict(True, _("The live model again, with newer data."))
    if run.metrics["n_test_shoppers"] >= MIN_TEST_SHOPPERS and better(run, champion.algorithm):
        return Verdict(True, _("The live model has become worse than most popular."))
    return Verdict(False, _("The baseline that every other model must beat."))


def better(run: TrainingRun, other: str) -> bool:
    """Say whether the whole interval of the paired difference to another algorithm lies above zero."""
    difference = run.metrics.get("against", {}).get(other)
    return bool(difference and difference["low"] > 0)


def take_over(run: TrainingRun, verdict: Verdict) -> None:
    """Let the rule's winner serve, and note why it won or not."""
    with transaction.atomic():
        TrainingRun.objects.filter(pk=run.pk).update(reason=verdict.reason)
        run.reason = verdict.reason
        if verdict.promote:
            Champion.objects.create(run=run, reason=verdict.reason[:300])


def promote(run: TrainingRun, by: Any, reason: str = "") -> Champion:
    """Let a person choose the run that serves from now on."""
    if run.state != TrainingRun.State.DONE:
        raise StateError(_("This model is not ready. Wait until its training is finished."))
    live = queries.serving_run()
    if live and live.pk == run.pk:
        raise StateError(_("This model is live already."))
    artefacts.load(run)
    with transaction.atomic():
        champion = Champion.objects.create(run=run, by=by, reason=reason[:300])
        audit.record("recommender.promote", run, by=by, reason=reason, previous=str(live.uuid) if live else "")
    return champion
