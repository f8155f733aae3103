"""A shop that never was, for benchmarks: skewed popularity, tastes, repeat rhythm, seasons."""

from dataclasses import dataclass

import numpy as np

N_TASTES = 12
DAYS = 365
# Popularity of the product at rank r falls with r to this power; activity of shoppers is log-normal.
POPULARITY_POWER = 0.8
ACTIVITY_SPREAD = 1.0
# This share of a shopper's orders comes from her own taste, and this share of lines are products bought before.
TASTE_SHARE, REPEAT_SHARE = 0.7, 0.25
SEASON_DAY, SEASON_WIDTH, SEASON_HEIGHT = 335, 25.0, 1.5
LINES_PER_ORDER = 4
# This share of the orders falls on a day of the shopper's own rhythm, one of these days apart.
RHYTHM_SHARE = 0.4
RHYTHMS = np.array([14, 28, 45, 60, 90])


@dataclass(frozen=True)
class Tastes:
    """What is fixed before anything is bought.

    product_taste, shopper_taste : int arrays (n_products,), (n_shoppers,) in 0..N_TASTES-1
    price_pence : int array (n_products,)
    activity : float array (n_shoppers,), sums to 1
    by_taste : list of int arrays, the products of each taste, most popular first
    reach : float array (n_shoppers,), the running sum of activity
    """

    product_taste: np.ndarray
    shopper_taste: np.ndarray
    price_pence: np.ndarray
    activity: np.ndarray
    by_taste: list[np.ndarray]
    reach: np.ndarray


@dataclass(frozen=True)
class Lines:
    """Order lines: int arrays of one length; ``minute`` counts from the start of the year, ``order`` groups lines."""

    shopper: np.ndarray
    product: np.ndarray
    minute: np.ndarray
    quantity: np.ndarray
    order: np.ndarray


def tastes(n_shoppers: int, n_products: int, rng: np.random.Generator) -> Tastes:
    """Draw who likes what.

    Parameters
    ----------
    n_shoppers, n_products : int >= 1
    rng : the only source of chance

    Raises
    ------
    ValueError : a count is below 1.
    """
    if n_shoppers < 1 or n_products < 1:
        raise ValueError("A shop needs at least one shopper and one product.")
    product_taste = np.arange(n_products) % N_TASTES
    activity = rng.lognormal(0, ACTIVITY_SPREAD, n_shoppers)
    activity /= activity.sum()
    return Tastes(
        product_taste=product_taste,
        shopper_taste=rng.integers(0, min(N_TASTES, n_products), n_shoppers),
        price_pence=np.maximum(20, rng.lognormal(5.5, 0.8, n_products)).astype(np.int64),
        activity=activity,
        reach=np.cumsum(activity),
        by_taste=[np.flatnonzero(product_taste == taste) for taste in range(min(N_TASTES, n_products))],
    )


def lines(
    shop: Tastes, n_lines: int, first_order: int, rng: np.random.Generator, *, span: tuple[float, float] = (0.0, 1.0)
) -> Lines:
    """Draw a block of order lines, ``LINES_PER_ORDER`` to an order, orders in no order of time.

    Parameters
    ----------
    shop : Tastes
    n_lines : int >= 1
    first_order : int, number of the first order, so that blocks do not share numbers
    rng : the only source of chance
    span : the part of the year's trade that the block is, so that blocks follow each other in time

    Returns
    -------
    Lines, each array of shape (n_lines,); minute in 0..DAYS*1440-1.
    """
    order = np.arange(n_lines) // LINES_PER_ORDER
    n_orders = int(order[-1]) + 1
    shoppers = drawn_shoppers(shop, n_orders, rng)
    minutes = _in_rhythm(drawn_minutes(n_orders, rng, span), shoppers, rng)
    shopper = shoppers[order]
    return Lines(
        shopper=shopper,
        product=drawn_products(shop, shopper, rng),
        minute=minutes[order],
        quantity=1 + rng.poisson(1.0, n_lines),
        order=first_order + order,
    )


def drawn_shoppers(shop: Tastes, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n shoppers, the active ones more often."""
    return np.minimum(np.searchsorted(shop.reach, rng.random(n)), len(shop.reach) - 1)


def drawn_minutes(n: int, rng: np.random.Generator, span: tuple[float, float] = (0.0, 1.0)) -> np.ndarray:
    """Draw moments within a part of the year's trade: busier before Christmas and by day, quieter at night."""
    days = np.arange(DAYS)
    weight = 1 + SEASON_HEIGHT * np.exp(-(((days - SEASON_DAY) / SEASON_WIDTH) ** 2) / 2)
    until = np.cumsum(weight) / weight.sum()
    low, high = span
    day = np.minimum(np.searchsorted(until, low + (high - low) * rng.random(n)), DAYS - 1)
    return day * 1440 + np.clip(rng.normal(14 * 60, 3.5 * 60, n), 0, 1439).astype(np.int64)


def _in_rhythm(minute: np.ndarray, shopper: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move some orders to the nearest day of the shopper's own rhythm."""
    every = RHYTHMS[shopper % len(RHYTHMS)]
    first = shopper * 31 % every
    day = minute // 1440
    due = np.clip(first + every * np.rint((day - first) / every).astype(np.int64), 0, DAYS - 1)
    moved = rng.random(len(minute)) < RHYTHM_SHARE
    return np.where(moved, due, day) * 1440 + minute % 1440


def drawn_products(shop: Tastes, shopper: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a product per line: from the own taste, from everything, or one of the few the shopper comes back to."""
    n_products, n_lines = len(shop.product_taste), len(shopper)
    product = _ranks(n_products, rng.random(n_lines))
    own, own_rank = rng.random(n_lines) < TASTE_SHARE, rng.random(n_lines)
    for taste, members in enumerate(shop.by_taste):
        rows = np.flatnonzero(own & (shop.shopper_taste[shopper] == taste))
        product[rows] = members[_ranks(len(members), own_rank[rows])]
    again = np.flatnonzero(rng.random(n_lines) < REPEAT_SHARE)
    # Three products per shopper that do not depend on the block: her staples, popular ones more often.
    mixed = (shopper[again] * 7919 + rng.integers(0, 3, len(again)) * 33_331) % 100_003
    product[again] = _ranks(n_products, mixed / 100_003)
    return product


def _ranks(n: int, draws: np.ndarray) -> np.ndarray:
    """Turn uniform draws into ranks 0..n-1 whose frequency falls as rank to ``-POPULARITY_POWER``."""
    power = 1 - POPULARITY_POWER
    return np.minimum(n - 1, ((1 + draws * ((n + 1) ** power - 1)) ** (1 / power) - 1)).astype(np.int64)
