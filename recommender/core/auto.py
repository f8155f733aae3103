"""Choose, tune and blend inside a history, as an operator without time would like it done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.core import metrics
from recommender.core.algorithms import ALGORITHMS, BASELINE, create
from recommender.core.base import Beat, Recommender, silent
from recommender.core.blend import N_LISTED, Blend, Votes, search
from recommender.core.catalogue import Catalogue
from recommender.core.evaluation import Exam
from recommender.core.plan import shared_trials, size_of
from recommender.core.tuning import Trial, best, tune
from recommender.core.validation import Validation

Lists = list[tuple[np.ndarray, np.ndarray]]
Say = Callable[[str], None]


@dataclass
class Candidate:
    """An algorithm with the settings found for it; NDCG per test shopper and lists, one of each for every window."""

    name: str
    params: dict[str, Any] = field(default_factory=dict)
    n_trials: int = 0
    ndcg: list[np.ndarray] = field(default_factory=list)
    lists: Lists = field(default_factory=list)

    @property
    def score(self) -> float:
        """Mean NDCG: over shoppers first, over windows last."""
        return float(np.mean([part.mean() for part in self.ndcg])) if self.ndcg else 0.0

    def row(self) -> dict[str, Any]:
        """Return the candidate as plain values for a table."""
        every = np.concatenate(self.ndcg) if self.ndcg else np.zeros(1)
        se = float(every.std() / np.sqrt(len(every)))
        return {"name": self.name, "ndcg": round(self.score, 5), "se": round(se, 5), "trials": self.n_trials}


@dataclass(frozen=True)
class Choice:
    """What was chosen: an unfitted model, and the table of all that was tried, the best first."""

    model: Recommender
    table: list[dict[str, Any]]


def choose(
    validation: Validation,
    catalogue: Catalogue | None = None,
    *,
    names: Sequence[str] | None = None,
    budget: float = 300.0,
    seed: int = 0,
    beat: Beat = silent,
    say: Say | None = None,
) -> Choice:
    """Tune each algorithm, search the weights of a blend, and return the best by the windows of the validation.

    Parameters
    ----------
    names : algorithms to try; default: all single ones.
    budget : seconds; turned into numbers of trials by the size of the data (``recommender.core.plan``).
    say : told a line after each algorithm.
    """
    exams = validation.exams
    if not exams:
        return Choice(create(BASELINE), [])
    trials = shared_trials(names or list(ALGORITHMS), [size_of(exam) for exam in exams], budget)
    tried = []
    for name, n_trials in trials.items():
        candidate = tuned(name, exams, catalogue, n_trials=n_trials, seed=seed, beat=beat)
        tried.append(candidate)
        if say:
            say(f"{name}: {candidate.score:.4f} ({candidate.n_trials})")
    tried.sort(key=lambda candidate: -candidate.score)
    blend, mixed = blended(tried, exams, beat)
    table = sorted([candidate.row() for candidate in [*tried, mixed]], key=lambda row: -row["ndcg"])
    return Choice(blend, table)


def tuned(
    name: str, exams: Sequence[Exam], catalogue: Catalogue | None, *, n_trials: int, seed: int, beat: Beat = silent
) -> Candidate:
    """Tune one algorithm and keep the lists of its best trial."""
    kept = Candidate(name)

    def judge(model: Recommender) -> float:
        one = Candidate(name)
        for exam in exams:
            items, scores = listed(model, exam, catalogue, beat)
            one.lists.append((items, scores))
            one.ndcg.append(metrics.ndcg_at_k(items[:, : exam.k], exam.truth, exam.k))
        if not kept.lists or one.score > kept.score:
            kept.lists, kept.ndcg = one.lists, one.ndcg
        return one.score

    trials: list[Trial] = tune(name, judge, n_trials=n_trials, seed=seed)
    kept.params, kept.n_trials = best(trials).params, len(trials)
    return kept


def listed(
    model: Recommender, exam: Exam, catalogue: Catalogue | None, beat: Beat = silent
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a model before the split and return its long lists for the test shoppers."""
    model.fit(exam.split.train, catalogue, beat=beat)
    users = exam.split.train.of(exam.tested)
    return model.recommend(users, max(N_LISTED, exam.k), exclude=exam.exclude, beat=beat)


def blended(tried: Sequence[Candidate], exams: Sequence[Exam], beat: Beat = silent) -> tuple[Recommender, Candidate]:
    """Search the weights over the tuned candidates; one that needs no other stays alone."""
    votes = [Votes([one.lists[n] for one in tried], exam.truth, exam.k) for n, exam in enumerate(exams)]
    weights, parts = search(votes, beat)
    used = [(create(one.name, one.params), weight) for one, weight in zip(tried, weights, strict=True) if weight > 0]
    if len(used) == 1:
        model: Recommender = used[0][0]
    else:
        model = Blend([member for member, _ in used], [weight for _, weight in used])
    return model, Candidate("blend", model.params, 1, parts)
