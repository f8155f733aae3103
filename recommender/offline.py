"""The leaderboard on a behaviour file: no database, so that a shop's data can be tried before it is loaded."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from mailai.errors import InputError, MailAIError
from recommender import files
from recommender.core import groups, metrics
from recommender.core.algorithms import ALGORITHMS, BASELINE, COMPOSITES, create
from recommender.core.base import Recommender
from recommender.core.evaluation import Exam, Score, by_user, examine, lists, pooled
from recommender.core.intervals import Interval, bootstrap, interval, resampled_means
from recommender.core.splitting import Split, rolling_splits, split_last
from recommender.files import ShopFiles
from recommender.measuring import forget_peak, peak_mb

logger = logging.getLogger(__name__)
MEANS = ("precision", "recall", "f1", "map", "hit_rate")
STARS = {
    "rmse": metrics.root_mean_squared_error,
    "mse": metrics.mean_squared_error,
    "mae": metrics.mean_absolute_error,
}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to examine; the defaults of ``manage.py evaluate``."""

    test_share: float = 0.2
    k: int = 10
    repeats: bool = True
    seed: int = 0
    rolls: int = 1


@dataclass(frozen=True)
class Result:
    """What came of one algorithm: a score and the NDCG with repeats the other way, or a sentence what went wrong."""

    name: str
    score: Score | None = None
    other: np.ndarray | None = None
    peak_mb: float = 0.0
    error: str = ""


def evaluate(
    events: str, items: str | None = None, options: Options | None = None, tell: Tell = logger.info
) -> dict[str, Any]:
    """Score every algorithm on the last part of a behaviour file.

    Raises
    ------
    InputError : the file is not there, not a behaviour CSV, or too small to be split.
    """
    options = options or Options()
    _check(options)
    shop = files.read(events, items)
    splits = _splits(shop, options)
    exams = [_exam(shop, split, options, repeats=options.repeats) for split in splits]
    others = [_exam(shop, split, options, repeats=not options.repeats) for split in splits]
    tested = np.unique(np.concatenate([exam.tested for exam in exams]))
    if not len(tested):
        raise InputError(_("No shopper has two products before the split and an order after it. Give more days."))
    results = [_examined(name, exams, others, tell) for name in (*ALGORITHMS, *COMPOSITES)]
    rows = _rows(results, options.seed)
    best = next(one for one in results if one.name == rows[0]["name"])
    return {
        "split_at": _written(splits[-1]) if shop.has_clock else None,
        "splits": [_written(split) for split in splits] if shop.has_clock else [],
        "shoppers": shop.log.n_users,
        "test_shoppers": len(tested),
        "repeats": "keep" if options.repeats else "drop",
        "best_single": next((row["name"] for row in rows if "over_single" not in row and "ndcg" in row), None),
        "algorithms": rows,
        **_fairness(shop, splits[-1], tested, best, options.seed),
    }


def _check(options: Options) -> None:
    if not 0 < options.test_share < 1 or options.k < 1:
        raise InputError(_("The test share must lie between 0 and 1, and k must be at least 1."))
    if not 1 <= options.rolls < 1 / options.test_share:
        text = _("%(rolls)s test windows of %(share)s of the time leave nothing to learn from.")
        raise InputError(text % {"rolls": options.rolls, "share": options.test_share})


def _splits(shop: ShopFiles, options: Options) -> list[Split]:
    if shop.has_clock:
        return list(rolling_splits(shop.log, options.test_share, options.rolls))
    return [split_last(shop.log, back) for back in range(options.rolls - 1, -1, -1)]


def _exam(shop: ShopFiles, split: Split, options: Options, *, repeats: bool) -> Exam:
    return Exam(split, k=options.k, repeats=repeats, seed=options.seed, catalogue=shop.catalogue)


