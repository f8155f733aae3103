"""Which model predicts better, tried on the shop's own last months as if they were still to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segments.core import features, outlook, ranges
from segments.core.order_book import OrderBook, happened, known_at
from segments.core.outlook import BOOSTED, BOTH, CHANCE, CHURN, FLOOR, MODELS, ORDERS, SPEND, TARGETS

# Days that are held back in each round, at most; of a shorter history a quarter.
WINDOW, SHORTEST_WINDOW = 90.0, 7.0
ROUNDS = 2
# Shoppers who are scored in each round, at most.
MOST_SCORED = 100_000
LAST_PERIOD = "last_period"
Z95 = 1.959963984540054
LEAST = 1e-3


@dataclass(frozen=True)
class Round:
    """One held-back window: what was said of each scored shopper, and what came.

    says : target -> model -> float array of shape (n,)
    scale : scored shoppers stand for so many
    """

    at: float
    says: dict[str, dict[str, np.ndarray]]
    truth: outlook.Truth
    scale: float

    def word(self, target: str, chosen: dict[str, str]) -> np.ndarray:
        """Return what the chosen model said; the floor's word where it said nothing in this round."""
        return self.says[target].get(chosen[target], self.says[target][FLOOR])

    def take(self, rows: np.ndarray) -> Round:
        """Return some of the shoppers."""
        says = {target: {model: said[rows] for model, said in models.items()} for target, models in self.says.items()}
        truth = outlook.Truth(self.truth.orders[rows], self.truth.spend[rows], self.truth.soon[rows])
        return Round(self.at, says, truth, self.scale)


def window_of(book: OrderBook, at: float) -> float:
    """Return how many days are held back: 90, or a quarter of a shorter history; whole days, at least 7."""
    return float(np.clip(np.floor((at - book.span[0]) / 4), SHORTEST_WINDOW, WINDOW))


def moments(book: OrderBook, at: float) -> list[float]:
    """Return the moments before which the activity of shoppers is asked for: now, and those of all rounds."""
    return [at - number * window_of(book, at) for number in range(ROUNDS + 2)]


def play(
    book: OrderBook,
    at: float,
    *,
    window: float,
    activity_of: outlook.ActivityOf,
    seed: int = 0,
    beat: Callable[[], None] = lambda: None,
) -> list[Round]:
    """Play the last windows, the newest first; none where the history is too short.

    Each round learns from what was known when its window began, the trees from the window before that.
    """
    rounds = []
    for number in range(1, ROUNDS + 1):
        start = at - number * window
        if not len(book.day) or start - window < book.span[0]:
            break
        learnt = outlook.learn(book, start, window=window, activity_of=activity_of, seed=seed)
        known = known_at(book, start, window=window)
        total = len(known.n)
        if total > MOST_SCORED:
            known = known.take(np.sort(np.random.default_rng(seed).choice(total, MOST_SCORED, replace=False)))
        rows = None
        if learnt.trees:
            rows = features.matrix(known, activity_of(start, book.shoppers[known.buyer]))
        said = outlook.floor_says(learnt, known)
        says = {target: outlook.says(learnt, target, said, rows) for target in TARGETS}
        before = happened(book, known.buyer, start - window, window)
        says[ORDERS][LAST_PERIOD], says[SPEND][LAST_PERIOD] = before[0], np.maximum(before[1], 0.0)
        truth = outlook.truth(book, known.buyer, start, window)
        rounds.append(Round(start, says, truth, total / max(len(known.n), 1)))
        beat()
    return rounds


def losses(target: str, said: np.ndarray, came: np.ndarray) -> np.ndarray:
    """Return each shopper's loss, by which models are chosen; smaller is better.

    Orders and money: the Poisson deviance, smallest in the mean for the true expectation (Gneiting 2011, JASA 106).
    Chances: the logarithmic loss.
    """
    from scipy.special import xlogy

    if target in (CHANCE, CHURN):
        safe = np.clip(said, LEAST, 1 - LEAST)
        return -np.where(came > 0, np.log(safe), np.log1p(-safe))
    came, safe = np.maximum(came, 0.0), np.maximum(said, LEAST)
    return 2 * (xlogy(came, came / safe) - came + safe)


def errors(target: str, said: np.ndarray, came: np.ndarray) -> np.ndarray:
    """Return each shopper's error as people read it: orders or money off; for chances the squared error (Brier)."""
    if target in (CHANCE, CHURN):
        return (said - came) ** 2
    return np.abs(said - came)


