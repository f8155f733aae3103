"""Choose, tune and blend inside a history, as an operator without time would like it done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.core import metrics
from recommender.core.algorithms import ALGORITHMS, BASELINE, create
from recommender.core.base import WEIGHTING_SPACE, Beat, RatesItems, Recommender, silent
from recommender.core.blend import N_LISTED, Blend, Votes, search
from recommender.core.catalogue import Catalogue
from recommender.core.evaluation import Exam
from recommender.core.plan import MOST_TRIALS, ONCE, RANKER, SECOND, THIRD, cost, shared_trials, size_of
from recommender.core.ranker import TwoStage
from recommender.core.tuning import Trial, best, tune
from recommender.core.validation import Validation

Lists = list[tuple[np.ndarray, np.ndarray]]
Say = Callable[[str], None]
# So many of the best get the last round of tuning, and so many at most name candidates for the ranker.
N_FINALISTS, N_MEMBERS = 6, 8
VARIANTS = {
    "user_pearson": "user_based",
    "item_tfidf": "item_cosine",
    "item_bm25": "item_cosine",
    "trending": "popular",
}
# What reaches less than this part of the best is tuned no further: settings seldom double a figure.
NEAR = 0.5
# Parts held back for the ranker to learn from; it costs its members one fit for each and one for the whole, twice: in
# the rehearsal and at the end.
LEARNT_FROM = 2
FITS = 2 * (LEARNT_FROM + 1)
# Settings that mean the same in every algorithm.
HANDED_ON = {*WEIGHTING_SPACE, "self_weight"}
# How much the blend's votes count beside the trees.
MIXES = (0.0, 0.25, 0.5, 0.75)


@dataclass
class Candidate:
    """An algorithm with the settings found for it; NDCG per test shopper and lists, one of each for every window."""

    name: str
    params: dict[str, Any] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    ndcg: list[np.ndarray] = field(default_factory=list)
    lists: Lists = field(default_factory=list)

    @property
    def score(self) -> float:
        """Mean NDCG: over shoppers first, over windows last."""
        return float(np.mean([part.mean() for part in self.ndcg])) if self.ndcg else 0.0

    def row(self) -> dict[str, Any]:
        """Return the candidate as plain values for a table."""
        means = [round(float(part.mean()), 5) for part in self.ndcg]
        every = np.concatenate(self.ndcg)
        se = round(float(every.std() / np.sqrt(len(every))), 5)
        return {"name": self.name, "ndcg": round(self.score, 5), "se": se, "windows": means, "trials": len(self.trials)}


@dataclass(frozen=True)
class Choice:
    """What was chosen: an unfitted model, and the table of all that was tried, the best first."""

    model: Recommender
    table: list[dict[str, Any]]


def never() -> bool:
    """Say that there is time."""
    return False


def unheard(line: str) -> None:
    """Tell nobody."""


@dataclass
class Search:
    """What all steps of a choice need.

    threads : of the ranker's trees.
    budget : seconds; turned into numbers of trials by the size of the data (``recommender.core.plan``).
    late : asked before each trial and before the ranker; True ends the search where it stands. ``cut`` tells that it
        did: only then may the same data and seed give another answer on another machine.
    say : told a line after each algorithm.
    """

    validation: Validation
    catalogue: Catalogue | None = None
    budget: float = 300.0
    seed: int = 0
    threads: int = 1
    beat: Beat = silent
    say: Say = unheard
    late: Callable[[], bool] = never
    cut: bool = False

    def is_late(self) -> bool:
        """Ask the clock, and remember if it cut something off."""
        self.cut = self.cut or self.late()
        return self.cut

    @property
    def exams(self) -> Sequence[Exam]:
        """The windows, the newest first."""
        return self.validation.exams

    def tune(
        self, names: Sequence[str], budget: float, known: dict[str, Candidate], most: int = MOST_TRIALS
    ) -> dict[str, Candidate]:
        """Give each of these algorithms its share of the seconds, up to so many trials, beyond what is known of it."""
        sizes, found = [size_of(exam) for exam in self.exams], dict(known)
        for name, n_trials in shared_trials(names, sizes, budget, most).items():
            if found and name not in found and self.is_late():
                break
            candidate = found.setdefault(name, Candidate(name))
            improve(candidate, self, len(candidate.trials) + n_trials, handed_on(candidate, found))
            self.say(f"{name}: {candidate.score:.4f} after {len(candidate.trials)} trials")
        return found


def sensible(exam: Exam) -> list[str]:
    """Name all algorithms, those that learn from stars only where there are any."""
    stars = bool(np.isfinite(exam.split.train.stars).any())
    return [name for name, algorithm in ALGORITHMS.items() if stars or not issubclass(algorithm, RatesItems)]


def choose(search_: Search, names: Sequence[str] | None = None) -> Choice:
    """Tune each algorithm, search the weights of a blend, train a ranker, and return what the validation prefers.

    Tuning goes in rounds, each with fewer algorithms and more trials for them (Karnin, Koren and Somekh 2013, "Almost
    optimal exploration in multi-armed bandits", ICML: successive halving).

    Of a single model and a blend that differ by less than a standard error per shopper the single one is taken. The
    ranker is taken where it gains: its order and the blend's votes are two unlike models, whose mean errs no more than
    they do on the average (Krogh and Vedelsby 1995, "Neural network ensembles, cross validation, and active learning",
    NeurIPS).
    """
    if not search_.exams:
        return Choice(create(BASELINE), [])
    found = search_.tune(names or sensible(search_.exams[0]), ONCE * search_.budget, {}, most=1)
    near = [name for name in found if found[name].score >= NEAR * max(one.score for one in found.values())]
    spent = sum(cost(name, size_of(exam)) for name in found for exam in search_.exams)
    found = search_.tune(near, max((ONCE + SECOND) * search_.budget - spent, 0.0), found)
    finalists = unrelated(sorted(near, key=lambda name: -found[name].score))[:N_FINALISTS]
    found = search_.tune(finalists, THIRD * search_.budget, found)
    tried = sorted(found.values(), key=lambda candidate: -candidate.score)
    model, mixed = blended(tried, search_.exams, search_.beat)
    every = [*tried, mixed]
    if not search_.is_late():
        ranker, ranked = two_stage(tried, mixed, search_)
        every.append(ranked)
        if ranked.ndcg[0].mean() > mixed.ndcg[0].mean():
            model = ranker
    return Choice(model, sorted([candidate.row() for candidate in every], key=lambda row: -row["windows"][0]))


def handed_on(candidate: Candidate, found: dict[str, Candidate]) -> dict[str, Any] | None:
    """Return the settings of an algorithm with what it shares with the best of the others as that one has it.

    How events are weighted and forgotten is a property of the shop before it is one of the algorithm, and it moves
    figures more than anything else: who is tuned later need not find it again.
    """
    space = ALGORITHMS[candidate.name].space
    others = [
        one for one in found.values() if one.name != candidate.name and HANDED_ON & space.keys() & one.params.keys()
    ]
    if not candidate.trials or not others:
        return None
    leader = max(others, key=lambda one: one.score)
    return candidate.params | {key: leader.params[key] for key in HANDED_ON & space.keys() & leader.params.keys()}


def improve(candidate: Candidate, search_: Search, n_trials: int, suggestion: dict[str, Any] | None = None) -> None:
    """Tune an algorithm until it has this many trials, the suggestion first, and keep the lists of its best one."""

    def judge(model: Recommender) -> float:
        lists, marks = [], []
        for exam in search_.exams:
            lists.append(listed(model, exam, search_.catalogue, search_.beat))
            marks.append(metrics.ndcg_at_k(lists[-1][0][:, : exam.k], exam.truth, exam.k))
        one = Candidate(candidate.name, ndcg=marks, lists=lists)
        if one.score > candidate.score or not candidate.lists:
            candidate.lists, candidate.ndcg = one.lists, one.ndcg
        return one.score

    while len(candidate.trials) < n_trials and not (candidate.trials and search_.is_late()):
        known = candidate.trials
        candidate.trials = tune(
            candidate.name, judge, n_trials=len(known) + 1, seed=search_.seed, trials=known, suggestion=suggestion
        )
        if len(candidate.trials) == len(known):
            break
    candidate.params = best(candidate.trials).params


def listed(
    model: Recommender, exam: Exam, catalogue: Catalogue | None, beat: Beat = silent
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a model before the split and return its long lists for the test shoppers."""
    model.fit(exam.split.train, catalogue, beat=beat)
    users = exam.split.train.of(exam.tested)
    return model.recommend(users, max(N_LISTED, exam.k), exclude=exam.exclude, beat=beat)


def blended(tried: Sequence[Candidate], exams: Sequence[Exam], beat: Beat = silent) -> tuple[Recommender, Candidate]:
    """Search the weights over the tuned candidates, the best first; one that needs no other stays alone."""
    votes = [Votes([one.lists[n] for one in tried], exam.truth, exam.k) for n, exam in enumerate(exams)]
    weights, parts = search(votes, beat)
    used = [(one, weight) for one, weight in zip(tried, weights, strict=True) if weight > 0]
    members = [create(one.name, one.params) for one, _ in used]
    blend = Blend(members, [weight for _, weight in used])
    return members[0] if len(members) == 1 else blend, Candidate("blend", blend.params, ndcg=parts)


def two_stage(tried: Sequence[Candidate], mixed: Candidate, search_: Search) -> tuple[Recommender, Candidate]:
    """Train a ranker over the members of the blend and the best other families, as many as the budget pays for."""
    weights = {name: weight for (name, _), weight in zip(mixed.params["members"], mixed.params["weights"], strict=True)}
    order = sorted(tried, key=lambda one: (one.name not in weights, -one.score))
    size, left = size_of(search_.exams[0]), RANKER * search_.budget
    members: list[Candidate] = []
    for one in order:
        fresh = one.name in weights or family(one.name) not in {family(member.name) for member in members}
        price = FITS * cost(one.name, size)
        if len(members) < N_MEMBERS and fresh and (price <= left or not members):
            members.append(one)
            left -= price
    params: dict[str, Any] = {
        "weights": [weights.get(one.name, 0.0) for one in members], "kind": search_.validation.kind,
        "repeats": search_.exams[0].repeats, "seed": search_.seed, "n_windows": LEARNT_FROM,
    }  # fmt: skip
    ranker = TwoStage([create(one.name, one.params) for one in members], **params)
    ranker.threads = search_.threads
    exam = search_.exams[0]
    ranker.fit(exam.split.train, search_.catalogue, beat=search_.beat)
    users = exam.split.train.of(exam.tested)
    tried_mixes = ranker.recommend_mixed(users, exam.k, MIXES, exclude=exam.exclude, beat=search_.beat)
    marks = {
        mix: metrics.ndcg_at_k(items, exam.truth, exam.k)
        for mix, (items, _scores) in zip(MIXES, tried_mixes, strict=True)
    }
    for mix, mark in marks.items():
        search_.say(f"two_stage of {len(members)}, mix {mix}: {mark.mean():.4f}")
    mix = max(marks, key=lambda one: marks[one].mean())
    chosen = TwoStage([create(one.name, one.params) for one in members], mix=mix, **params)
    chosen.threads = search_.threads
    return chosen, Candidate("two_stage", chosen.params, ndcg=[marks[mix]])


def family(name: str) -> str:
    """Return the algorithm that this one is a variant of, itself if of none: variants name much the same items."""
    return VARIANTS.get(name, name)


def unrelated(names: Sequence[str]) -> list[str]:
    """Return the first of each family."""
    return [name for n, name in enumerate(names) if family(name) not in map(family, names[:n])]
