"""Shops for the benchmark of predictions: the Online Retail year, and one made of random numbers."""

from datetime import datetime

import numpy as np

from behaviour.demo.source import read_year
from segments.core.order_book import OrderBook, make_book

DAY = 86_400.0
DAYS = 365


def online_retail() -> OrderBook:
    """Return the orders of the year that ships with MailAI (behaviour/demo_data/SOURCE.md), in pounds."""
    year = read_year()
    money = (year.lines["quantity"] * year.lines["pence"]).groupby(year.lines["order"]).sum().to_numpy() / 100
    day = year.orders["at"].to_numpy().astype("datetime64[s]").astype(float) / DAY
    return make_book(year.orders["shopper"].to_numpy(), day, money, np.zeros(len(day), bool))


def made(n_shoppers: int, seed: int = 0) -> OrderBook:
    """Return a year of shoppers who buy as BG/NBD and gamma-gamma say, with a tenth as many refunds."""
    rng = np.random.default_rng(seed)
    end = datetime(2026, 6, 1).timestamp() / DAY
    rate = rng.gamma(0.6, 1 / 50, n_shoppers)
    leaves = rng.beta(0.8, 2.5, n_shoppers)
    means = 6.25 * 15.0 / rng.gamma(3.74, 1, n_shoppers)
    day = end - DAYS * rng.random(n_shoppers)
    who, parts = np.arange(n_shoppers), []
    while len(who):
        parts.append((who, day, means[who] * rng.gamma(6.25, 1 / 6.25, len(who))))
        # The first order is where she becomes a shopper; she may leave after each of the others.
        stays = np.ones(len(who), bool) if len(parts) == 1 else rng.random(len(who)) >= leaves[who]
        day = day + rng.exponential(1 / np.maximum(rate[who], 1e-9))
        stays &= day < end
        who, day = who[stays], day[stays]
    shoppers, days, money = (np.concatenate(column) for column in zip(*parts, strict=True))
    refund = rng.random(len(days)) < 0.1
    return make_book(
        np.concatenate([shoppers, shoppers[refund]]) + 1,
        np.concatenate([days, days[refund] + 3]),
        np.concatenate([money, money[refund] * 0.5]),
        np.concatenate([np.zeros(len(days), bool), np.ones(int(refund.sum()), bool)]),
    )


def before(book: OrderBook, at: float) -> OrderBook:
    """Return the book as it was at a moment."""
    seen, back = book.day < at, book.back_day < at
    return make_book(
        np.concatenate([book.shoppers[book.shopper[seen]], book.shoppers[book.back_shopper[back]]]),
        np.concatenate([book.day[seen], book.back_day[back]]),
        np.concatenate([book.money[seen], book.back_money[back]]),
        np.concatenate([np.zeros(int(seen.sum()), bool), np.ones(int(back.sum()), bool)]),
    )
