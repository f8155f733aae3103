"""The score table: every model on the same users, with intervals, and compared user by user."""

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core import metrics
from recommender.core.base import Beat, RatesItems, Recommender, silent
from recommender.core.catalogue import Catalogue
from recommender.core.exam_lists import lists_of
from recommender.core.interactions import bought_items, touched_items
from recommender.core.intervals import Interval, bootstrap, interval, resampled_means
from recommender.core.neighbours import unit_rows
from recommender.core.splitting import Split
from recommender.core.stars import star_errors

# Beyond this many test users the interval is narrower than any decision needs; a seeded sample of them is scored.
MAX_TEST_USERS = 20_000

PER_USER = {
    "ndcg": metrics.ndcg_at_k,
    "precision": metrics.precision_at_k,
    "recall": metrics.recall_at_k,
    "f1": metrics.f1_at_k,
    "map": metrics.average_precision_at_k,
    "hit_rate": metrics.hit_rate_at_k,
}


@dataclass(frozen=True)
class Score:
    """How one model did.

    per_user : an array of shape (n_test_users,) for each metric
    exposure : int array of shape (n_items,), in how many lists each item stood
    star_errors : predicted minus given stars, shape (n_ratings,); empty where the model or the data has no stars
    fit_s, recommend_s : CPU seconds, those of child processes included
    """

    per_user: dict[str, np.ndarray]
    coverage: float
    novelty: float
    diversity: float
    fit_s: float
    recommend_s: float
    exposure: np.ndarray
    star_errors: np.ndarray

    def mean(self, metric: str) -> float:
        """Return the mean over test users, 0 when there are none."""
        return _mean(self.per_user[metric])


@dataclass(frozen=True)
class Exam:
    """One split with everything that does not depend on the model, worked out once.

    repeats : True = a product bought before may be recommended and counts; False = it is excluded and does not.
    """

    split: Split
    k: int = 10
    repeats: bool = True
    seed: int = 0
    catalogue: Catalogue | None = None
    tested: np.ndarray = field(init=False)
    truth: csr_matrix = field(init=False)
    exclude: csr_matrix | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        tested, truth, exclude = self.split.tested, self.split.truth, None
        if not self.repeats:
            bought = bought_items(self.split.train.of(tested))
            truth = csr_matrix(truth - truth.multiply(bought))
            truth.eliminate_zeros()
            left = np.flatnonzero(np.diff(truth.indptr) > 0)
            tested, truth, exclude = tested[left], truth[left], bought[left]
        if len(tested) > MAX_TEST_USERS:
            chosen = np.sort(np.random.default_rng(self.seed).choice(len(tested), MAX_TEST_USERS, replace=False))
            tested, truth = tested[chosen], truth[chosen]
            exclude = None if exclude is None else exclude[chosen]
        for name, value in (("tested", tested), ("truth", truth), ("exclude", exclude)):
            object.__setattr__(self, name, value)

    @property
    def n_test_users(self) -> int:
        """Count the users who are tested."""
        return len(self.tested)

    @cached_property
    def known_by(self) -> np.ndarray:
        """Int array of shape (n_items,): how many users had anything to do with each item before the split."""
        return np.bincount(self._touched.indices, minlength=self._touched.shape[1])

    @cached_property
    def unit_items(self) -> csr_matrix:
        """Who had anything to do with each item, rows of length 1: shape (n_items, n_users)."""
        return unit_rows(csr_matrix(self._touched.T))

    @cached_property
    def _touched(self) -> csr_matrix:
        return touched_items(self.split.train)


