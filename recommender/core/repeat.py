"""Bought again: what a shopper had before, when she is due for it, and what she left in the cart."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recommender.core.base import WEIGHTING_SPACE, Beat, Choice, Evidence, Recommender, Space
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import KINDS, Interactions
from recommender.core.popular import Trending
from recommender.core.weighting import Weighting

# Orders of one item less than a day apart are one.
DAY = 1.0
# What trends stands behind everything that she had before.
FILLER = 1e-3
CART = KINDS.index("cart")


@dataclass(frozen=True)
class Orders:
    """Every pair of user and item with an event, in the order of ``keys``.

    Attributes
    ----------
    keys : int64 array of shape (n_pairs,), user * n_items + item, sorted
    times : int array of shape (n_pairs,), orders of the item, at least a day apart; 0 = she never ordered it
    since : float array of shape (n_pairs,), days since the newest order; where there is none, since the newest event
    gap : float array of shape (n_pairs,), mean days between two orders, nan below two
    carted : bool array of shape (n_pairs,), she put it into the cart
    """

    keys: np.ndarray
    times: np.ndarray
    since: np.ndarray
    gap: np.ndarray
    carted: np.ndarray

    def at(self, keys: np.ndarray) -> np.ndarray:
        """Return the place of each key, -1 where there is no such pair."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, place, -1)


def orders_of(interactions: Interactions) -> Orders:
    """Count the orders of each pair of user and item; one sort of the events."""
    events = interactions.users.astype(np.int64) * max(interactions.n_items, 1) + interactions.items
    # Stable: the events of a pair stay in the order of time.
    order = np.argsort(events, kind="stable")
    events, ages, kinds = events[order], interactions.ages[order].astype(np.float64), interactions.kinds[order]
    keys, pair = np.unique(events, return_inverse=True)
    carted = np.bincount(pair, kinds == CART, len(keys)) > 0
    since = np.full(len(keys), np.inf)
    np.minimum.at(since, pair, ages)
    bought = interactions.purchases[order]
    pair, ages = pair[bought], ages[bought]
    first = np.ones(len(pair), bool)
    first[1:] = pair[1:] != pair[:-1]
    another = first.copy()
    another[1:] |= ages[:-1] - ages[1:] >= DAY
    times = np.bincount(pair[another], minlength=len(keys))
    last = np.append(first[1:], True) if len(pair) else first
    since[pair[last]] = ages[last]
    gap = np.full(len(keys), np.nan)
    gap[pair[first]] = (ages[first] - ages[last]) / np.maximum(times[pair[first]] - 1, 1)
    gap[times < 2] = np.nan
    return Orders(keys, times, since, gap, carted)


def again_evidence(orders: Orders, place: int, item: int) -> Evidence:
    """Return what she did with an item: ordered it ("again"), put it into the cart ("cart") or came across it."""
    since = round(float(orders.since[place]), 1)
    if not orders.times[place]:
        return {"kind": "cart" if orders.carted[place] else "looked", "items": [item], "since_days": since}
    gap = orders.gap[place]
    usual = None if np.isnan(gap) else round(float(gap), 1)
    times = int(orders.times[place])
    return {"kind": "again", "items": [item], "times": times, "gap_days": usual, "since_days": since}


