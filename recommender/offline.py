"""The leaderboard on a behaviour file: no database, so that a shop's data can be tried before it is loaded."""

from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from mailai.errors import InputError
from recommender.core.algorithms import ALGORITHMS
from recommender.core.evaluation import Exam, bootstrap, examine
from recommender.core.interactions import KINDS, LIKED_STARS, PURCHASE, IdMap
from recommender.core.splitting import Log, Split, split_by_time, split_last
from recommender.training import peak_mb

NEEDED = ("user_id", "item_id", "event")
MEANS = ("precision", "recall", "f1", "map", "hit_rate")
SECONDS_A_DAY = 86_400.0


def evaluate(path: str, *, test_share: float = 0.2, k: int = 10, repeats: bool = True, seed: int = 0) -> dict[str, Any]:
    """Score every algorithm on the last part of a behaviour file.

    Raises
    ------
    InputError : the file is not there, not a behaviour CSV, or too small to be split.
    """
    if not 0 < test_share < 1 or k < 1:
        raise InputError(_("The test share must lie between 0 and 1, and k must be at least 1."))
    log, has_clock = read(path)
    split = split_by_time(log, test_share) if has_clock else split_last(log)
    exam = Exam(split, k=k, repeats=repeats, seed=seed)
    if not exam.n_test_users:
        raise InputError(_("No shopper has two products before the split and an order after it. Give more days."))
    return {
        "split_at": _written(split) if has_clock else None,
        "shoppers": log.n_users,
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
    return str(np.datetime64(int(split.at * SECONDS_A_DAY), "s")) + "Z"


def read(path: str) -> tuple[Log, bool]:
    """Read a behaviour CSV (also .gz) into codes, and say whether it has a clock.

    A file of ratings without orders: four stars and more are what was liked, and count as orders.
    """
    import pandas as pd

    if not Path(path).is_file():
        raise InputError(_("There is no file %(path)s.") % {"path": path})
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, EOFError, pd.errors.ParserError) as error:
        raise InputError(_("%(path)s can't be read as a CSV file in UTF-8.") % {"path": path}) from error
    clock = "timestamp" if "timestamp" in frame else "position"
    missing = [column for column in (*NEEDED, clock) if column not in frame]
    if missing:
        text = _("The file has no column %(columns)s. It needs user_id, item_id, event, timestamp.")
        raise InputError(text % {"columns": ", ".join(missing)})
    frame = _telling(frame, pd)
    if frame.empty:
        raise InputError(_("The file has no event that says what a shopper likes: purchase, cart, view, favourite."))
    frame = frame.assign(day=_days(frame[clock], clock, pd)).sort_values("day", kind="stable")
    users, items = IdMap(frame.user_id.to_numpy(object)), IdMap(frame.item_id.to_numpy(object))
    log = Log(
        users=users.codes(frame.user_id.to_numpy(object)),
        items=items.codes(frame.item_id.to_numpy(object)),
        kinds=frame.code.to_numpy(np.uint8),
        days=frame.day.to_numpy(float),
        n_users=len(users),
        n_items=len(items),
    )
    return log, clock == "timestamp"


def _telling(frame: Any, pd: Any) -> Any:
    """Keep the events that say something, with their code."""
    frame = frame[frame.event.isin(KINDS) & (frame.item_id != "") & (frame.user_id != "")]
    frame = frame.assign(code=frame.event.map({kind: code for code, kind in enumerate(KINDS)}))
    if "rating" in frame and (frame.event == "rating").any():
        stars = pd.to_numeric(frame.rating, errors="coerce").fillna(0)
        frame = frame[(frame.event != "rating") | (stars >= LIKED_STARS)]
        if not (frame.event == "purchase").any():
            frame = frame.assign(code=PURCHASE)
    return frame


def _days(column: Any, clock: str, pd: Any) -> Any:
    """Return days since 1970 (UTC where the file names no zone), or the position as it is."""
    try:
        if clock == "position":
            return column.astype(float)
        stamps = pd.to_datetime(column, utc=True, format="ISO8601")
        return (stamps - pd.Timestamp(0, tz="UTC")).dt.total_seconds() / SECONDS_A_DAY
    except ValueError as error:
        text = _("The column %(column)s holds something that is neither a time (2026-11-02 14:05:00) nor a number.")
        raise InputError(text % {"column": clock}) from error