def _examined(name: str, exams: Sequence[Exam], others: Sequence[Exam], tell: Tell) -> Result:
    """Examine one algorithm in every window; whatever happens to it, the others go on."""
    forget_peak()
    scores, ranked = [], []
    try:
        for exam, other in zip(exams, others, strict=True):
            model = _begun(name, exam)
            scores.append(examine(model, exam))
            ranked.append(metrics.ndcg_at_k(lists(model, other), other.truth, other.k))
    except MailAIError as error:
        return _failed(name, str(error), tell)
    except Exception as error:
        logger.exception("%s could not be evaluated", name)
        text = _("It stopped with an error that nobody expected (%(kind)s: %(error)s).")
        return _failed(name, text % {"kind": type(error).__name__, "error": error}, tell)
    score = pooled(scores, [exam.tested for exam in exams])
    tell(f"{name}: NDCG {score.mean('ndcg'):.4f}, {score.fit_s + score.recommend_s:.1f} s")
    return Result(name, score, by_user(ranked, [other.tested for other in others]), peak_mb())


def _begun(name: str, exam: Exam) -> Recommender:
    """Return a new model at its default settings, told what the exam asks for where it wants to know."""
    told = {"seed": exam.seed, "repeats": exam.repeats}
    wanted = signature((ALGORITHMS | COMPOSITES)[name]).parameters
    return create(name, {key: value for key, value in told.items() if key in wanted})


def _failed(name: str, sentence: str, tell: Tell) -> Result:
    tell(f"{name}: {sentence}")
    return Result(name, error=sentence)


def _rows(results: Sequence[Result], seed: int) -> list[dict[str, Any]]:
    """Return the leaderboard, the best first, those that failed last; all intervals are of the same resamples."""
    done = [(one.name, one.score, one) for one in results if one.score is not None]
    failed = [{"name": one.name, "error": one.error} for one in results if one.score is None]
    if not done:
        return failed
    names = [name for name, _score, _one in done]
    ndcg = np.stack([score.per_user["ndcg"] for _name, score, _one in done], axis=1)
    drawn = resampled_means(ndcg, seed)
    references = {"over_popular": BASELINE if BASELINE in names else "", "over_single": _best_single(names, ndcg)}
    rows: list[dict[str, Any]] = []
    for n, (name, score, one) in enumerate(done):
        numbers = _spread("ndcg", interval(ndcg[:, n].mean(), drawn[:, n]))
        for label, other in references.items():
            if other not in ("", name):
                m = names.index(other)
                ahead = interval((ndcg[:, n] - ndcg[:, m]).mean(), drawn[:, n] - drawn[:, m])
                numbers |= _spread(label, ahead)
        numbers |= _spread("ndcg_other", bootstrap(one.other, seed)) if one.other is not None else {}
        rows.append({"name": name} | {key: round(value, 5) for key, value in (numbers | _rest(score, one)).items()})
    return sorted(rows, key=lambda row: -row["ndcg"]) + failed


def _best_single(names: Sequence[str], ndcg: np.ndarray) -> str:
    """Return the best algorithm that is not made of others; where only such are left, the best of them."""
    singles = [name for name in names if name in ALGORITHMS] or list(names)
    return max(singles, key=lambda name: float(ndcg[:, names.index(name)].mean()))


def _spread(name: str, figure: Interval) -> dict[str, float]:
    return {name: figure["value"], f"{name}_low": figure["low"], f"{name}_high": figure["high"]}


def _rest(score: Score, one: Result) -> dict[str, float]:
    numbers = {metric: score.mean(metric) for metric in MEANS}
    numbers |= {"coverage": score.coverage, "novelty": score.novelty, "diversity": score.diversity}
    if len(score.star_errors):
        numbers |= {name: metric(score.star_errors) for name, metric in STARS.items()}
    return numbers | {"fit_s": score.fit_s, "recommend_s": score.recommend_s, "peak_mb": one.peak_mb}


def _fairness(shop: ShopFiles, split: Split, tested: np.ndarray, best: Result, seed: int) -> dict[str, Any]:
    """Return how groups of shoppers and of products fare under the best algorithm, as seen before the last split."""
    if best.score is None:
        return {}
    told = [
        *groups.by_orders(groups.order_days(shop.log, split, tested)),
        *groups.by_country(shop.countries[tested]),
        *groups.by_price(groups.mean_prices(shop.log, split, tested, shop.prices)),
    ]
    return {
        "groups": {"algorithm": best.name, "rows": groups.compared(best.score.per_user["ndcg"], told, seed)},
        "bias": {"algorithm": best.name, "rows": groups.popularity_bias(split, best.score.exposure)},
    }


def _written(split: Split) -> str:
    return str(np.datetime64(int(split.at * files.SECONDS_A_DAY), "s")) + "Z"
