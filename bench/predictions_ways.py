"""What bench.predictions does in processes of their own, so that each peak of memory is one way's."""

import contextlib
import io
import json
import resource
import sys
import time
import warnings
from typing import Any

import numpy as np

from bench import predictions_shop
from segments import predictions
from segments.core import backtest, buying, features, floor, forecast, outlook, ranges, spending
from segments.core.order_book import Known, happened, known_at
from segments.models import PredictionRun

CUT = 0.75
TOLERANCES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


def no_activity(_at: float, ids: np.ndarray) -> np.ndarray:
    """Return that nothing but orders is known."""
    return features.no_activity(len(ids))


def online_retail(_options: dict[str, Any]) -> dict[str, Any]:
    """Learn three quarters of the year, predict the rest, beside the reference library and the last period."""
    book = predictions_shop.online_retail()
    first, last = book.span
    at, end = float(np.floor(first + (last - first) * CUT)), last + 1e-3
    days = end - at
    past = predictions_shop.before(book, at)
    started = time.perf_counter()
    lesson = forecast.study(past, at, activity_of=no_activity)
    seconds = time.perf_counter() - started
    known = known_at(past, at, window=lesson.learnt.window)
    orders, spend = happened(book, np.searchsorted(book.shoppers, past.shoppers[known.buyer]), at, days)
    mean, money = _ours(lesson, known, days)
    reference = _reference(known, days)
    before = happened(past, known.buyer, at - days, days)
    width = lesson.width
    covered = {
        "orders": ranges.covers(*ranges.orders_range(mean, width.scatter, width.levels["orders"]), orders),
        "spend": ranges.covers(*ranges.spend_range(money, mean, width, width.levels["spend"]), spend),
    }
    base = floor.orders(lesson.learnt.floor, floor.counted(known), days)
    ways = {
        "chosen": (mean, money),
        "our bg/nbd": (base, base * floor.order_value(lesson.learnt.floor, known)),
        "lifetimes bg/nbd": reference["said"],
        "same as last period": before,
    }
    return {
        "days": days, "shoppers": len(orders), "chosen": lesson.chosen, "seconds": seconds, "coverage": covered,
        "happened": {"orders": float(orders.sum()), "spend": float(spend.sum())},
        "ways": {
            name: {"orders": _errors(said[0], orders), "spend": _errors(said[1], spend)} for name, said in ways.items()
        },
        "tolerance": reference["tolerance"],
    }  # fmt: skip


def _ours(lesson: forecast.Lesson, known: Known, days: float) -> tuple[np.ndarray, np.ndarray]:
    """Return expected orders and money of so many days by the chosen models."""
    said, rows = outlook.floor_says(lesson.learnt, known), features.matrix(known, features.no_activity(len(known.n)))
    grows = floor.orders(lesson.learnt.floor, said.same, days) / np.maximum(said.orders, 1e-12)
    words = (
        outlook.says(lesson.learnt, target, said, rows)[lesson.chosen[target]] * grows
        for target in (outlook.ORDERS, outlook.SPEND)
    )
    orders, spend = words
    return orders, spend


def _reference(known: Known, days: float) -> dict[str, Any]:
    """Return what the library lifetimes says of the same shoppers.

    It counts days with an order, as its own summaries do; the shop's orders per such day are multiplied to it, as to
    ours. Hardly anybody leaves this shop for good, so that a and b have no maximum, and the library gives up at its
    usual tolerance: it gets the strictest with which it comes to an end.
    """
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.utils import ConvergenceError

    row = (known.x, known.t_x, known.age)
    for tolerance in TOLERANCES:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                fitted = BetaGeoFitter().fit(*row, tol=tolerance)
            break
        except ConvergenceError:
            continue
    orders = np.asarray(fitted.conditional_expected_number_of_purchases_up_to_time(days, *row))
    valued = known.mean > 0
    money = GammaGammaFitter().fit(known.n[valued], known.mean[valued])
    value = np.where(valued, np.asarray(money.conditional_expected_average_profit(known.n, known.mean)), 0.0)
    orders = orders * known.orders_per_day
    return {"said": (orders, orders * value), "tolerance": tolerance}


def cdnow(_options: dict[str, Any]) -> dict[str, Any]:
    """Fit the published example by both; parameter -> (ours, the library's)."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.datasets import load_cdnow_summary, load_cdnow_summary_data_with_monetary_value

    data, money = load_cdnow_summary(index_col=[0]), load_cdnow_summary_data_with_monetary_value()
    row = tuple(data[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    money = money[money["frequency"] > 0]
    n, mean = money["frequency"].to_numpy(float), money["monetary_value"].to_numpy(float)
    theirs = dict(BetaGeoFitter().fit(*row).params_) | dict(GammaGammaFitter().fit(n, mean).params_)
    spent = spending.fit(n, mean, penalty=0)
    ours = vars(buying.fit(*row, penalty=0)) | (vars(spent) if spent else {})
    return {name: (float(ours[name]), float(theirs[name])) for name in ours}


def _errors(said: np.ndarray, came: np.ndarray) -> dict[str, float]:
    off = backtest.mean_range(np.abs(said - came))
    return {
        "mae": off["value"], "low": off["low"], "high": off["high"],
        "rmse": float(np.sqrt(np.mean((said - came) ** 2))), "total": float(said.sum() / came.sum() - 1),
    }  # fmt: skip


def compute(options: dict[str, Any]) -> dict[str, Any]:
    """Try the models on a made shop and predict everybody, in memory."""
    book = predictions_shop.made(options["shoppers"])
    at = book.span[1] + 0.01
    ready = _peak_mb()
    started = time.perf_counter()
    lesson = forecast.study(book, at, activity_of=no_activity)
    studied = time.perf_counter()
    made = forecast.predict(book, at, lesson, activity_of=no_activity)
    ended = time.perf_counter()
    return {
        "shoppers": len(made.shoppers), "orders": len(book.day), "study_s": studied - started,
        "predict_s": ended - studied, "seconds": ended - started, "before_mb": ready, "peak_mb": _peak_mb(),
        "chosen": lesson.chosen, "coverage": lesson.metrics["coverage"],
    }  # fmt: skip


def database(_options: dict[str, Any]) -> dict[str, Any]:
    """Read, predict and write, as the task does."""
    run: PredictionRun = predictions.predict()
    return {
        "shoppers": run.n_shoppers, "orders": run.n_orders, "seconds": run.seconds, "peak_mb": _peak_mb(),
        "chosen": run.chosen,
    }  # fmt: skip


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WAYS = {"cdnow": cdnow, "online_retail": online_retail, "compute": compute, "database": database}


def main() -> None:
    """Go one way and print what came out as the last line: WAY OPTIONS."""
    way, options = sys.argv[1:]
    # The library tries values at which its logarithms fail, and says so hundreds of times.
    warnings.simplefilter("ignore", RuntimeWarning)
    print(json.dumps(WAYS[way](json.loads(options))), flush=True)


if __name__ == "__main__":
    main()
