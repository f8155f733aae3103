"""The floor under every prediction: BG/NBD and gamma-gamma over all shoppers, equal shoppers worked out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segments.core import buying, spending
from segments.core.order_book import Known, OrderBook, kept_share

# The fit reads this many rows at most: beyond them the parameters no longer move.
MOST_ROWS = 200_000
BITS = 16


@dataclass(frozen=True)
class Floor:
    """The fitted models, and two shares of the whole shop.

    per_day : orders on a day with an order; kept : share of the money that refunds leave
    """

    buying: buying.Buying
    spending: spending.Spending | None
    per_day: float
    kept: float


@dataclass(frozen=True)
class Counted:
    """Rows that differ in (x, t_x, age), how many shoppers share each, and each shopper's row."""

    x: np.ndarray
    t_x: np.ndarray
    age: np.ndarray
    weights: np.ndarray
    back: np.ndarray


def counted(known: Known) -> Counted:
    """Put equal shoppers together; exact, as all three are whole numbers below 65,536."""
    parts = [np.minimum(part, 2**BITS - 1).astype(np.int64) for part in (known.x, known.t_x, known.age)]
    key = (parts[0] << 2 * BITS) | (parts[1] << BITS) | parts[2]
    rows, back, weights = np.unique(key, return_inverse=True, return_counts=True)
    low = 2**BITS - 1
    columns = (rows >> 2 * BITS, (rows >> BITS) & low, rows & low)
    x, t_x, age = (column.astype(float) for column in columns)
    return Counted(x, t_x, age, weights.astype(float), back)


def fit(book: OrderBook, known: Known, at: float, seed: int = 0) -> Floor:
    """Fit both models to what was known at a moment."""
    n = len(known.n)
    rows = np.arange(n) if n <= MOST_ROWS else np.random.default_rng(seed).choice(n, MOST_ROWS, replace=False)
    part = known.take(rows)
    same = counted(part)
    return Floor(
        buying=buying.fit(same.x, same.t_x, same.age, same.weights),
        spending=spending.fit(part.n, part.mean),
        per_day=known.orders_per_day,
        kept=kept_share(book, at),
    )


def orders(floor: Floor, same: Counted, days: float) -> np.ndarray:
    """Return the expected orders of each shopper in the next days."""
    return (floor.per_day * buying.expected(floor.buying, same.x, same.t_x, same.age, days))[same.back]


def chance(floor: Floor, same: Counted, days: float) -> np.ndarray:
    """Return each shopper's chance of an order in the next days."""
    return buying.chance(floor.buying, same.x, same.t_x, same.age, days)[same.back]


def order_value(floor: Floor, known: Known) -> np.ndarray:
    """Return what an order of each shopper is expected to bring, after the shop's usual refunds."""
    return floor.kept * spending.order_value(floor.spending, known.n, known.mean)
