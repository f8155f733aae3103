"""The score table: every model on the same users, with intervals, and compared user by user."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core import metrics
from recommender.core.base import Beat, Recommender, silent
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import bought_items, touched_items
from recommender.core.neighbours import unit_rows
from recommender.core.splitting import Split

# Beyond this many test users the interval is narrower than any decision needs; a seeded sample of them is scored.
MAX_TEST_USERS = 20_000
N_BOOTSTRAP = 1000
Interval = dict[str, float]

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
    """How one model did: ``per_user`` holds an array of shape (n_test_users,) for each metric."""

    per_user: dict[str, np.ndarray]
    coverage: float
    novelty: float
    diversity: float
    fit_s: float
    recommend_s: float

    def mean(self, metric: str) -> float:
        """Return the mean over test users, 0 when there are none."""
        values = self.per_user[metric]
        return float(values.mean()) if len(values) else 0.0


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


def examine(model: Recommender, exam: Exam, beat: Beat = silent) -> Score:
    """Fit the model before the split and score its lists against what the test users bought after it."""
    started = time.process_time()
    model.fit(exam.split.train, exam.catalogue)
    fitted = time.process_time()
    beat()
    users = exam.split.train.of(exam.tested)
    items, _scores = model.recommend(users, exam.k, exclude=exam.exclude, beat=beat)
    done = time.process_time()
    matrix = touched_items(exam.split.train)
    known_by = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return Score(
        per_user={name: metric(items, exam.truth, exam.k) for name, metric in PER_USER.items()},
        coverage=metrics.coverage(items, int((known_by > 0).sum())),
        novelty=_mean(metrics.novelty(items, known_by, matrix.shape[0])),
        diversity=_mean(_diversity(items, matrix)),
        fit_s=fitted - started,
        recommend_s=done - fitted,
    )


def _diversity(items: np.ndarray, matrix: csr_matrix) -> np.ndarray:
    """Work in blocks: the sum of ten item rows is far denser than a user's row."""
    unit = unit_rows(csr_matrix(matrix.T))
    parts = [metrics.diversity(items[start : start + 1000], unit) for start in range(0, len(items), 1000)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def bootstrap(values: np.ndarray, seed: int = 0) -> Interval:
    """Return the mean of per-user values with its 95 % interval.

    Parameters
    ----------
    values : float array of shape (n_users,), or the difference of two models per user (paired comparison).
    seed : int

    Returns
    -------
    {"value", "low", "high"}; without users nothing is known: 0, 0, 0; one user gives an interval without width.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", percentile interval, 1,000 resamples.
    """
    n = len(values)
    if not n:
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(n, size=n)].mean() for _ in range(N_BOOTSTRAP)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}


def paired_difference(score: Score, reference: Score, seed: int = 0) -> Interval:
    """Return how much better (NDCG) a model ranks than the reference for the same users, with its 95 % interval."""
    return bootstrap(score.per_user["ndcg"] - reference.per_user["ndcg"], seed)


def summary(score: Score, exam: Exam) -> dict[str, Any]:
    """Return the metrics of a model as plain numbers, the per-user ones with intervals."""
    table: dict[str, Any] = {name: bootstrap(values, exam.seed) for name, values in score.per_user.items()}
    rest = {"coverage": score.coverage, "novelty": score.novelty, "diversity": score.diversity}
    return table | rest | {"k": exam.k, "n_test_shoppers": exam.n_test_users, "repeats": exam.repeats}
