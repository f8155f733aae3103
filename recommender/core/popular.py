"""What many shoppers ordered: over all time, the baseline, and lately."""

from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import Beat, Choice, Evidence, Recommender, Space, blocks, silent
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.ranking import top_k

DAY = 1.0


class MostPopular(Recommender):
    """Distinct buyers of each item, each counted by how long ago she last ordered it.

    ``score(i) = sum over its buyers u of 0.5 ** (age of her last order of i / half-life)``.

    Parameters
    ----------
    half_life_share : float in (0, 1]
        Half-life as a share of the time span of the data; 0.05 to 0.1 beat all-time popularity by 10 to 32 %.

    Source: Ji et al. (2020), "A re-visit of the popularity baseline in recommender systems", SIGIR.
    """

    name: ClassVar[str] = "popular"
    space: ClassVar[Space] = {"half_life_share": Choice((0.03, 0.05, 0.075, 0.1, 0.2))}

    def __init__(self, half_life_share: float = 0.075) -> None:
        super().__init__()
        self.half_life_share = half_life_share
        self.item_scores = np.empty(0, np.float32)

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"half_life_share": self.half_life_share}

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        """Count decayed distinct buyers; a shop without an order yet counts whoever did anything.

        A million shoppers: one sort of their order lines, about 3 s for 17 million.
        """
        items, ages = newest_orders(interactions)
        half_life = max(self.half_life_share * interactions.span, DAY)
        self.item_scores = decayed_buyers(items, ages, half_life, interactions.n_items).astype(np.float32)

    def scores(self, users: Interactions) -> np.ndarray:
        """Return the same for everybody."""
        return np.broadcast_to(self.item_scores, (users.n_users, len(self.item_scores)))

    def recommend(
        self,
        users: Interactions,
        k: int,
        *,
        exclude: csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        beat: Beat = silent,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the most popular items for each user; the shelf is only as long as exclusions can make it."""
        shelf_length = k + (int(np.diff(exclude.indptr).max(initial=0)) if exclude is not None else 0)
        shelf, _scores = top_k(self.item_scores[None, :], shelf_length, allowed=allowed)
        shelf = np.sort(shelf[0][shelf[0] >= 0])
        items, scores = np.full((users.n_users, k), -1, np.int32), np.zeros((users.n_users, k), np.float32)
        if not len(shelf):
            return items, scores
        on_shelf = exclude[:, shelf] if exclude is not None else None
        for block in blocks(users.n_users, len(shelf)):
            rows = np.broadcast_to(self.item_scores[shelf], (block.stop - block.start, len(shelf)))
            places, scores[block] = top_k(rows, k, exclude=None if on_shelf is None else on_shelf[block])
            items[block] = np.where(places >= 0, shelf[places], -1)
            beat()
        return items, scores

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return that it is popular; who bought it lately is counted when the mail is made, to be true then."""
        return [[{"kind": "popular"} if item >= 0 else {} for item in row] for row in items]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the score of each item."""
        return {"scores": self.item_scores}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take the scores back."""
        self.item_scores = arrays["scores"]
        return self


class Trending(MostPopular):
    """What is ordered more often lately than it used to be.

    ``score(i) = now(i) * ((now(i) + m) / (usual(i) + m)) ** growth``, both rates in distinct buyers a day:
    ``now = ln 2 / h * sum over its buyers of 0.5 ** (age / h)`` with the short half-life h, ``usual`` = its buyers over
    the whole span, m the mean of ``usual``, so that the first orders of a product do not make it grow without end.

    Parameters
    ----------
    half_life_share : float in (0, 1], h as a share of the time span of the data.
    growth : float >= 0, how much rising counts beside selling; 0 = only what sells now.

    Sources: the rate by exponential forgetting as in Cormode et al. (2009), "Forward decay", ICDE, section 2; the ratio
    to the long-run rate, shrunk, as in Kleinberg (2002), "Bursty and hierarchical structure in streams", KDD.
    """

    name: ClassVar[str] = "trending"
    space: ClassVar[Space] = {
        "half_life_share": Choice((0.01, 0.02, 0.03, 0.05, 0.1)),
        "growth": Choice((0.0, 0.25, 0.5, 1.0)),
    }

    def __init__(self, half_life_share: float = 0.03, growth: float = 0.5) -> None:
        super().__init__(half_life_share)
        self.growth = growth
        self.growths = np.empty(0, np.float32)

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return super().params | {"growth": self.growth}

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        """Compare the rate of now with that of the whole span; without a clock both are the same."""
        items, ages = newest_orders(interactions)
        half_life = max(self.half_life_share * interactions.span, DAY)
        usual = np.bincount(items, minlength=interactions.n_items) / max(interactions.span, DAY)
        now = decayed_buyers(items, ages, half_life, interactions.n_items) * np.log(2) / half_life
        if not interactions.span:
            now = usual
        prior = usual[usual > 0].mean() if len(items) else 1.0
        growths = (now + prior) / (usual + prior)
        self.growths = growths.astype(np.float32)
        self.item_scores = (now * growths**self.growth).astype(np.float32)

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return how many times as often as usual the item is ordered now (``growth``, shrunk)."""
        return [
            [{"kind": "trending", "growth": round(float(self.growths[item]), 2)} if item >= 0 else {} for item in row]
            for row in items
        ]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the score and the growth of each item."""
        return super().to_arrays() | {"growths": self.growths}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take both back."""
        self.growths = arrays["growths"]
        return super().load_arrays(arrays)


def newest_orders(interactions: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """Return the newest order of each pair of user and item; without any order the newest event of each pair.

    Returns
    -------
    (int32 items, float32 ages in days), both of shape (n_pairs,).
    """
    used = interactions.purchases
    if not used.any():
        used = np.ones(len(interactions.users), bool)
    items, ages = interactions.items[used], interactions.ages[used]
    keys = interactions.users[used].astype(np.int64) * max(interactions.n_items, 1) + items
    # Each user's events stand in the order of time: the last of a pair is the newest.
    newest = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]
    return items[newest], ages[newest]


def decayed_buyers(items: np.ndarray, ages: np.ndarray, half_life: float, n_items: int) -> np.ndarray:
    """Return the sum of ``0.5 ** (age / half_life)`` of each item, float64 of shape (n_items,)."""
    return np.bincount(items, np.exp2(-ages.astype(np.float64) / half_life), n_items)
