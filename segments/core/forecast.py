"""All predictions of a shop: tried on its last months, then made for everybody who ever ordered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from behaviour.ahead import worked
from segments.core import backtest, buying, challenger, drivers, features, floor, outlook, ranges
from segments.core.backtest import Round
from segments.core.order_book import Known, OrderBook, known_at
from segments.core.outlook import BOTH, CHANCE, CHURN, FLOOR, ORDERS, SOON, SPEND, TARGETS
from segments.core.trees import Trees

HORIZONS = (30.0, 90.0, 365.0)
# She leaves when she orders nothing for so long; she is gone when it is a year.
QUIET, GONE = 90.0, 365.0
# Beyond it no order is expected.
FURTHEST_DAYS = 730.0
BLOCK = 50_000
MOST_REASONS, LEAST_REASON = 4, 0.005
REASONS = tuple(features.GROUPS)
GROUPS = [features.places(name) for name in REASONS]
# The figure that stands beside a reason.
REASON_VALUES = {
    "recency": "since", "orders": "n", "tenure": "age", "spending": "mean", "visits": "views_30", "emails": "clicks_90",
}  # fmt: skip
FLOAT_COLUMNS = (
    *(f"orders_{h:.0f}d{end}" for h in HORIZONS for end in ("", "_low", "_high")),
    *(f"spend_{h:.0f}d{end}" for h in HORIZONS for end in ("", "_low", "_high")),
    *(f"{name}{end}" for name in ("order_chance", "churn_chance", "gone_chance") for end in ("", "_low", "_high")),
)  # fmt: skip
DAY_COLUMNS = ("next_order_on", "next_order_from", "next_order_until")
PERCENTILES = {"value_percentile": "spend_365d", "order_percentile": "order_chance", "churn_percentile": "churn_chance"}
Beat = Callable[[], None]


@dataclass(frozen=True)
class Lesson:
    """What the back-test taught, and the models fitted to everything."""

    learnt: outlook.Learnt
    chosen: dict[str, str]
    width: ranges.Width
    rounds: list[Round]
    calibration: dict[str, list[dict[str, float]]]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Forecast:
    """Predictions of n shoppers.

    shoppers : int64 array of shape (n,), ids
    columns : float32 arrays of shape (n,) by name; DAY_COLUMNS are days from the moment on, NaN = none
    percentiles : int8 arrays of shape (n,), 0..99
    reason : int8 array of shape (n, 4), index into REASONS, -1 = none; weight, value : float32, the same shape
    """

    shoppers: np.ndarray
    columns: dict[str, np.ndarray]
    percentiles: dict[str, np.ndarray]
    reason: np.ndarray
    weight: np.ndarray
    value: np.ndarray


def study(
    book: OrderBook, at: float, *, activity_of: outlook.ActivityOf, seed: int = 0, beat: Beat = lambda: None
) -> Lesson:
    """Play the last windows, choose the models, set the widths, fit everything anew."""
    window = backtest.window_of(book, at)
    rounds = backtest.play(book, at, window=window, activity_of=activity_of, seed=seed, beat=beat)
    chosen, against = {}, {}
    for target in TARGETS:
        chosen[target], against[target] = backtest.choose(rounds, target)
    history = {"n_orders": float(len(book.day)), "years": (at - book.span[0]) / 365 if len(book.day) else 0.0}
    width = backtest.fit_width(rounds, chosen, **history)
    covered = backtest.coverage(rounds, chosen, **history)
    calibration = {target: _calibration(rounds, chosen, target) for target in (CHANCE, CHURN)}
    with_trees = any(model != FLOOR for model in chosen.values())
    learnt = outlook.learn(book, at, window=window, activity_of=activity_of, with_trees=with_trees, seed=seed)
    beat()
    metrics = {
        "window": window,
        "starts": [one.at for one in rounds],
        "targets": {
            target: {
                model: row | ({"coverage": covered[target]} if model == chosen[target] and target in covered else {})
                for model, row in backtest.scores(rounds, target).items()
            }
            for target in TARGETS
        },
        "against": against,
        "coverage": covered,
        "calibration": calibration[CHANCE],
        "calibration_churn": calibration[CHURN],
        "totals": [_totals(one, chosen) for one in rounds],
        "levels": width.levels, "phi": width.phi, "drift": width.drift,
    }  # fmt: skip
    return Lesson(learnt, chosen, width, rounds, calibration, metrics)


def parameters(lesson: Lesson) -> dict[str, Any]:
    """Return the fitted parameters as plain numbers; rates per day, money in the shop's currency."""
    base = lesson.learnt.floor
    money = base.spending
    return {
        "r": base.buying.r, "alpha": base.buying.alpha, "a": base.buying.a, "b": base.buying.b,
        "p": money.p if money else None, "q": money.q if money else None, "v": money.v if money else None,
        "orders_per_day": base.per_day, "kept": base.kept, "window": lesson.learnt.window,
    }  # fmt: skip