def examine(model: Recommender, exam: Exam, beat: Beat = silent) -> Score:
    """Fit the model before the split and score its lists against what the test users bought after it."""
    started = cpu_seconds()
    model.fit(exam.split.lessons(model), exam.catalogue, beat=beat)
    fitted = cpu_seconds()
    beat()
    items = lists(model, exam, beat)
    done = cpu_seconds()
    known = exam.known_by > 0
    exposure = np.bincount(items[items >= 0], minlength=len(known))
    return Score(
        per_user={name: metric(items, exam.truth, exam.k) for name, metric in PER_USER.items()},
        # A model that reads content may show what nobody knew.
        coverage=metrics.coverage(items, int((known | (exposure > 0)).sum())),
        novelty=_mean(metrics.novelty(items, exam.known_by, exam.split.train.n_users)),
        diversity=_mean(_diversity(items, exam.unit_items)),
        fit_s=fitted - started,
        recommend_s=done - fitted,
        exposure=exposure,
        star_errors=star_errors(model, exam.split) if isinstance(model, RatesItems) else np.empty(0),
    )


def lists(model: Recommender, exam: Exam, beat: Beat = silent) -> np.ndarray:
    """Return what a fitted model recommends to the test users: int array of shape (n_test_users, k), -1 = none."""
    users = exam.split.lessons(model).of(exam.tested)
    return lists_of(model, users, exam.k, exclude=exam.exclude, beat=beat)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, all its threads and its ended children so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def pooled(scores: Sequence[Score], tested: Sequence[np.ndarray]) -> Score:
    """Put the scores of one model in several test windows together.

    Parameters
    ----------
    scores : one for each window
    tested : for each window, an int array with the row of each of its test users.

    Returns
    -------
    Score with one value per user (in the order of the rows): the mean of the windows in which she was tested, so that
    users stay independent of each other and intervals stay true. Coverage, novelty and diversity are means weighted by
    test users, seconds and exposure are sums.
    """
    sizes = np.array([len(one) for one in tested], float)

    def mean(name: str) -> float:
        return float(np.average([getattr(score, name) for score in scores], weights=sizes)) if sizes.any() else 0.0

    return Score(
        per_user={name: by_user([score.per_user[name] for score in scores], tested) for name in PER_USER},
        coverage=mean("coverage"),
        novelty=mean("novelty"),
        diversity=mean("diversity"),
        fit_s=sum(score.fit_s for score in scores),
        recommend_s=sum(score.recommend_s for score in scores),
        exposure=np.sum([score.exposure for score in scores], axis=0),
        star_errors=np.concatenate([score.star_errors for score in scores]),
    )


def by_user(values: Sequence[np.ndarray], tested: Sequence[np.ndarray]) -> np.ndarray:
    """Return for each user the mean of her values in the windows in which she was tested, in the order of the rows."""
    rows, place = np.unique(np.concatenate(tested), return_inverse=True)
    return np.bincount(place, np.concatenate(values), len(rows)) / np.bincount(place, minlength=len(rows))


def _diversity(items: np.ndarray, unit: csr_matrix) -> np.ndarray:
    """Work in blocks: the sum of ten item rows is far denser than a user's row."""
    parts = [metrics.diversity(items[start : start + 1000], unit) for start in range(0, len(items), 1000)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def paired_difference(score: Score, reference: Score, seed: int = 0) -> Interval:
    """Return how much better (NDCG) a model ranks than the reference for the same users, with its 95 % interval."""
    return bootstrap(score.per_user["ndcg"] - reference.per_user["ndcg"], seed)


def paired_differences(score: Score, others: Mapping[str, Score], seed: int = 0) -> dict[str, Interval]:
    """Return ``paired_difference`` to each of several models, all on the same resamples."""
    if not others or not len(score.per_user["ndcg"]):
        return {name: paired_difference(score, other, seed) for name, other in others.items()}
    values = np.column_stack([score.per_user["ndcg"] - other.per_user["ndcg"] for other in others.values()])
    drawn = resampled_means(values, seed)
    return {name: interval(values[:, n].mean(), drawn[:, n]) for n, name in enumerate(others)}


def summary(score: Score, exam: Exam) -> dict[str, Any]:
    """Return the metrics of a model as plain numbers, the per-user ones with intervals."""
    table: dict[str, Any] = {name: bootstrap(values, exam.seed) for name, values in score.per_user.items()}
    rest = {"coverage": score.coverage, "novelty": score.novelty, "diversity": score.diversity}
    return table | rest | {"k": exam.k, "n_test_shoppers": exam.n_test_users, "repeats": exam.repeats}
