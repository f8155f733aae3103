"""What the trainings of one request share: one reading of the shop, one exam, and the scores of it."""

import json
import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.utils import timezone

from mailai.errors import ArtefactError
from recommender import array_files, queries, readings, teamwork
from recommender.artefacts import Artefact
from recommender.core import groups, metrics
from recommender.core.algorithms import BASELINE, create
from recommender.core.base import RatesItems, Recommender
from recommender.core.evaluation import Exam, Score, examine, lists
from recommender.core.interactions import Interactions
from recommender.core.popular import MostPopular, Trending
from recommender.core.splitting import split_by_time, whole
from recommender.models import TrainingRun
from recommender.reading import Beat, Shop, read_shop

logger = logging.getLogger(__name__)
TEST_SHARE = 0.2
# What waited longer than this is read again: shoppers may have been erased meanwhile.
FRESH = timedelta(minutes=30)


class Result(NamedTuple):
    """How one model did, and its NDCG where products bought before count too, shape (n_test_users of that exam,)."""

    score: Score
    with_repeats: np.ndarray


class Lesson:
    """A shop that was read for one request, and all that its trainings need of it, each worked out once.

    Beside the 17 to 21 bytes an event of the log it holds the events before the split and all of them in the order
    of shoppers: about 50 bytes an event in all, 1 GB at 20 million events. Scores of an algorithm are 1 MB at most.
    """

    def __init__(self, shop: Shop, seed: int, read_at: datetime, stored: str) -> None:
        self.shop, self.seed = shop, seed
        # When the shop was read, and the file that keeps it for other workers ("" = a small shop: none).
        self.now, self.stored = read_at, stored
        self.split = split_by_time(shop.log, TEST_SHARE)
        # What emails do: they show what is new to the shopper. The other exam lets models pick what she bought before.
        self.exam, self.with_repeats = (
            Exam(self.split, repeats=repeats, seed=seed, catalogue=shop.catalogue) for repeats in (False, True)
        )
        self._scores: dict[str, Result] = {}
        self._whole: dict[bool, Interactions] = {}
        self._groups: list[groups.Group] | None = None
        self._rungs: dict[str, Any] | None = None

    @property
    def fresh(self) -> bool:
        """Say whether it may be used still."""
        return _fresh(self.now)

    def result(self, model: Recommender, beat: Beat) -> Result:
        """Examine a model on the newest fifth of time, unless one of the same settings was examined already."""
        key = json.dumps([model.name, model.params], sort_keys=True)
        if key not in self._scores:
            score, other = examine(model, self.exam, beat), self.with_repeats
            self._scores[key] = Result(score, metrics.ndcg_at_k(lists(model, other, beat), other.truth, other.k))
        return self._scores[key]

    def others(self, model: Recommender, champion: TrainingRun | None, beat: Beat) -> dict[str, Score]:
        """Return the scores of most popular and of the live algorithm, for the same shoppers as the model's."""
        others = {}
        if model.name != BASELINE:
            others[BASELINE] = self.result(create(BASELINE), beat).score
        if champion and champion.algorithm not in (BASELINE, model.name):
            # Without its score nothing takes its place; that it fails is no reason to lose the new model too.
            try:
                live = create(champion.algorithm, champion.params.get("model"))
                live.divide = model.divide
                others[champion.algorithm] = self.result(live, beat).score
            except Exception:
                logger.exception("The live model %s could not be examined again", champion.uuid)
        return others

    def examined(self, model: Recommender) -> dict[str, Score]:
        """Return the scores of the other algorithms that this process has examined so far."""
        scores = {json.loads(key)[0]: result.score for key, result in self._scores.items()}
        return {name: score for name, score in scores.items() if name != model.name}

    def everything(self, model: Recommender) -> Interactions:
        """Return all that a model may learn from, as seen from the moment of reading."""
        disliked = isinstance(model, RatesItems) and bool(len(self.shop.log.stars))
        if disliked not in self._whole:
            at = self.now.timestamp() / queries.SECONDS_A_DAY
            self._whole[disliked] = whole(self.shop.log, at, disliked=disliked)
        return self._whole[disliked]

    def artefact(self, model: Recommender) -> Artefact:
        """Return a fitted model with the rungs below it, which learnt from everything as well."""
        if self._rungs is None:
            liked = self.everything(MostPopular())
            n_orders = np.bincount(liked.items[liked.purchases], minlength=liked.n_items)
            self._rungs = {"popular": MostPopular().fit(liked), "trending": Trending().fit(liked), "n_orders": n_orders}
        return Artefact(model=model, shoppers=self.shop.shoppers, products=self.shop.products, **self._rungs)

    def fairness(self, score: Score, others: dict[str, Score]) -> dict[str, Any]:
        """Return how groups of shoppers and of products fare under a model, and where it beats others or they it."""
        if self._groups is None:
            shop, tested = self.shop, self.exam.tested
            self._groups = [
                *groups.by_orders(groups.order_days(shop.log, self.split, tested)),
                *groups.by_country(shop.countries[tested]),
                *groups.by_price(groups.mean_prices(shop.log, self.split, tested, np.asarray(shop.prices))),
            ]
        differences = {name: score.per_user["ndcg"] - other.per_user["ndcg"] for name, other in others.items()}
        return {
            "group_differences": groups.sure_differences(differences, self._groups, self.seed),
            "groups": groups.compared(score.per_user["ndcg"], self._groups, self.seed),
            "bias": groups.popularity_bias(self.split, score.exposure),
        }


# The lesson of the newest request that this process worked on; never more than one, and none when its runs are done.
_kept: dict[tuple[datetime, int], Lesson] = {}


def lesson(run: TrainingRun, beat: Beat) -> Lesson:
    """Return the lesson of the request that a run belongs to, read by the first run of it in this process.

    The runs of one request have their ``created_at`` in common. Of a large shop the reading goes into a file, for the
    workers that train the other runs, and for whoever takes this run up: it goes on with the very same data.

    Raises
    ------
    StateError : there is nothing to learn from.
    """
    key = (run.created_at, run.seed)
    kept = _kept.get(key)
    if kept and (kept.stored == run.reading if run.reading else kept.fresh):
        return kept
    _kept.clear()
    _kept[key] = _stored_lesson(run) or _new_lesson(run, beat)
    return _kept[key]


def _stored_lesson(run: TrainingRun) -> Lesson | None:
    """Return the lesson that a run began with, or a fresh one of its request, if there is a whole file of it."""
    for name in filter(None, [run.reading, *queries.readings_with(run)]):
        try:
            shop, read_at = readings.read(name)
        except ArtefactError as error:
            logger.warning("The shop is read again: %s", error)
            array_files.delete({name})
            continue
        if name == run.reading or _fresh(read_at):
            return Lesson(shop, run.seed, read_at, name)
    return None


def _new_lesson(run: TrainingRun, beat: Beat) -> Lesson:
    now = timezone.now()
    shop = read_shop(now, beat)
    stored = readings.write(shop, now) if len(shop.log.users) >= teamwork.LARGE_EVENTS else ""
    return Lesson(shop, run.seed, now, stored)


def _fresh(read_at: datetime) -> bool:
    return timezone.now() - read_at < FRESH


def forget(run: TrainingRun) -> None:
    """Let go of the lesson of a run, unless others of its request wait."""
    if not queries.waiting_with(run).exists():
        _kept.pop((run.created_at, run.seed), None)
