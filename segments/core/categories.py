"""What her next order will hold: her own habits, leaned on the shop's where she has few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segments.core.backtest import mean_range

# How many orders of the shop's average stand beside her own; the back-test picks one. The last: only the shop.
LEANS = (0.5, 1.0, 3.0, 10.0, 1e9)
OWN, POPULAR = "own", "popular"


@dataclass(frozen=True)
class Habits:
    """In how many orders each shopper bought each category; sparse rows.

    shopper, category : int arrays of shape (n_pairs,), indices
    count : float array of shape (n_pairs,), orders that held the category
    n_orders : float array of shape (n_shoppers,)
    share : float array of shape (n_categories,), the share of the shop's orders that hold each category
    """

    shopper: np.ndarray
    category: np.ndarray
    count: np.ndarray
    n_orders: np.ndarray
    share: np.ndarray


def next_category(habits: Habits, lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Return each shopper's likeliest category and the chance that her next order holds it.

    (orders with it + lean * share of the shop) / (her orders + lean), the mean of a beta distribution (Gelman et al.
    2013, Bayesian Data Analysis, chapter 2).

    Returns
    -------
    (category, chance), arrays of shape (n_shoppers,); -1 and NaN where the shop has no category
    """
    n = len(habits.n_orders)
    if not len(habits.share):
        return np.full(n, -1), np.full(n, np.nan)
    popular = int(habits.share.argmax())
    category, chance = np.full(n, popular), lean * habits.share[popular] / (habits.n_orders + lean)
    # Her own pairs; the most popular category competes with its count where she bought it.
    own = (habits.count + lean * habits.share[habits.category]) / (habits.n_orders[habits.shopper] + lean)
    order = np.lexsort((-habits.category, own, habits.shopper))
    last = np.flatnonzero(np.diff(habits.shopper[order], append=-1))
    best = order[last]
    who = habits.shopper[best]
    better = own[best] >= chance[who]
    category[who[better]], chance[who[better]] = habits.category[best[better]], own[best[better]]
    return category, chance


def score(category: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return whether each shopper's next order held the category told.

    Parameters
    ----------
    category : int array of shape (n,)
    held : bool array of shape (n, n_categories)
    """
    return held[np.arange(len(category)), np.maximum(category, 0)] & (category >= 0)


def choose_lean(habits: Habits, held: np.ndarray, tested: np.ndarray) -> tuple[float, dict[str, dict[str, float]]]:
    """Try every lean on orders that came later.

    Parameters
    ----------
    habits : as of before
    held : bool array of shape (n_tested, n_categories), what each next order held
    tested : int array of shape (n_tested,), index of the shopper

    Returns
    -------
    (lean, {"own": …, "popular": …}) with the share of next orders that held what was told, 95 % range as `low` and
    `high`, and the mean chance told as `predicted`
    """
    hits = {}
    for lean in LEANS:
        category, chance = next_category(habits, lean)
        hits[lean] = (score(category[tested], held), chance[tested])
    best = max(LEANS, key=lambda lean: (hits[lean][0].mean(), -lean))
    table = {}
    own = max(LEANS[:-1], key=lambda lean: (hits[lean][0].mean(), -lean))
    for name, lean in ((OWN, own), (POPULAR, LEANS[-1])):
        row = mean_range(hits[lean][0].astype(float))
        table[name] = {"error": 1 - row["value"], "low": 1 - row["high"], "high": 1 - row["low"]}
        table[name] |= {"predicted": float(hits[lean][1].mean()), "happened": row["value"], "n": float(len(tested))}
    return best, table