def predict(
    book: OrderBook, at: float, lesson: Lesson, *, activity_of: outlook.ActivityOf, beat: Beat = lambda: None
) -> Forecast:
    """Predict for everybody who had ordered by the moment; memory grows by some 200 bytes per shopper."""
    known = known_at(book, at, window=lesson.learnt.window)
    n = len(known.n)
    same = floor.counted(known)
    table = _floor_table(lesson.learnt, same)
    needs_rows = bool(lesson.learnt.trees) and any(model != FLOOR for model in lesson.chosen.values())
    shoppers = book.shoppers[known.buyer]
    activity = activity_of(at, shoppers) if needs_rows else features.no_activity(n)
    usual = _usual(known, activity)
    columns = {name: np.empty(n, np.float32) for name in (*FLOAT_COLUMNS, *DAY_COLUMNS)}
    reason = np.full((n, MOST_REASONS), -1, np.int8)
    weight, value = np.zeros((2, n, MOST_REASONS), np.float32)

    def tell(block: slice) -> None:
        part = known.take(np.arange(block.start, block.stop))
        says = {name: column[same.back[block]] for name, column in table.items()}
        rows = features.matrix(part, activity[block])
        for name, numbers in _columns(lesson, part, says, rows if needs_rows else None).items():
            columns[name][block] = numbers
        found = _parts(lesson, says, rows, usual)
        reason[block], weight[block], value[block] = _strongest(found, rows)

    # Numpy leaves Python's lock alone while it looks up what trees say.
    for _told in worked((slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)), tell, threads=2):
        beat()
    percentiles = {name: percentile(columns[of]) for name, of in PERCENTILES.items()}
    return Forecast(shoppers, columns, percentiles, reason, weight, value)


def totals(forecast: Forecast, lesson: Lesson) -> dict[str, tuple[float, float, float, float]]:
    """Return what all shoppers together are expected to do: target -> (sum, low, high, days)."""
    found = {}
    for days in HORIZONS:
        for what in ("orders", "spend"):
            found[f"{what}_{days:.0f}d"] = (float(forecast.columns[f"{what}_{days:.0f}d"].sum(dtype=float)), days)
    for name, days in (("order_chance", SOON), ("churn_chance", QUIET), ("gone_chance", GONE)):
        found[name] = (float(forecast.columns[name].sum(dtype=float)), days)
    window = lesson.learnt.window
    return {
        name: (total, *ranges.total_range(total, lesson.width.drift, days / window), days)
        for name, (total, days) in found.items()
    }


def importance(forecast: Forecast) -> dict[str, float]:
    """Return how far each group of inputs moves the chance to order, on average over all shoppers."""
    sizes = np.abs(forecast.weight) * (forecast.reason >= 0)
    n = max(len(forecast.shoppers), 1)
    return {name: float(sizes[forecast.reason == place].sum(dtype=float)) / n for place, name in enumerate(REASONS)}


