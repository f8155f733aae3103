"""All orders of a shop as arrays, and what was known of each shopper at a moment."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

# Windows, in days before the moment, in which orders and money are counted.
YEAR = 365.0
RECENT = (30.0, 90.0, 180.0, YEAR)


@dataclass(frozen=True)
class OrderBook:
    """Orders and refunds by shopper, then oldest first.

    shoppers : int64 array of shape (n_shoppers,), ids, ascending; everybody who ever ordered or got money back
    shopper : int32 array of shape (n_orders,), index into `shoppers`
    day : float array of shape (n_orders,), days since 1970
    money : float array of shape (n_orders,), the shop's currency
    back_shopper, back_day, back_money : the same of refunds; money given back is positive
    """

    shoppers: np.ndarray
    shopper: np.ndarray
    day: np.ndarray
    money: np.ndarray
    back_shopper: np.ndarray
    back_day: np.ndarray
    back_money: np.ndarray

    @property
    def span(self) -> tuple[float, float]:
        """The days of the first and the last order; (0, 0) without one."""
        return (float(self.day.min()), float(self.day.max())) if len(self.day) else (0.0, 0.0)


@dataclass(frozen=True)
class Known:
    """What was known at a moment of everybody who had ordered by then; arrays of shape (n_buyers,).

    buyer : index into OrderBook.shoppers
    x : days with an order after the first such day
    t_x, age : days from the first order to the last, and to the moment
    n : orders
    mean : money per order, refunds not taken off
    gap : mean days between two days with an order; `age` where there was one
    last_money : money of the last order
    n_within, money_within : shape (n_buyers, 4), orders and money of the last 30, 90, 180, 365 days
    season : orders in the same window a year ago
    """

    buyer: np.ndarray
    x: np.ndarray
    t_x: np.ndarray
    age: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    gap: np.ndarray
    last_money: np.ndarray
    n_within: np.ndarray
    money_within: np.ndarray
    season: np.ndarray

    def take(self, rows: np.ndarray) -> Known:
        """Return some of the rows."""
        return Known(*(getattr(self, one.name)[rows] for one in fields(self)))

    @property
    def since(self) -> np.ndarray:
        """Days since the last order."""
        return self.age - self.t_x

    @property
    def orders_per_day(self) -> float:
        """Orders on a day with an order, over all shoppers, at least 1."""
        return float(self.n.sum() / (self.x + 1).sum()) if len(self.n) else 1.0


def make_book(shopper_ids: np.ndarray, day: np.ndarray, money: np.ndarray, refund: np.ndarray) -> OrderBook:
    """Sort rows of any order into a book.

    Parameters
    ----------
    shopper_ids : int array of shape (n,)
    day, money : float arrays of shape (n,); money NaN = not said, counted as 0
    refund : bool array of shape (n,)
    """
    shoppers, index = np.unique(shopper_ids, return_inverse=True)
    money = np.nan_to_num(money)
    sides = []
    for mask in (~refund, refund):
        order = np.lexsort((day[mask], index[mask]))
        sides += [index[mask][order].astype(np.int32), day[mask][order], np.abs(money[mask][order])]
    return OrderBook(shoppers.astype(np.int64), *sides)


def known_at(book: OrderBook, at: float, *, window: float = 90.0) -> Known:
    """Return what was known before a moment; later rows are not looked at.

    Parameters
    ----------
    book : OrderBook
    at : float, days since 1970
    window : float, days that will be predicted: the length of "the same window a year ago"
    """
    seen = book.day < at
    who, ago, money = book.shopper[seen], at - book.day[seen], book.money[seen]
    n_all = len(book.shoppers)
    n = np.bincount(who, minlength=n_all)
    buyer = np.flatnonzero(n)
    first = np.flatnonzero(np.diff(who, prepend=-1))
    last = np.append(first[1:], len(who)) - 1 if len(first) else first
    whole = np.floor(ago)
    # A day with an order counts once: two orders an hour apart are no sign of a rhythm.
    new_day = np.diff(whole, prepend=-1.0) != 0
    new_day[first] = True
    x = np.bincount(who, weights=new_day, minlength=n_all)[buyer] - 1
    age, t_x = whole[first], whole[first] - whole[last]
    n, spent = n[buyer].astype(float), np.bincount(who, weights=money, minlength=n_all)[buyer]
    within = [ago <= days for days in RECENT]
    a_year_ago = (ago <= YEAR) & (ago > YEAR - window)
    return Known(
        buyer=buyer,
        x=x,
        t_x=t_x,
        age=age,
        n=n,
        mean=spent / np.maximum(n, 1),
        gap=np.where(x > 0, t_x / np.maximum(x, 1), age),
        last_money=money[last],
        n_within=_stacked([np.bincount(who, weights=mask, minlength=n_all)[buyer] for mask in within]),
        money_within=_stacked([np.bincount(who, weights=money * mask, minlength=n_all)[buyer] for mask in within]),
        season=np.bincount(who, weights=a_year_ago, minlength=n_all)[buyer],
    )


def happened(book: OrderBook, buyer: np.ndarray, start: float, days: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the orders and the net money of some shoppers in the days from a moment on.

    Returns
    -------
    (orders, money), float arrays of shape (len(buyer),); refunds of the window are taken off
    """
    n_all = len(book.shoppers)
    inside = (book.day >= start) & (book.day < start + days)
    orders = np.bincount(book.shopper[inside], minlength=n_all)[buyer]
    money = np.bincount(book.shopper[inside], weights=book.money[inside], minlength=n_all)[buyer]
    back = (book.back_day >= start) & (book.back_day < start + days)
    returned = np.bincount(book.back_shopper[back], weights=book.back_money[back], minlength=n_all)[buyer]
    return orders.astype(float), money - returned


def kept_share(book: OrderBook, at: float) -> float:
    """Return which share of the money of the year before a moment the shop kept after refunds, in [0, 1]."""
    taken = book.money[(book.day < at) & (book.day >= at - YEAR)].sum()
    returned = book.back_money[(book.back_day < at) & (book.back_day >= at - YEAR)].sum()
    return float(np.clip(1 - returned / taken, 0.0, 1.0)) if taken > 0 else 1.0


def _stacked(columns: list[np.ndarray]) -> np.ndarray:
    return np.column_stack(columns)
