"""The leaderboard on a behaviour file: no database, so that a shop's data can be tried before it is loaded."""

from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from mailai.errors import InputError
from recommender import files
from recommender.core.algorithms import ALGORITHMS
from recommender.core.evaluation import Exam, bootstrap, examine
from recommender.core.splitting import Split, split_by_time, split_last
from recommender.training import peak_mb

MEANS = ("precision", "recall", "f1", "map", "hit_rate")


def evaluate(
    path: str,
    items: str | None = None,
    *,
    test_share: float = 0.2,
    k: int = 10,
    repeats: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Score every algorithm on the last part of a behaviour file.

    Raises
    ------
    InputError : the file is not there, not a behaviour CSV, or too small to be split.
    """
    if not 0 < test_share < 1 or k < 1:
        raise InputError(_("The test share must lie between 0 and 1, and k must be at least 1."))
    shop = files.read(path, items)
    split = split_by_time(shop.log, test_share) if shop.has_clock else split_last(shop.log)
    exam = Exam(split, k=k, repeats=repeats, seed=seed, catalogue=shop.catalogue)
    if not exam.n_test_users:
        raise InputError(_("No shopper has two products before the split and an order after it. Give more days."))
    return {
        "split_at": _written(split) if shop.has_clock else None,
        "shoppers": shop.log.n_users,
        "test_shoppers": exam.n_test_users,
        "algorithms": sorted((_row(name, exam) for name in ALGORITHMS), key=lambda row: -row["ndcg"]),
    }


def _row(name: str, exam: Exam) -> dict[str, Any]:
    score = examine(ALGORITHMS[name](), exam)
    interval = bootstrap(score.per_user["ndcg"], exam.seed)
    numbers = {"ndcg": interval["value"], "ndcg_low": interval["low"], "ndcg_high": interval["high"]}
    numbers |= {metric: score.mean(metric) for metric in MEANS}
    numbers |= {"coverage": score.coverage, "novelty": score.novelty, "diversity": score.diversity}
    numbers |= {"fit_s": score.fit_s, "recommend_s": score.recommend_s, "peak_mb": peak_mb()}
    return {"name": name} | {key: round(value, 5) for key, value in numbers.items()}


def _written(split: Split) -> str:
    return str(np.datetime64(int(split.at * files.SECONDS_A_DAY), "s")) + "Z"