class BoughtAgain(Recommender):
    """Her own decayed history, lifted where she is due for the next order.

    ``score(u, i) = w(u, i) * (p(i) / p) ** loyalty * (1 + rhythm * q * exp(-log(since / gap) ** 2 / 2))``: w from all
    her events (``Weighting``), so what was carted and not ordered yet stands high; since = days since her last order.
    Who ordered i more than once has gap = her own mean gap and q = 1; after a single order gap = the median gap of i
    over all shoppers and q = p(i), since she may never come back; without any gap there is no lift. p(i) is the share
    of the buyers of i who came back for it, shrunk by PRIOR buyers to the share p of all pairs.
    What she never had follows by ``Trending``, 1,000 times lower.

    Parameters
    ----------
    rhythm : float >= 0, how much being due counts: 1 doubles the score on the day.
    loyalty : float >= 0, how much an item counts that others come back for; 0 = not at all.

    Sources: Bhagat et al. (2018), "Buy It Again: modeling repeat purchase recommendations", KDD: sections 4.1 (share of
    repeat customers) and 4.2 (log-normal gaps); the decayed own history as in Hu et al. (2020), SIGIR.
    """

    name: ClassVar[str] = "bought_again"
    space: ClassVar[Space] = WEIGHTING_SPACE | {
        "rhythm": Choice((0.0, 0.3, 1.0, 3.0)), "loyalty": Choice((0.0, 0.25, 0.5, 1.0)),
    }  # fmt: skip
    PRIOR: ClassVar[float] = 10.0

    def __init__(self, rhythm: float = 0.3, loyalty: float = 0.5, weighting: Weighting | None = None) -> None:
        # A habit is older than a taste for something new.
        super().__init__(weighting or Weighting(half_life=0.5))
        self.rhythm, self.loyalty = rhythm, loyalty
        self.trending = Trending()
        self.gaps = self.returns = np.empty(0, np.float32)
        self.share = 0.0

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"rhythm": self.rhythm, "loyalty": self.loyalty} | self.weighting.params

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        """Learn each item's usual gap and its share of returning buyers; one sort of the events."""
        self.trending.fit(interactions)
        orders, n_items = orders_of(interactions), interactions.n_items
        items = orders.keys % max(n_items, 1)
        buyers = np.bincount(items[orders.times > 0], minlength=n_items)
        returning = np.bincount(items[orders.times > 1], minlength=n_items)
        self.share = float(returning.sum() / max(buyers.sum(), 1))
        self.returns = ((returning + self.PRIOR * self.share) / (buyers + self.PRIOR)).astype(np.float32)
        self.gaps = _medians(items, orders.gap, n_items)

    def scores(self, users: Interactions) -> np.ndarray:
        """Return the sums of the formula; her own items first, then what trends."""
        own = self.weighted(users)
        owner = np.repeat(np.arange(own.shape[0], dtype=np.int64), np.diff(own.indptr))
        orders = orders_of(users)
        place = orders.at(owner * max(users.n_items, 1) + own.indices)
        lift = self._lift(orders, place, own.indices)
        filler = self.trending.item_scores
        dense = np.zeros((users.n_users, users.n_items), np.float32)
        dense += filler / max(float(filler.max(initial=0)), 1e-12) * FILLER
        dense[owner, own.indices] += own.data * lift
        return dense

    def _lift(self, orders: Orders, place: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return what her weight of each pair is multiplied with; ``place`` of the pairs among the orders."""
        single = np.isnan(orders.gap[place])
        gap = np.where(single, self.gaps[items], orders.gap[place])
        # Half a day: who ordered it this morning is not due, and the logarithm needs a number above 0.
        late = np.log(np.maximum(orders.since[place], DAY / 2) / np.maximum(gap, DAY))
        due = np.where(single, self.returns[items], 1) * np.exp(-(late**2) / 2)
        due[np.isnan(gap) | (orders.times[place] == 0)] = 0
        loyal = (self.returns[items] / self.share) ** self.loyalty if self.share else 1.0
        return np.asarray(loyal * (1 + self.rhythm * due))

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return what she did with each item: ``again``, ``cart``, ``looked``; or that it is trending.

        ``times`` she ordered it, ``gap_days`` her own mean gap (None before a second order), ``since_days`` since the
        last order, or since the last event where there is none.
        """
        orders = orders_of(users)
        rows = np.arange(users.n_users, dtype=np.int64)[:, None] * max(users.n_items, 1)
        places = orders.at((rows + items).ravel()).reshape(items.shape)
        places = np.where(items >= 0, places, -1)
        others = self.trending.explain(users, np.where(places >= 0, -1, items))
        return [
            [
                again_evidence(orders, place, int(item)) if place >= 0 else other
                for place, item, other in zip(*row, strict=True)
            ]
            for row in zip(places, items, others, strict=True)
        ]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return gaps, shares of returning buyers, what trends, and the half-life in days."""
        trending = {f"trending_{name}": array for name, array in self.trending.to_arrays().items()}
        own = {
            "gaps": self.gaps,
            "returns": self.returns,
            "share": np.asarray(self.share),
            "half_life": np.asarray(self.half_life_days),
        }
        return trending | own

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take all back."""
        self.gaps, self.returns = arrays["gaps"], arrays["returns"]
        self.share, self.half_life_days = float(arrays["share"]), float(arrays["half_life"])
        prefix = "trending_"
        self.trending.load_arrays(
            {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        )
        return self


def _medians(items: np.ndarray, gaps: np.ndarray, n_items: int) -> np.ndarray:
    """Return the (lower) median gap of each item, float32 of shape (n_items,), nan where nobody has one."""
    there = ~np.isnan(gaps)
    items, gaps = items[there], gaps[there]
    order = np.lexsort((gaps, items))
    counts = np.bincount(items, minlength=n_items)
    middle = np.cumsum(counts) - counts + np.maximum(counts - 1, 0) // 2
    medians = np.full(n_items, np.nan, np.float32)
    some = counts > 0
    medians[some] = gaps[order][middle[some]]
    return medians
