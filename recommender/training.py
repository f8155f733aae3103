"""One training: read, test on held-out time, learn from everything, save, judge."""

import logging
import time
from datetime import UTC, datetime
from inspect import signature
from typing import Any, cast

from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.errors import MailAIError
from recommender import artefacts, promotion, queries, sharing
from recommender.claimed import Claimed
from recommender.core import metrics
from recommender.core.algorithms import ALGORITHMS, COMPOSITES, MEMBERS, create
from recommender.core.base import Recommender
from recommender.core.evaluation import Score, paired_differences, summary
from recommender.core.intervals import bootstrap
from recommender.measuring import forget_peak, peak_mb
from recommender.models import TrainingRun
from recommender.sharing import Lesson
from recommender.teamwork import Call, Team, nobody, tidy

logger = logging.getLogger(__name__)
STEPS = ("reading", "testing", "learning", "saving")
ENDED = (TrainingRun.State.DONE, TrainingRun.State.FAILED)
# Errors of the stars that a model predicts.
STARS = {
    "rmse": metrics.root_mean_squared_error,
    "mse": metrics.mean_squared_error,
    "mae": metrics.mean_absolute_error,
}


class Work(Claimed):
    """A claimed run."""

    @property
    def run(self) -> TrainingRun:
        """The run."""
        return cast(TrainingRun, self.row)

    def step(self, step: str) -> None:
        """Begin a step of the progress bar."""
        self.update(progress={"step": step, "done": STEPS.index(step), "of": len(STEPS)})


def train(run_id: int, call: Call = nobody) -> TrainingRun:
    """Train a queued run; run twice, or by two workers, it trains once.

    In a large shop other workers are called to take blocks of it.
    """
    run = TrainingRun.objects.get(pk=run_id)
    work = Work(run)
    if not work.begin():
        return run
    forget_peak()
    try:
        _train(work, call)
    except MailAIError as error:
        work.fail(str(error))
    except Exception:
        logger.exception("Training run %s failed", run.uuid)
        work.fail(_("Training stopped with an error that nobody expected. The last good model goes on serving."))
    finally:
        sharing.forget(run)
    run.refresh_from_db()
    if run.state in ENDED:
        tidy(run)
    return run


def _train(work: Work, call: Call) -> None:
    clock = time.monotonic()
    work.step("reading")
    lesson = sharing.lesson(work.run, work.beat)
    shop, log = lesson.shop, lesson.shop.log
    work.update(
        n_events=log.counts(), n_shoppers=len(shop.shoppers), n_products=len(shop.products), demo=shop.demo,
        reading=lesson.stored, data_from=_moment(log.days.min()), data_to=_moment(log.days.max()),
    )  # fmt: skip
    work.step("testing")
    champion = queries.serving_run()
    model, settings = _begun(work.run)
    if lesson.stored:
        model.divide = Team(work.run, call)
    found = _test(work, model, lesson, champion)
    work.update(metrics=found, split_at=_moment(lesson.split.at), params=settings)
    work.step("learning")
    model.fit(lesson.everything(model), shop.catalogue, beat=work.beat)
    work.step("saving")
    artefact = lesson.artefact(model)
    name, sha256 = artefacts.save(work.run, artefact)
    work.update(
        artefact=name, artefact_sha256=sha256, state=TrainingRun.State.DONE, finished_at=timezone.now(),
        seconds=round(time.monotonic() - clock, 2), peak_mb=peak_mb(), progress={},
    )  # fmt: skip
    promotion.take_over(work.run, promotion.judge(work.run, champion))
    artefacts.prune(work.run.algorithm)


def _begun(run: TrainingRun) -> tuple[Recommender, dict[str, Any]]:
    """Return a new model, and its settings with where they come from for the run.

    The settings are those that the run was given, else those that tuning found, else the defaults.
    """
    told = dict(run.params)
    if "model" not in told:
        told |= _tuned(run.algorithm)
    wanted = signature((ALGORITHMS | COMPOSITES)[run.algorithm]).parameters
    seed = {"seed": run.seed} if "seed" in wanted else {}
    model = create(run.algorithm, seed | told.get("model", {}))
    return model, told | {"model": model.params}


def _tuned(algorithm: str) -> dict[str, Any]:
    """Return the settings that tuning found, ``model``, and where, ``tuning``; a model of models takes its members'."""
    if algorithm in COMPOSITES:
        return {"model": {"members": [[name, _tuned(name).get("model", {})] for name in MEMBERS]}}
    found = queries.tuned(algorithm)
    if found is None:
        return {}
    return {"model": found.trials.get(number=found.found["number"]).params, "tuning": str(found.uuid)}


def _test(work: Work, model: Recommender, lesson: Lesson, champion: TrainingRun | None) -> dict[str, Any]:
    """Examine the model beside most popular, the live algorithm and what was examined on the newest fifth of time."""
    score, with_repeats = lesson.result(model, work.beat)
    others = lesson.others(model, champion, work.beat)
    seed = work.run.seed
    others = lesson.examined(model) | others
    against = paired_differences(score, others, seed)
    means = {name: other.mean("ndcg") for name, other in others.items()}
    table = summary(score, lesson.exam) | {"against": against, "others": means}
    table["with_repeats"] = bootstrap(with_repeats, seed)
    return table | lesson.fairness(score, others) | _stars(score)


def _stars(score: Score) -> dict[str, Any]:
    errors = score.star_errors
    if not len(errors):
        return {}
    return {"stars": {name: round(float(metric(errors)), 5) for name, metric in STARS.items()} | {"n": len(errors)}}


def _moment(days: float) -> datetime:
    return datetime.fromtimestamp(float(days) * queries.SECONDS_A_DAY, UTC)