def percentile(values: np.ndarray) -> np.ndarray:
    """Return how many of a hundred have less, int8 array in 0..99."""
    n = max(len(values), 1)
    return (100 * np.searchsorted(np.sort(values), values, side="left") // n).astype(np.int8)


def _calibration(rounds: list[Round], chosen: dict[str, str], target: str) -> list[dict[str, float]]:
    if not rounds:
        return []
    said = np.concatenate([one.word(target, chosen) for one in rounds])
    return ranges.calibration(said, np.concatenate([one.truth.of(target) for one in rounds]))


def _totals(one: Round, chosen: dict[str, str]) -> dict[str, float]:
    row = {"at": one.at}
    for target in (ORDERS, SPEND):
        row[f"{target}_predicted"] = float(one.word(target, chosen).sum()) * one.scale
        row[f"{target}_happened"] = float(one.truth.of(target).sum()) * one.scale
    return row


def _floor_table(learnt: outlook.Learnt, same: floor.Counted) -> dict[str, np.ndarray]:
    """Return all that the floor says, once for each row of equal shoppers."""
    model, row = learnt.floor.buying, (same.x, same.t_x, same.age)
    table = {"alive": buying.alive(model, *row)}
    for days in {*HORIZONS, learnt.window}:
        table[f"orders_{days:.0f}"] = learnt.floor.per_day * buying.expected(model, *row, days)
    for days in {SOON, QUIET, GONE, learnt.soon, learnt.window}:
        table[f"chance_{days:.0f}"] = buying.chance(model, *row, days)
    for days in (SOON, QUIET, GONE):
        table[f"low_{days:.0f}"], table[f"high_{days:.0f}"] = buying.chance_range(model, *row, days)
    parts = drivers.floor_parts(model, same, SOON)
    return table | {f"part_{name}": parts[:, place] for place, name in enumerate(("recency", "orders", "tenure"))}


def _columns(
    lesson: Lesson, known: Known, says: dict[str, np.ndarray], rows: np.ndarray | None
) -> dict[str, np.ndarray]:
    learnt, width = lesson.learnt, lesson.width
    window, soon = f"{learnt.window:.0f}", f"{learnt.soon:.0f}"
    value = floor.order_value(learnt.floor, known)
    base = {
        ORDERS: says[f"orders_{window}"], SPEND: says[f"orders_{window}"] * value,
        CHANCE: says[f"chance_{soon}"], CHURN: 1 - says[f"chance_{window}"],
    }  # fmt: skip
    word = {target: _word(lesson, target, base[target], rows) for target in TARGETS}
    # Trees know one window; the floor tells, for each shopper, how much more or less other days bring.
    order = np.clip(word[CHANCE] * _ratio(says["chance_30"], base[CHANCE]), 0, 1)
    within = np.clip((1 - word[CHURN]) * _ratio(says["chance_90"], 1 - base[CHURN]), order, 1)
    year = np.clip((1 - word[CHURN]) * _ratio(says["chance_365"], 1 - base[CHURN]), within, 1)
    found: dict[str, np.ndarray] = {}
    least = {30.0: order, 90.0: within, 365.0: year}
    before = np.zeros(len(order))
    for days in HORIZONS:
        name = f"{days:.0f}d"
        grows = _ratio(says[f"orders_{days:.0f}"], base[ORDERS])
        # Expected orders are never below the chance of one, nor below those of fewer days.
        before = np.maximum(word[ORDERS] * grows, np.maximum(least[days], before))
        found[f"orders_{name}"], found[f"spend_{name}"] = before, word[SPEND] * grows
        found[f"orders_{name}_low"], found[f"orders_{name}_high"] = ranges.orders_range(
            before, width.scatter, width.levels[ORDERS]
        )
        found[f"spend_{name}_low"], found[f"spend_{name}_high"] = ranges.spend_range(
            found[f"spend_{name}"], before, width, width.levels[SPEND]
        )
    found |= _chances(lesson, says, order, within, year)
    return found | _days(learnt, known, says, within)


def _word(lesson: Lesson, target: str, base: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    model = lesson.chosen[target]
    if model == FLOOR or rows is None or target not in lesson.learnt.trees:
        return base
    trees = outlook.tree_says(lesson.learnt, target, rows)
    return (trees + base) / 2 if model == BOTH else trees


def _ratio(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known > 1e-12, asked / np.maximum(known, 1e-12), 1.0)


def _chances(
    lesson: Lesson, says: dict[str, np.ndarray], order: np.ndarray, within: np.ndarray, year: np.ndarray
) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, chance, days, table in (
        ("order_chance", order, SOON, CHANCE), ("churn_chance", 1 - within, QUIET, CHURN),
        ("gone_chance", 1 - year, GONE, CHURN),
    ):  # fmt: skip
        base, low, high = (says[f"{end}_{days:.0f}"] for end in ("chance", "low", "high"))
        if name != "order_chance":
            base, low, high = 1 - base, 1 - high, 1 - low
        found[name] = chance
        found[f"{name}_low"], found[f"{name}_high"] = ranges.chance_range(
            chance, base, (low, high), lesson.calibration[table]
        )
    return found


def _days(
    learnt: outlook.Learnt, known: Known, says: dict[str, np.ndarray], within: np.ndarray
) -> dict[str, np.ndarray]:
    """Return after how many days her next order has come with 50 %, 10 % and 90 %; NaN beyond two years."""
    there = np.clip(says["alive"] * _ratio(within, says["chance_90"]), 1e-9, 1.0)
    found = {}
    for name, level in zip(DAY_COLUMNS, (0.5, 0.1, 0.9), strict=True):
        days = buying.days_until(learnt.floor.buying, known.x, known.age, there=there, level=level)
        found[name] = np.where(days <= FURTHEST_DAYS, days, np.nan)
    for name in DAY_COLUMNS[1:]:
        found[name][np.isnan(found["next_order_on"])] = np.nan
    return found


def _usual(known: Known, activity: np.ndarray) -> np.ndarray:
    some = np.arange(0, len(known.n), max(len(known.n) // 20_000, 1))
    if not len(some):
        return np.zeros(len(features.COLUMNS), np.float32)
    return np.asarray(np.median(features.matrix(known.take(some), activity[some]), axis=0))


def _parts(lesson: Lesson, says: dict[str, np.ndarray], rows: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Return each group's part in the chance to order soon, of the model that serves; shape (n, n_groups)."""
    base = np.zeros((len(rows), len(REASONS)))
    for place, name in enumerate(REASONS):
        if f"part_{name}" in says:
            base[:, place] = says[f"part_{name}"]
    model = lesson.chosen[CHANCE]
    if model == FLOOR or CHANCE not in lesson.learnt.trees:
        return base
    trees = drivers.parts(partial(_mixed, lesson.learnt.trees[CHANCE], rows, usual), len(GROUPS))
    return (trees + base) / 2 if model == BOTH else trees


def _mixed(trees: Trees, rows: np.ndarray, usual: np.ndarray, ways: Sequence[tuple[int, ...]]) -> np.ndarray:
    return challenger.chance_of(trees.mixed(rows, usual[None, :], GROUPS, ways))


def _strongest(parts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    best = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :MOST_REASONS]
    weights = np.take_along_axis(parts, best, axis=1)
    values = rows[:, [features.COLUMNS.index(REASON_VALUES[name]) for name in REASONS]]
    codes = np.where(np.abs(weights) >= LEAST_REASON, best, -1)
    return codes, weights, np.take_along_axis(values, best, axis=1)