def mean_range(values: np.ndarray) -> dict[str, float]:
    """Return a mean with its 95 % range by the central limit theorem; the mean of nothing is 0."""
    if not len(values):
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    middle, half = float(values.mean()), Z95 * float(values.std()) / float(np.sqrt(len(values)))
    return {"value": middle, "low": middle - half, "high": middle + half}


def choose(rounds: list[Round], target: str) -> tuple[str, dict[str, dict[str, float]]]:
    """Return the model that serves a target, and how much lower each challenger's loss was, shopper by shopper.

    A challenger replaces the floor only where the whole 95 % range of the difference lies below 0. Of several, the one
    with the smallest loss.
    """
    against: dict[str, dict[str, float]] = {}
    for model in (BOOSTED, BOTH):
        played = [one for one in rounds if model in one.says[target]]
        if not played:
            continue
        differences = [
            losses(target, one.says[target][model], one.truth.of(target))
            - losses(target, one.says[target][FLOOR], one.truth.of(target))
            for one in played
        ]
        against[model] = mean_range(np.concatenate(differences))
    better = {model: row["value"] for model, row in against.items() if row["high"] < 0}
    return (min(better, key=lambda model: better[model]) if better else FLOOR), against


def scores(rounds: list[Round], target: str) -> dict[str, dict[str, float]]:
    """Return model -> error with its 95 % range, the loss, and the total that was said over what came."""
    found: dict[str, dict[str, float]] = {}
    for model in (*MODELS, LAST_PERIOD):
        played = [one for one in rounds if model in one.says[target]]
        if not played:
            continue
        said = np.concatenate([one.says[target][model] for one in played])
        came = np.concatenate([one.truth.of(target) for one in played]).astype(float)
        off = mean_range(errors(target, said, came))
        found[model] = {"error": off["value"], "low": off["low"], "high": off["high"]}
        found[model] |= {"predicted": float(said.mean()), "happened": float(came.mean()), "n": float(len(said))}
        if model != LAST_PERIOD:
            found[model]["loss"] = float(losses(target, said, came).mean())
    return found


def fit_width(rounds: list[Round], chosen: dict[str, str], *, n_orders: float, years: float) -> ranges.Width:
    """Set the widths from rounds: scatter of the counts, shape of the spending, levels that cover 80 %.

    n_orders : orders of the shop; years : length of its history
    """
    if not rounds:
        return ranges.Width(n_orders=n_orders)
    mean = np.concatenate([one.word(ORDERS, chosen) for one in rounds])
    spend = np.concatenate([one.word(SPEND, chosen) for one in rounds])
    count = np.concatenate([one.truth.orders for one in rounds])
    money = np.concatenate([one.truth.spend for one in rounds])
    # The scatter is fitted to the first rows: any of them, not those of the newest round.
    mixed = np.random.default_rng(0).permutation(len(mean))
    phi = ranges.fit_phi(mean[mixed], count[mixed])
    width = ranges.Width(
        phi=phi,
        shape=ranges.fit_shape(spend, mean, money, phi),
        drift=ranges.fit_drift(
            [float(one.word(ORDERS, chosen).sum()) for one in rounds],
            [float(one.truth.orders.sum()) for one in rounds],
            years,
        ),
        n_orders=n_orders,
        levels={},
    )
    width.levels[ORDERS] = ranges.fit_level(
        lambda level, factor: ranges.orders_range(mean * factor, width.scatter, level), count, width.drift
    )
    width.levels[SPEND] = ranges.fit_level(
        lambda level, factor: ranges.spend_range(spend * factor, mean * factor, width, level), money, width.drift
    )
    return width


def coverage(rounds: list[Round], chosen: dict[str, str], *, n_orders: float, years: float) -> dict[str, float]:
    """Return how many shoppers of the newest round fell into ranges whose width was set without that round.

    With one round only, the width is set on one half of the shoppers and tried on the other.
    """
    if not rounds:
        return {}
    newest, older = rounds[0], rounds[1:]
    n = len(newest.truth.orders)
    tried = np.arange(n)
    if not older:
        halves = np.random.default_rng(0).permutation(n)
        tried, older = halves[: n // 2], [newest.take(halves[n // 2 :])]
    width = fit_width(older, chosen, n_orders=n_orders, years=years)
    test = newest.take(tried)
    mean, spend = test.word(ORDERS, chosen), test.word(SPEND, chosen)
    counts = ranges.orders_range(mean, width.scatter, width.levels[ORDERS])
    money = ranges.spend_range(spend, mean, width, width.levels[SPEND])
    return {
        ORDERS: ranges.covers(*counts, test.truth.orders),
        SPEND: ranges.covers(*money, test.truth.spend),
        "n": float(len(tried)),
    }
