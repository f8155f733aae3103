"""The next basket: her own orders, the newer ones counting more, and those of the shoppers nearest to her."""

from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import Beat, Choice, Evidence, Range, Space
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, distinct
from recommender.core.neighbours import values_at
from recommender.core.repeat import again_evidence, orders_of
from recommender.core.user_based import UserBased


class NextBasket(UserBased):
    """TIFU-KNN: the k nearest shoppers by decayed basket vectors, blended with her own vector.

    A basket is what she ordered at the same moment. The newest ``group`` baskets are her first group, those before
    them the second, and so on; the oldest group may be smaller. With K groups of sizes t,
    ``x(u, i) = sum over baskets b that hold i of between ** g(b) / K * within ** p(b) / t(g)``, where g counts groups
    and p baskets of the group from the newest, 0. Then
    ``score(u, i) = alpha * x(u, i) + (1 - alpha) * mean over the k nearest v of x(v, i)``.
    Nearness is the cosine of the vectors (the paper takes the Euclidean distance), which stays sparse.

    Parameters
    ----------
    k : int, neighbours of each user.
    group : int >= 1, baskets of a group.
    within, between : float in (0, 1], decay from basket to basket of a group, and from group to group.
    alpha : float in [0, 1], share of her own vector.

    Only orders count. Without a clock each order line is a basket. Costs: as UserBased.

    Source: Hu et al. (2020), "Modeling personalized item frequency information for next-basket recommendation", SIGIR.
    """

    name: ClassVar[str] = "next_basket"
    space: ClassVar[Space] = {
        "k": Range(50, 400, log=True),
        "group": Range(2, 12),
        "within": Choice((0.7, 0.8, 0.9, 1.0)),
        "between": Choice((0.5, 0.6, 0.7, 0.9)),
        "alpha": Choice((0.2, 0.5, 0.7, 0.9)),
    }

    def __init__(
        self, k: int = 300, group: int = 7, within: float = 0.9, between: float = 0.7, alpha: float = 0.5
    ) -> None:
        # Power 0: every neighbour counts alike.
        super().__init__(k=k, power=0.0)
        self.group, self.within, self.between, self.alpha = group, within, between, alpha
        self.has_clock = True

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        own = ("k", "group", "within", "between", "alpha")
        return {name: getattr(self, name) for name in own}

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        self.has_clock = interactions.span > 0
        super()._fit(interactions, catalogue, beat)

    def weighted(self, interactions: Interactions) -> csr_matrix:
        """Return x: csr_matrix float32 of shape (n_users, n_items)."""
        bought = interactions.purchases
        users, items, ages = (array[bought] for array in (interactions.users, interactions.items, interactions.ages))
        basket, owner = _baskets(users, ages, self.has_clock)
        # Two lines of one item in one order are one.
        n_items = max(interactions.n_items, 1)
        basket, items = np.divmod(distinct(basket * n_items + items), n_items)
        n_baskets = np.bincount(owner, minlength=interactions.n_users)
        place = np.cumsum(n_baskets)[owner] - 1 - np.arange(len(owner))
        groups = -(-n_baskets // self.group)[owner]
        number = place // self.group
        size = np.where(number == groups - 1, n_baskets[owner] - self.group * (groups - 1), self.group)
        worth = self.between**number / groups * self.within ** (place % self.group) / size
        shape = (interactions.n_users, interactions.n_items)
        matrix = csr_matrix((worth[basket].astype(np.float32), (owner[basket], items)), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def scores(self, users: Interactions) -> csr_matrix:
        """Return the blend of her own vector and the mean of her neighbours'."""
        own = self.weighted(users)
        near = self.neighbours(self.scaled(own), users.known)
        return csr_matrix(own * self.alpha + _means(near) @ self.matrix * (1 - self.alpha))

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return ``again`` where her own orders make most of the score, else the evidence of her neighbours."""
        own, orders = self.weighted(users), orders_of(users)
        answer = super().explain(users, items)
        row, rank = np.nonzero(items >= 0)
        item = items[row, rank]
        mine = self.alpha * values_at(own, row, item)
        hers = np.flatnonzero(mine > 0)
        asked = users.of(row[hers])
        # Score by score of the pairs that she ordered: few, so their rows may be asked again.
        total = values_at(csr_matrix(self.scores(asked)), np.arange(len(hers)), item[hers])
        places = orders.at(row[hers].astype(np.int64) * max(users.n_items, 1) + item[hers])
        for n, place, whole in zip(hers, places, total, strict=True):
            if mine[n] * 2 >= whole:
                answer[row[n]][rank[n]] = again_evidence(orders, int(place), int(item[n]))
        return answer

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what UserBased does, and whether there was a clock."""
        return super().to_arrays() | {"has_clock": np.asarray(self.has_clock)}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take all back."""
        self.has_clock = bool(arrays["has_clock"])
        return super().load_arrays(arrays)


def _baskets(users: np.ndarray, ages: np.ndarray, has_clock: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the basket of each order line and the user of each basket, baskets of a user from the oldest on."""
    new = np.ones(len(users), bool)
    if has_clock:
        new[1:] = (users[1:] != users[:-1]) | (ages[1:] != ages[:-1])
    return np.cumsum(new) - 1, users[new]


def _means(near: csr_matrix) -> csr_matrix:
    """Return a matrix whose rows take the mean of the neighbours."""
    counts = np.diff(near.indptr)
    data = np.repeat(1.0 / np.maximum(counts, 1), counts).astype(np.float32)
    return csr_matrix((data, near.indices, near.indptr), shape=near.shape)
