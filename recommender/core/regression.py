"""Model-based filtering for explicit ratings: stars by linear regression on what is known of user and item."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix
from sparse_dot_topn import sp_matmul_topn

from recommender.core.base import (
    N_EVIDENCE,
    Beat,
    Choice,
    Evidence,
    Range,
    Recommender,
    Space,
    blocks,
    matrix_arrays,
    matrix_from,
)
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.neighbours import unit_rows

N_FEATURES = 3
# Ratings whose features are computed at once: with 50 neighbours a rating, 100 MB.
RATINGS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Rated:
    """The newest rating of each pair.

    users, items : int arrays of shape (n_ratings,), by user and item; stars : float64 array of shape (n_ratings,).
    """

    users: np.ndarray
    items: np.ndarray
    stars: np.ndarray

    def matrix(self, values: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
        """Return the values (one a rating) as a matrix; a value of 0 is stored too."""
        starts = np.searchsorted(self.users, np.arange(shape[0] + 1))
        return csr_matrix((values, self.items, starts), shape=shape)


def ratings_of(interactions: Interactions) -> Rated:
    """Return the ratings among the events; a second one of the same item replaces the first."""
    stars = interactions.stars if len(interactions.stars) else np.full(len(interactions.users), np.nan)
    rated = np.flatnonzero(~np.isnan(stars))
    n_items = max(interactions.n_items, 1)
    keys = interactions.users[rated].astype(np.int64) * n_items + interactions.items[rated]
    # Each user's events stand in the order of time: the last of a pair is the newest.
    keys, newest = np.unique(keys[::-1], return_index=True)
    users, items = np.divmod(keys, n_items)
    return Rated(users, items, stars[rated][::-1][newest].astype(np.float64))


class RatingRegression(Recommender):
    """Ridge regression of stars on three features of user u and item i.

    ``stars(u, i) = c + w1 * b(i) + w2 * a(u, i) + w3 * n(u, i)``, cut to the range of the stars learnt from:
    ``b(i)`` is how far the item lies above the mean of all ratings, ``sum (r - mean) / (number + prior)``;
    ``a(u, i)`` how far the user rates above the items' own levels, ``sum d(u, j) / (number + prior)`` over the j != i
    that she rated, with ``d(u, j) = r(u, j) - mean - b(j)``;
    ``n(u, i) = sum s(i, j) d(u, j) / (sum s(i, j) + 1)`` the same over the k items nearest to i, s = the
    cosine of columns d.
    When the weights are learnt, a rating is left out of its own features (b, a and n; it stays in s).

    Parameters
    ----------
    k : int >= 1, neighbours of each item.
    prior : float >= 0, ratings at the mean that every user and item is given.
    ridge : float >= 0, penalty of the squared weights.

    Lists are ranked by predicted stars. A user or an item without a rating gets no list place, but ``predict`` says
    what is likely then: the level of the one that is known. Without ratings it recommends nothing.

    Sources: Aggarwal (2016), "Recommender Systems: The Textbook", section 2.6 (neighbourhoods as linear regression);
    Koren (2010), ACM TKDD 4(1), sections 2.1 (levels) and 3.1 (weights learnt); Hoerl and Kennard (1970) for the ridge.
    """

    name: ClassVar[str] = "rating_regression"
    space: ClassVar[Space] = {
        "k": Range(10, 200, log=True), "prior": Choice((1.0, 3.0, 5.0, 10.0)), "ridge": Range(0.1, 100, log=True),
    }  # fmt: skip

    def __init__(self, k: int = 50, prior: float = 5.0, ridge: float = 1.0) -> None:
        super().__init__()
        self.k, self.prior, self.ridge = k, prior, ridge
        self.mean = 0.0
        self.range = np.zeros(2)
        # The constant and the weight of each feature.
        self.weights = np.zeros(1 + N_FEATURES)
        self.levels, self.counts = np.empty(0), np.empty(0, np.int64)
        self.similarity = csr_matrix((0, 0), dtype=np.float64)

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"k": self.k, "prior": self.prior, "ridge": self.ridge}

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        rated, n_items = ratings_of(interactions), interactions.n_items
        self.counts = np.bincount(rated.items, minlength=n_items)
        self.levels = np.zeros(n_items)
        self.similarity = csr_matrix((n_items, n_items), dtype=np.float64)
        if not len(rated.stars):
            return
        self.mean, self.range = float(rated.stars.mean()), np.array([rated.stars.min(), rated.stars.max()])
        above = sums(rated.items, rated.stars - self.mean, n_items)
        self.levels = self._shrunk(above, self.counts)
        deviations = rated.matrix(self._deviations(rated), (interactions.n_users, n_items))
        self.similarity = nearest_columns(deviations, self.k)
        beat()
        features = self._own_features(rated, (interactions.n_users, n_items), beat)
        features[:, 0] = self._shrunk(above[rated.items] - (rated.stars - self.mean), self.counts[rated.items] - 1)
        self.weights = ridge_weights(features, rated.stars, self.ridge)

    def _shrunk(self, total: np.ndarray, number: np.ndarray) -> np.ndarray:
        weight = number + self.prior
        return np.divide(total, weight, out=np.zeros(np.shape(total)), where=weight > 0)

    def _deviations(self, rated: Rated) -> np.ndarray:
        return np.asarray(rated.stars - self.mean - self.levels[rated.items])

    def _own_features(self, rated: Rated, shape: tuple[int, int], beat: Beat) -> np.ndarray:
        """Return the features of the ratings themselves but b, float64 of shape (n_ratings, N_FEATURES).

        Only the cells of ratings are computed: k products a rating, whatever the shape.
        """
        features, own = np.empty((len(rated.stars), N_FEATURES)), self._deviations(rated)
        others = np.bincount(rated.users, minlength=shape[0])[rated.users] - 1
        features[:, 1] = self._shrunk(sums(rated.users, own, shape[0])[rated.users] - own, others)
        deviations, pattern = rated.matrix(own, shape), rated.matrix(np.ones(len(own)), shape)
        for first, last in pairwise(_edges(deviations.indptr)):
            some, near = slice(*deviations.indptr[[first, last]]), self.similarity.T
            cells = rated.users[some] - first, rated.items[some]
            total, weight = (np.asarray((part[first:last] @ near)[cells]).ravel() for part in (deviations, pattern))
            features[some, 2] = total / (weight + 1)
            beat()
        return features

    def _features(self, users: Interactions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return b, a and n, each float64 of shape (n_users, n_items); the caller passes few enough users."""
        rated, shape = ratings_of(users), (users.n_users, users.n_items)
        own = self._deviations(rated)
        deviations, pattern = rated.matrix(own, shape), rated.matrix(np.ones(len(own)), shape)
        total = np.repeat(sums(rated.users, own, shape[0])[:, None], shape[1], axis=1)
        number = np.repeat(np.bincount(rated.users, minlength=shape[0])[:, None], shape[1], axis=1)
        total[rated.users, rated.items] -= own
        number[rated.users, rated.items] -= 1
        near = (deviations @ self.similarity.T).toarray() / ((pattern @ self.similarity.T).toarray() + 1)
        return np.broadcast_to(self.levels, shape), self._shrunk(total, number), near

    def _stars(self, users: Interactions) -> np.ndarray:
        """Return the predicted stars of every item, float64 of shape (n_users, n_items)."""
        stars = np.full((users.n_users, users.n_items), self.weights[0])
        for weight, feature in zip(self.weights[1:], self._features(users), strict=True):
            stars += weight * feature
        return np.clip(stars, *self.range)

    def predict(self, users: Interactions, items: np.ndarray) -> np.ndarray:
        """Return the stars that each user is expected to give to each item asked for (RatesItems.predict)."""
        stars = np.full(items.shape, np.nan)
        for block in blocks(users.n_users, users.n_items):
            asked = items[block]
            found = np.take_along_axis(self._stars(users.part(block)), np.maximum(asked, 0), 1)
            stars[block] = np.where(asked >= 0, found, np.nan)
        return stars

    def scores(self, users: Interactions) -> np.ndarray:
        """Return the predicted stars, 0 where user or item has no rating."""
        stars = self._stars(users).astype(np.float32)
        stars[:, self.counts == 0] = 0
        stars[np.bincount(ratings_of(users).users, minlength=users.n_users) == 0] = 0
        return stars

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return which of the items that she rated above their level lie nearest to each item.

        ``because``: ``items`` by ``s(i, j) d(u, j)``, ``weights`` their shares of all that lifts. Where nothing near
        lifts the item, ``rated``: its own level, ``stars`` shrunk, over ``n`` ratings.
        """
        rated = ratings_of(users)
        deviations = rated.matrix(self._deviations(rated), (users.n_users, users.n_items))
        return [
            [self._because(deviations, u, int(item)) if item >= 0 else {} for item in row]
            for u, row in enumerate(items)
        ]

    def _because(self, deviations: csr_matrix, user: int, item: int) -> Evidence:
        mine = slice(deviations.indptr[user], deviations.indptr[user + 1])
        near = slice(self.similarity.indptr[item], self.similarity.indptr[item + 1])
        own, place, other = np.intersect1d(deviations.indices[mine], self.similarity.indices[near], return_indices=True)
        parts = np.maximum(deviations.data[mine][place] * self.similarity.data[near][other], 0)
        if not parts.any():
            return {
                "kind": "rated",
                "stars": round(self.mean + float(self.levels[item]), 2),
                "n": int(self.counts[item]),
            }
        best = np.lexsort((own, -parts))[:N_EVIDENCE]
        best = best[parts[best] > 0]
        weights = [round(float(share), 4) for share in parts[best] / parts.sum()]
        return {"kind": "because", "items": [int(j) for j in own[best]], "weights": weights}

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return levels, similarities and weights."""
        own = {"mean": np.asarray(self.mean), "range": self.range, "weights": self.weights}
        return matrix_arrays(self.similarity) | own | {"levels": self.levels, "counts": self.counts}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take them back."""
        self.mean, self.range, self.weights = float(arrays["mean"]), arrays["range"], arrays["weights"]
        self.levels, self.counts = arrays["levels"], arrays["counts"]
        self.similarity = matrix_from(arrays)
        return self


def _edges(starts: np.ndarray) -> np.ndarray:
    """Return users, from 0 to their number, between which about RATINGS_AT_ONCE ratings lie; a user stays whole."""
    cuts = np.searchsorted(starts, np.arange(0, starts[-1], RATINGS_AT_ONCE))
    return np.unique(np.append(cuts, len(starts) - 1))


def sums(places: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Return the sum of the values at each place, float64 of shape (n,); without values bincount gives integers."""
    return np.bincount(places, values, n).astype(np.float64)


def nearest_columns(matrix: csr_matrix, k: int) -> csr_matrix:
    """Return the k largest positive cosines of each column with the other columns, shape (n_columns, n_columns)."""
    rows = unit_rows(csr_matrix(matrix.T))
    if not rows.nnz:
        return csr_matrix((rows.shape[0], rows.shape[0]), dtype=np.float64)
    # An item is its own nearest neighbour, and is left out.
    near = sp_matmul_topn(rows, csr_matrix(rows.T), top_n=k + 1, threshold=0.0, n_threads=1)
    owner = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    other = near.indices != owner
    cells = (owner[other], near.indices[other])
    return csr_matrix((near.data[other].astype(np.float64), cells), shape=near.shape)


def ridge_weights(features: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """Return the constant (not penalised) and the weight of each feature, float64 of shape (1 + n_features,)."""
    from sklearn.linear_model import Ridge

    fitted = Ridge(alpha=ridge, solver="cholesky").fit(features, target)
    return np.concatenate([[fitted.intercept_], fitted.coef_])
