"""What three models say of the same shoppers: the floor, the boosted trees, and the mean of both.

Trees are trained on one window of days that has passed. Where another number of days is asked for, the floor tells how
the window's figure grows or shrinks, shopper by shopper.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from behaviour.ahead import worked
from segments.core import challenger, features, floor
from segments.core.order_book import Known, OrderBook, happened, known_at
from segments.core.trees import Trees

FLOOR, BOOSTED, BOTH = "bgnbd", "boosted", "both"
MODELS = (FLOOR, BOOSTED, BOTH)
# What the trees are trained on; "chance" looks ahead 30 days, the others the whole window.
ORDERS, SPEND, CHANCE, CHURN = "orders", "spend", "chance", "churn"
TARGETS = (ORDERS, SPEND, CHANCE, CHURN)
SOON = 30.0
# (moment in days since 1970, ids of shoppers) -> activity of the 90 days before, float array (n, 6).
ActivityOf = Callable[[float, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Truth:
    """What happened in a window; arrays of shape (n,)."""

    orders: np.ndarray
    spend: np.ndarray
    soon: np.ndarray

    def of(self, target: str) -> np.ndarray:
        """Return the outcome of a target; bool for chances."""
        if target == CHANCE:
            return self.soon > 0
        if target == CHURN:
            return self.orders == 0
        return self.spend if target == SPEND else self.orders


@dataclass(frozen=True)
class Learnt:
    """The models as of a moment; `trees` is empty where there was too little to learn from."""

    floor: floor.Floor
    window: float
    trees: dict[str, Trees] = field(default_factory=dict)

    @property
    def soon(self) -> float:
        """Days of the target "chance"."""
        return min(SOON, self.window)


@dataclass(frozen=True)
class Said:
    """What the floor says of some shoppers, in the window and soon; arrays of shape (n,)."""

    same: floor.Counted
    orders: np.ndarray
    spend: np.ndarray
    chance: np.ndarray
    churn: np.ndarray


def truth(book: OrderBook, buyer: np.ndarray, at: float, window: float) -> Truth:
    """Return what some shoppers did in the window from a moment on."""
    orders, spend = happened(book, buyer, at, window)
    return Truth(orders, spend, happened(book, buyer, at, min(SOON, window))[0])


def learn(
    book: OrderBook, at: float, *, window: float, activity_of: ActivityOf, with_trees: bool = True, seed: int = 0
) -> Learnt:
    """Fit the models to what was known at a moment; nothing after it is looked at.

    The trees learn from what was known one window earlier and what came of it until the moment.
    """
    base = floor.fit(book, known_at(book, at), at, seed)
    then = at - window
    if not with_trees or not len(book.day) or then <= book.span[0]:
        return Learnt(base, window)
    known = known_at(book, then, window=window)
    known = known.take(challenger.chosen_rows(len(known.n), seed))
    outcome = truth(book, known.buyer, then, window)
    if not challenger.can_train(outcome.orders):
        return Learnt(base, window)
    rows = features.matrix(known, activity_of(then, book.shoppers[known.buyer]))
    jobs: dict[str, Callable[[], Trees]] = {
        ORDERS: partial(challenger.train_amounts, rows, outcome.orders, seed),
        CHURN: partial(challenger.train_chance, rows, outcome.of(CHURN), seed),
    }
    if (outcome.spend > 0).any():
        jobs[SPEND] = partial(challenger.train_amounts, rows, outcome.spend, seed)
    if challenger.can_train(outcome.soon):
        jobs[CHANCE] = partial(challenger.train_chance, rows, outcome.of(CHANCE), seed)
    trees = dict(zip(jobs, worked(jobs.values(), operator.call, threads=2), strict=True))
    return Learnt(base, window, trees)


def floor_says(learnt: Learnt, known: Known) -> Said:
    """Return what the floor expects."""
    same = floor.counted(known)
    orders = floor.orders(learnt.floor, same, learnt.window)
    return Said(
        same=same,
        orders=orders,
        spend=orders * floor.order_value(learnt.floor, known),
        chance=floor.chance(learnt.floor, same, learnt.soon),
        churn=1 - floor.chance(learnt.floor, same, learnt.window),
    )


def tree_says(learnt: Learnt, target: str, rows: np.ndarray) -> np.ndarray:
    """Return what the trees expect of a target, float array of shape (n,)."""
    model = learnt.trees[target]
    if target in (CHANCE, CHURN):
        return challenger.chances(model, rows)
    return challenger.amounts(model, rows)


def says(learnt: Learnt, target: str, said: Said, rows: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return what each model says of a target; only the floor where there are no trees for it."""
    base: np.ndarray = getattr(said, target)
    if target not in learnt.trees or rows is None:
        return {FLOOR: base}
    trees = tree_says(learnt, target, rows)
    return {FLOOR: base, BOOSTED: trees, BOTH: (trees + base) / 2}
