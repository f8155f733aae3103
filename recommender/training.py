"""One training: read, test on held-out time, learn from everything, save, judge."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import OperationalError
from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.claims import claim_one
from mailai.errors import MailAIError, StateError
from recommender import artefacts, promotion, queries
from recommender.artefacts import Artefact
from recommender.core.algorithms import BASELINE, create
from recommender.core.base import Recommender
from recommender.core.evaluation import Exam, Score, examine, paired_difference, summary
from recommender.core.interactions import IdMap
from recommender.core.popular import MostPopular, Trending
from recommender.core.splitting import Log, split_by_time, whole
from recommender.measuring import forget_peak, peak_mb
from recommender.models import TrainingRun

logger = logging.getLogger(__name__)
STEPS = ("reading", "testing", "learning", "saving")
TEST_SHARE = 0.2
# A heartbeat on the row at most this often, however small the blocks are.
BEAT_SECONDS = 2.0


@dataclass
class Work:
    """A claimed run: it may be written to only while this worker owns it."""

    run: TrainingRun
    step: int = 0
    last_beat: float = 0.0

    def update(self, **changes: Any) -> None:
        """Write to the row, with a heartbeat.

        Raises
        ------
        StateError : another worker owns it by now.
        """
        changes["heartbeat_at"] = timezone.now()
        own = TrainingRun.objects.filter(
            pk=self.run.pk, state=TrainingRun.State.RUNNING, started_at=self.run.started_at, tries=self.run.tries
        )
        if not own.update(**changes):
            raise StateError(_("Another worker has taken this training over."))
        for name, value in changes.items():
            setattr(self.run, name, value)

    def beat(self) -> None:
        """Show that work goes on."""
        if time.monotonic() - self.last_beat > BEAT_SECONDS:
            self.last_beat = time.monotonic()
            # SQLite refuses at once to write during a read that began before somebody else wrote: the next one beats.
            with suppress(OperationalError):
                self.update()

    def begin(self, step: str) -> None:
        """Begin a step of the progress bar."""
        self.update(progress={"step": step, "done": STEPS.index(step), "of": len(STEPS)})


def train(run_id: int) -> TrainingRun:
    """Train a queued run; run twice, or by two workers, it trains once."""
    run = TrainingRun.objects.get(pk=run_id)
    started = timezone.now()
    if not claim_one(
        run, from_status="queued", to_status="running", started_at=started, heartbeat_at=started, tries=run.tries + 1,
        error="",
    ):  # fmt: skip
        run.refresh_from_db()
        return run
    run.refresh_from_db()
    work = Work(run)
    forget_peak()
    try:
        _train(work)
    except MailAIError as error:
        _fail(work, str(error))
    except Exception:
        logger.exception("Training run %s failed", run.uuid)
        _fail(work, _("Training stopped with an error that nobody expected. The last good model goes on serving."))
    run.refresh_from_db()
    return run


def _fail(work: Work, sentence: str) -> None:
    own = TrainingRun.objects.filter(pk=work.run.pk, state=TrainingRun.State.RUNNING, tries=work.run.tries)
    own.update(state=TrainingRun.State.FAILED, error=sentence[:500], finished_at=timezone.now())


def _train(work: Work) -> None:
    clock = time.monotonic()
    work.begin("reading")
    log, shoppers, products = read_log(work)
    work.update(
        n_events=log.counts(), n_shoppers=len(shoppers), n_products=len(products), demo=queries.behaviour_is_demo(),
        data_from=_moment(log.days.min()), data_to=_moment(log.days.max()),
    )  # fmt: skip
    work.begin("testing")
    champion = queries.serving_run()
    model = create(work.run.algorithm, work.run.params.get("model"))
    metrics, split_at = _test(work, model, log, champion)
    work.update(metrics=metrics, split_at=_moment(split_at), params=work.run.params | {"model": model.params})
    work.begin("learning")
    everything = whole(log, timezone.now().timestamp() / queries.SECONDS_A_DAY)
    artefact = Artefact(
        model=model.fit(everything),
        popular=MostPopular().fit(everything),
        trending=Trending().fit(everything),
        n_orders=np.bincount(everything.items[everything.purchases], minlength=len(products)),
        shoppers=shoppers,
        products=products,
    )
    work.begin("saving")
    name, sha256 = artefacts.save(work.run, artefact)
    work.update(
        artefact=name, artefact_sha256=sha256, state=TrainingRun.State.DONE, finished_at=timezone.now(),
        seconds=round(time.monotonic() - clock, 2), peak_mb=peak_mb(), progress={},
    )  # fmt: skip
    promotion.take_over(work.run, promotion.judge(work.run, champion))
    artefacts.prune(work.run.algorithm)


def read_log(work: Work) -> tuple[Log, IdMap, IdMap]:
    """Read all telling events into codes.

    Raises
    ------
    StateError : there are none.
    """
    columns = queries.event_columns(queries.telling_events().filter(at__lte=timezone.now()), work.beat)
    if not len(columns):
        raise StateError(_("There is nothing to learn from yet. Upload orders first."))
    shoppers, products = IdMap(columns[:, 0]), IdMap(columns[:, 1])
    log = Log(
        users=shoppers.codes(columns[:, 0]),
        items=products.codes(columns[:, 1]),
        kinds=columns[:, 2].astype(np.uint8),
        days=columns[:, 3] / queries.SECONDS_A_DAY,
        n_users=len(shoppers),
        n_items=len(products),
    )
    return log, shoppers, products


def _test(work: Work, model: Recommender, log: Log, champion: TrainingRun | None) -> tuple[dict[str, Any], float]:
    """Examine the model, most popular and the live algorithm on the newest fifth of time, for the same shoppers."""
    split = split_by_time(log, TEST_SHARE)
    exam = Exam(split, seed=work.run.seed)
    score = examine(model, exam, work.beat)
    others: dict[str, Score] = {}
    for name, params in {
        BASELINE: {},
        **({champion.algorithm: champion.params.get("model")} if champion else {}),
    }.items():
        if name != model.name:
            others[name] = examine(create(name, params), exam, work.beat)
    metrics = summary(score, exam)
    metrics["against"] = {name: paired_difference(score, other, work.run.seed) for name, other in others.items()}
    metrics["others"] = {name: other.mean("ndcg") for name, other in others.items()}
    return metrics, split.at


def _moment(days: float) -> datetime:
    return datetime.fromtimestamp(float(days) * queries.SECONDS_A_DAY, UTC)
