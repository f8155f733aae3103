"""Was a whole year told right? The shop as it was a year ago is predicted again, and compared with the year since.

It takes two years of orders: one to learn from, one that came. Below that nobody can say, and the card tells so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segments.core import features, forecast, ranges
from segments.core.order_book import OrderBook, happened

YEAR = 365.0
# So many shoppers say it as well as a million, in seconds.
MOST_SHOPPERS = 10_000


def tried(book: OrderBook, at: float, *, seed: int = 0) -> dict[str, Any]:
    """Predict the last year with nothing but what was known when it began.

    Models, choice and widths are those of that day. Visits and emails are left out, so the figures are, if anything,
    those of a poorer model than the one that serves.

    Parameters
    ----------
    book : OrderBook
    at : float, days since 1970

    Returns
    -------
    {"at", "n", and for orders and spend: "<what>_predicted", "<what>_happened" (sums), "<what>_covered" (share of the
    shoppers inside their 80 % range), "gone_said", "gone_came" (shares who order nothing)}; {} below two years.
    """
    start = at - YEAR
    if not len(book.day) or start - YEAR < book.span[0]:
        return {}
    some = _some(book, start, seed)
    past = _before(some, start)
    lesson = forecast.study(past, start, activity_of=_unseen, seed=seed)
    made = forecast.predict(past, start, lesson, activity_of=_unseen)
    orders, money = happened(some, np.searchsorted(some.shoppers, made.shoppers), start, YEAR)
    found: dict[str, Any] = {"at": start, "n": float(len(orders))}
    for what, came in (("orders", orders), ("spend", money)):
        said, low, high = (made.columns[f"{what}_365d{end}"].astype(float) for end in ("", "_low", "_high"))
        found |= {f"{what}_predicted": float(said.sum()), f"{what}_happened": float(came.sum())}
        found[f"{what}_covered"] = ranges.covers(low, high, came)
    found |= {"gone_said": float(made.columns["gone_chance"].mean()), "gone_came": float((orders == 0).mean())}
    return found


def _some(book: OrderBook, start: float, seed: int) -> OrderBook:
    """Return the book of those who had ordered by then, or of some of them."""
    buyer = np.unique(book.shopper[book.day < start])
    if len(buyer) > MOST_SHOPPERS:
        buyer = np.sort(np.random.default_rng(seed).choice(buyer, MOST_SHOPPERS, replace=False))
    place = np.full(len(book.shoppers), -1, np.int32)
    place[buyer] = np.arange(len(buyer), dtype=np.int32)
    kept, back = place[book.shopper] >= 0, place[book.back_shopper] >= 0
    return OrderBook(
        book.shoppers[buyer], place[book.shopper[kept]], book.day[kept], book.money[kept],
        place[book.back_shopper[back]], book.back_day[back], book.back_money[back],
    )  # fmt: skip


def _before(book: OrderBook, start: float) -> OrderBook:
    """Return the book as it was at a moment: what came later can't be looked at by mistake."""
    seen, back = book.day < start, book.back_day < start
    return OrderBook(
        book.shoppers, book.shopper[seen], book.day[seen], book.money[seen],
        book.back_shopper[back], book.back_day[back], book.back_money[back],
    )  # fmt: skip


def _unseen(_at: float, shoppers: np.ndarray) -> np.ndarray:
    return features.no_activity(len(shoppers))
