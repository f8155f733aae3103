"""User-based collaborative filtering: what shoppers with the most similar histories like."""

from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recommender.core.base import (
    N_EVIDENCE,
    WEIGHTING_SPACE,
    Beat,
    Choice,
    Evidence,
    Range,
    Recommender,
    Space,
    blocks,
    matrix_arrays,
    matrix_from,
)  # fmt: skip
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, bought_items
from recommender.core.neighbours import nearest, scaled_rows, unit_rows, values_at
from recommender.core.ranking import one_hot, top_k
from recommender.core.weighting import Weighting


class UserBased(Recommender):
    """Cosine similarity between rows of the user x item matrix, k neighbours each.

    ``score(u, i) = sum over the k nearest v of cos(u, v) ** power * x(v, i)``. Nobody is her own neighbour.

    Parameters
    ----------
    k : int, neighbours of each user.
    power : float >= 1, how much nearer neighbours count more.
    shrink : float >= 0, ``cos * n / (n + shrink)`` with n common items, so that one common item proves little. 0 = off.
    idf : float >= 0, exponent: before the cosine each item is multiplied by ``log((n_users + 1) / (n_users_of_i + 0.5))
        ** idf``, since an item that everybody has makes nobody alike. 0 = off.

    The similarities are computed for the users asked for, in blocks, as sparse top-k: never users x users, never dense.
    10,000 users against a million take 10 to 25 CPU seconds and 650 MB. Everybody against everybody would take about
    2,500 s; nobody asks for that: mails ask for a batch, an evaluation for at most 20,000 users.

    Source: Resnick et al. (1994), "GroupLens", CSCW; cosine on implicit weights as in Aiolli (2013), RecSys, section 3.
    """

    name: ClassVar[str] = "user_based"

    space: ClassVar[Space] = WEIGHTING_SPACE | {
        "k": Range(20, 400, log=True), "power": Choice((1.0, 2.0)), "shrink": Choice((0.0, 5.0, 20.0, 100.0)),
        "idf": Choice((0.0, 0.5, 1.0)),
    }  # fmt: skip

    def __init__(
        self,
        k: int = 100,
        power: float = 2.0,
        shrink: float = 0.0,
        idf: float = 0.0,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(weighting)
        self.k, self.power, self.shrink, self.idf = k, power, shrink, idf
        self._hold(csr_matrix((0, 0), dtype=np.float32), csr_matrix((0, 0), dtype=np.float32))

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"k": self.k, "power": self.power, "shrink": self.shrink, "idf": self.idf} | self.weighting.params

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        """Build the weighted matrix; a million shoppers with 17 million pairs: about 5 s, 400 MB."""
        self._hold(self.weighted(interactions), bought_items(interactions))

    def _hold(self, matrix: csr_matrix, bought: csr_matrix) -> None:
        self.matrix, self.bought = matrix, bought
        self.rarity = rarity(matrix) ** np.float32(self.idf)
        self.unit = self.scaled(matrix)
        self.columns = self.unit.T.tocsr()

    def scaled(self, matrix: csr_matrix) -> csr_matrix:
        """Return the rows so that the similarity of two is their inner product."""
        return unit_rows(self.telling(matrix))

    def telling(self, matrix: csr_matrix) -> csr_matrix:
        """Return the matrix with items that few have lifted, as far as ``idf`` says."""
        return csr_matrix(matrix @ diags_array(self.rarity)) if self.idf else matrix

    def scores(self, users: Interactions) -> csr_matrix:
        """Return what the neighbours of each user like, the nearer ones counting more."""
        near = self.neighbours(self.scaled(self.weighted(users)), users.known)
        near.data **= self.power
        return near @ self.matrix

    def neighbours(self, rows: csr_matrix, known: np.ndarray) -> csr_matrix:
        """Return the similarity to the k nearest fitted users.

        Parameters
        ----------
        rows : csr_matrix of shape (n_users, n_items), as ``scaled`` makes them.
        known : int array of shape (n_users,), her own row in the fitted matrix or -1.

        Returns
        -------
        csr_matrix of shape (n_users, n_fitted_users), values in (0, 1].
        """
        return nearest(rows, self.unit, self.columns, known, k=self.k, shrink=self.shrink)

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return which neighbours ordered the item, and which of the user's own orders made them her neighbours.

        With power p the score is ``sum over v, j of cos(u, v) ** (p - 1) * unit(u, j) * unit(v, j) * x(v, i)``, so the
        part of each common item j is known (exactly, without shrinkage). ``items`` lists the user's own ordered items
        by that part, ``counts`` how many neighbours ordered both that one and the item; ``n`` counts the neighbours who
        ordered the item, ``of`` all neighbours.
        """
        rows, own = self.scaled(self.weighted(users)), bought_items(users)
        answer: list[list[Evidence]] = []
        for block in blocks(users.n_users, users.n_items):
            near = self.neighbours(rows[block], users.known[block])
            ranks = [self._evidence(near, rows[block], own[block], column) for column in items[block].T]
            answer.extend([list(row) for row in zip(*ranks, strict=True)])
        return answer

    def _evidence(self, near: csr_matrix, rows: csr_matrix, own: csr_matrix, item: np.ndarray) -> list[Evidence]:
        """Explain one item for each user of a block; ``item`` has shape (n_users,), -1 = none."""
        owner = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
        ordered = values_at(self.bought, near.indices, item[owner]) > 0
        part = near.data ** (self.power - 1) * values_at(self.matrix, near.indices, item[owner])
        # A copy: dropping zeros works in place, and the arrays belong to ``near``.
        voters = csr_matrix((part * ordered, near.indices, near.indptr), shape=near.shape, copy=True)
        voters.eliminate_zeros()
        parts = (voters @ self.unit).multiply(rows).multiply(own).tocsr()
        shared, weights = top_k(parts, N_EVIDENCE, exclude=one_hot(item[:, None], rows.shape[1]))
        both = [ordered & (values_at(self.bought, near.indices, column[owner]) > 0) for column in shared.T]
        counts = np.stack([np.bincount(owner, each, near.shape[0]) for each in both], axis=1).astype(int)
        n = np.bincount(owner, ordered, near.shape[0]).astype(int)
        total = np.bincount(
            owner, near.data**self.power * values_at(self.matrix, near.indices, item[owner]), near.shape[0]
        )
        of = np.diff(near.indptr)
        return [
            {
                "kind": "neighbours",
                "n": int(n[u]),
                "of": int(of[u]),
                "items": [int(i) for i in shared[u] if i >= 0],
                "counts": [int(c) for i, c in zip(shared[u], counts[u], strict=True) if i >= 0],
                "weights": [round(float(w / total[u]), 4) for w in weights[u] if w > 0],
            }
            if item[u] >= 0
            else {}
            for u in range(near.shape[0])
        ]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the weighted matrix, who ordered what, and the half-life in days."""
        half_life = {"half_life": np.asarray(self.half_life_days)}
        return matrix_arrays(self.matrix) | matrix_arrays(self.bought, "bought_") | half_life

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take the matrices back."""
        self.half_life_days = float(arrays["half_life"])
        self._hold(matrix_from(arrays), matrix_from(arrays, "bought_"))
        return self


class PearsonUserBased(UserBased):
    """User-based with Pearson correlation instead of the cosine: agreement beyond how much each shopper buys at all.

    ``r(u, v) = (x(u) . x(v) / n - mean(u) mean(v)) / (sd(u) sd(v))`` over all n items, the absent ones as zeros, which
    is the cosine after centring each row. Rows stay sparse: candidates are the 3 k users with the largest
    ``x(u) . x(v) / (n sd(u) sd(v))``, from which the means are then taken; who has nothing in common with her has
    r <= 0 and is no neighbour. A row without variance (nothing, or everything alike) has no correlation, so no
    neighbours.

    Source: Resnick et al. (1994), "GroupLens", CSCW; on implicit rows Herlocker et al. (2002), Information Retrieval 5.
    """

    name: ClassVar[str] = "user_pearson"

    def scaled(self, matrix: csr_matrix) -> csr_matrix:
        """Return the rows divided by ``sqrt(n) * sd``."""
        matrix = self.telling(matrix)
        _mean, sd = _moments(matrix)
        scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0) / np.sqrt(max(matrix.shape[1], 1))
        return scaled_rows(matrix, scale)

    def neighbours(self, rows: csr_matrix, known: np.ndarray) -> csr_matrix:
        """Return the correlation with the k nearest fitted users, shape (n_users, n_fitted_users), values in (0, 1]."""
        # The mean of a scaled row is mean / (sqrt(n) sd); twice the root of n comes back.
        root = np.sqrt(rows.shape[1])
        less = tuple(root * np.asarray(each.mean(axis=1)).ravel() for each in (rows, self.unit)) if root else None
        return nearest(rows, self.unit, self.columns, known, k=self.k, shrink=self.shrink, less=less)


def rarity(matrix: csr_matrix) -> np.ndarray:
    """Return the idf of each item, float32 of shape (n_items,), above 0."""
    known_by = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return np.log((matrix.shape[0] + 1) / (known_by + 0.5)).astype(np.float32)


def _moments(matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each row, zeros included; float64 of shape (n_rows,)."""
    n = max(matrix.shape[1], 1)
    wide = matrix.astype(np.float64)
    mean = np.asarray(wide.sum(axis=1)).ravel() / n
    variance = np.asarray(wide.multiply(wide).sum(axis=1)).ravel() / n - mean**2
    # Rounding leaves a trace of variance in a row of equal numbers.
    return mean, np.sqrt(np.where(variance > 1e-9 * (mean**2 + 1e-300), np.maximum(variance, 0), 0))
