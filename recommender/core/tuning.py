"""Bayesian search for the settings of an algorithm on a validation period, in trials that can be stored."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from recommender.core import metrics
from recommender.core.algorithms import ALGORITHMS, create
from recommender.core.base import Beat, Choice, Range, Recommender, silent
from recommender.core.catalogue import Catalogue
from recommender.core.evaluation import Exam, lists

# Trials drawn at random before the search begins to learn from them.
N_RANDOM = 5
# Optuna takes seeds below this.
N_SEEDS = 2**32


@dataclass(frozen=True)
class Trial:
    """One try: the settings that were changed, the mean NDCG, and how long it took in seconds; nan = it failed."""

    params: dict[str, Any]
    score: float
    seconds: float


OnTrial = Callable[[Trial], None]
Judge = Callable[[Recommender], float]


def ndcg(model: Recommender, exam: Exam, catalogue: Catalogue | None = None, beat: Beat = silent) -> np.ndarray:
    """Fit the model before the split and return the NDCG of its lists, float array of shape (n_test_users,)."""
    model.fit(exam.split.lessons(model), catalogue or exam.catalogue, beat=beat)
    return metrics.ndcg_at_k(lists(model, exam, beat), exam.truth, exam.k)


def judge_on(exams: Sequence[Exam], catalogue: Catalogue | None = None, beat: Beat = silent) -> Judge:
    """Return what scores a model: its NDCG, the mean over shoppers first and over windows last."""

    def judge(model: Recommender) -> float:
        means = [float(ndcg(model, exam, catalogue, beat).mean()) for exam in exams if exam.n_test_users]
        return float(np.mean(means)) if means else 0.0

    return judge


def tune(
    name: str,
    judge: Judge,
    *,
    n_trials: int,
    seconds: float = float("inf"),
    seed: int = 0,
    trials: Sequence[Trial] = (),
    on_trial: OnTrial | None = None,
    suggestion: dict[str, Any] | None = None,
) -> list[Trial]:
    """Try settings of an algorithm until there are ``n_trials`` and return all trials, the known ones first.

    The first trial are the defaults. Each later one depends on the seed, its number and the trials before it and on
    nothing else, so a search that was interrupted and goes on from its stored trials ends as if it never had been.

    Parameters
    ----------
    judge : scores an unfitted model; ``judge_on`` makes one.
    seconds : stop beginning trials after this much CPU time, known trials included. Only a search without this limit
        gives the same trials on every machine.
    trials : what is known from an earlier search with the same seed.
    on_trial : told each new trial, so that a service can store it.
    suggestion : settings that are tried next, before the search goes on, unless they were tried.

    Raises
    ------
    KeyError : there is no algorithm of this name.

    Source: Bergstra et al. (2011), NeurIPS, "Algorithms for hyper-parameter optimization" (tree of Parzen estimators),
    as in Optuna.
    """
    done = list(trials)
    spent = sum(trial.seconds for trial in done)
    while len(done) < (n_trials if ALGORITHMS[name].space else min(n_trials, 1)) and spent < seconds:
        if suggestion is not None and done and all(trial.params != suggestion for trial in done):
            params = suggestion
        else:
            params = proposed(name, done, seed)
        suggestion = None
        started = time.process_time()
        score = judge(create(name, params))
        trial = Trial(params, score, time.process_time() - started)
        spent += trial.seconds
        done.append(trial)
        if on_trial:
            on_trial(trial)
    return done


def best(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the highest score, the earliest among equals; failed ones are none.

    Raises
    ------
    ValueError : all failed, or there is none.
    """
    return max((trial for trial in trials if not isnan(trial.score)), key=lambda trial: trial.score)


def proposed(name: str, done: Sequence[Trial], seed: int, first: Sequence[dict[str, Any]] = ({},)) -> dict[str, Any]:
    """Return the settings to try next, of an algorithm with a space: ``first`` in their order, then by the search."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if len(done) < len(first):
        return first[len(done)]
    space = ALGORITHMS[name].space
    places = {key: _distribution(one, optuna) for key, one in space.items()}
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=(seed + len(done)) % N_SEEDS, n_startup_trials=N_RANDOM),
    )
    defaults = create(name).params
    with warnings.catch_warnings():
        # Optuna warns of categorical values that its own storage can't write; nothing is stored there.
        warnings.simplefilter("ignore")
        for trial in done:
            params = {key: (defaults | trial.params).get(key) for key in space}
            if not isnan(trial.score) and all(_fits(one, params[key]) for key, one in space.items()):
                study.add_trial(optuna.create_trial(params=params, distributions=places, value=trial.score))
    return dict(study.ask(places).params)


def _distribution(one: Choice | Range, optuna: Any) -> Any:
    if isinstance(one, Choice):
        return optuna.distributions.CategoricalDistribution(one.values)
    if isinstance(one.low, int) and isinstance(one.high, int):
        return optuna.distributions.IntDistribution(one.low, one.high, log=one.log)
    return optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)


def _fits(one: Choice | Range, value: Any) -> bool:
    """Say whether the search may learn from a value: defaults may lie outside what is tried."""
    if isinstance(one, Choice):
        return value in one.values
    return value is not None and one.low <= value <= one.high
