"""User-based collaborative filtering: what shoppers with the most similar histories like."""

from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix, diags
from sparse_dot_topn import sp_matmul_topn

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

    The similarities are computed for the users asked for, in blocks, as sparse top-k: never users x users, never dense.
    10,000 users against a million take 12 to 25 CPU seconds and 650 MB. Everybody against everybody would take about
    2,500 s; nobody asks for that: mails ask for a batch, an evaluation for at most 20,000 users.

    Source: Resnick et al. (1994), "GroupLens", CSCW; cosine on implicit weights as in Aiolli (2013), RecSys, section 3.
    """

    name: ClassVar[str] = "user_based"

    space: ClassVar[Space] = WEIGHTING_SPACE | {
        "k": Range(20, 400, log=True), "power": Choice((1.0, 2.0)), "shrink": Choice((0.0, 5.0, 20.0, 100.0)),
    }  # fmt: skip

    def __init__(
        self, k: int = 100, power: float = 2.0, shrink: float = 0.0, weighting: Weighting | None = None
    ) -> None:
        super().__init__(weighting)
        self.k, self.power, self.shrink = k, power, shrink
        self._hold(csr_matrix((0, 0), dtype=np.float32), csr_matrix((0, 0), dtype=np.float32))

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"k": self.k, "power": self.power, "shrink": self.shrink} | self.weighting.params

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        """Build the weighted matrix; a million shoppers with 17 million pairs: about 5 s, 400 MB."""
        self._hold(self.weighted(interactions), bought_items(interactions))

    def _hold(self, matrix: csr_matrix, bought: csr_matrix) -> None:
        self.matrix, self.bought = matrix, bought
        self.unit = unit_rows(matrix)
        self.columns = self.unit.T.tocsr()

    def scores(self, users: Interactions) -> csr_matrix:
        """Return what the neighbours of each user like, the nearer ones counting more."""
        near = self.neighbours(unit_rows(self.weighted(users)), users.known)
        near.data **= self.power
        return near @ self.matrix

    def neighbours(self, rows: csr_matrix, known: np.ndarray) -> csr_matrix:
        """Return the similarity to the k nearest fitted users.

        Parameters
        ----------
        rows : csr_matrix of shape (n_users, n_items), rows of length 1.
        known : int array of shape (n_users,), her own row in the fitted matrix or -1.

        Returns
        -------
        csr_matrix of shape (n_users, n_fitted_users), values in (0, 1].
        """
        if not rows.nnz or not self.unit.nnz:
            return csr_matrix((rows.shape[0], self.unit.shape[0]), dtype=np.float32)
        # Shrinkage reorders, so it needs more candidates than it keeps.
        wanted = self.k * (3 if self.shrink else 1)
        near = sp_matmul_topn(rows, self.columns, top_n=wanted + 1, sort=True, n_threads=1)
        owner = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
        herself = near.indices == known[owner]
        if self.shrink:
            common = _common_items(rows, self.unit, owner, near.indices)
            near.data *= common / (common + self.shrink)
        near.data[herself] = 0
        order = np.lexsort((near.indices, -near.data, owner))
        place = np.arange(len(order)) - near.indptr[:-1][owner]
        kept = order[(place < self.k) & (near.data[order] > 0)]
        return csr_matrix((near.data[kept], (owner[kept], near.indices[kept])), shape=near.shape)

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return which neighbours ordered the item, and which of the user's own orders made them her neighbours.

        With power p the score is ``sum over v, j of cos(u, v) ** (p - 1) * unit(u, j) * unit(v, j) * x(v, i)``, so the
        part of each common item j is known (exactly, without shrinkage). ``items`` lists the user's own ordered items
        by that part, ``counts`` how many neighbours ordered both that one and the item; ``n`` counts the neighbours who
        ordered the item, ``of`` all neighbours.
        """
        rows, own = unit_rows(self.weighted(users)), bought_items(users)
        answer: list[list[Evidence]] = []
        for block in blocks(users.n_users, users.n_items):
            near = self.neighbours(rows[block], users.known[block])
            ranks = [self._evidence(near, rows[block], own[block], column) for column in items[block].T]
            answer.extend([list(row) for row in zip(*ranks, strict=True)])
        return answer

    def _evidence(self, near: csr_matrix, rows: csr_matrix, own: csr_matrix, item: np.ndarray) -> list[Evidence]:
        """Explain one item for each user of a block; ``item`` has shape (n_users,), -1 = none."""
        owner = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
        ordered = _at(self.bought, near.indices, item[owner]) > 0
        part = near.data ** (self.power - 1) * _at(self.matrix, near.indices, item[owner])
        # A copy: dropping zeros works in place, and the arrays belong to ``near``.
        voters = csr_matrix((part * ordered, near.indices, near.indptr), shape=near.shape, copy=True)
        voters.eliminate_zeros()
        parts = (voters @ self.unit).multiply(rows).multiply(own).tocsr()
        shared, weights = top_k(parts, N_EVIDENCE, exclude=one_hot(item[:, None], rows.shape[1]))
        both = [ordered & (_at(self.bought, near.indices, column[owner]) > 0) for column in shared.T]
        counts = np.stack([np.bincount(owner, each, near.shape[0]) for each in both], axis=1).astype(int)
        n = np.bincount(owner, ordered, near.shape[0]).astype(int)
        total = np.bincount(owner, near.data**self.power * _at(self.matrix, near.indices, item[owner]), near.shape[0])
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


def unit_rows(matrix: csr_matrix) -> csr_matrix:
    """Return the matrix with rows of Euclidean length 1; empty rows stay empty."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return csr_matrix(diags(scale.astype(np.float32)) @ matrix)


def _at(matrix: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the values at (rows, columns) as a flat array; a column of -1 gives 0."""
    if not len(rows):
        return np.zeros(0, np.float32)
    values = np.asarray(matrix[rows, np.maximum(columns, 0)]).ravel()
    return np.where(columns >= 0, values, 0)


def _common_items(rows: csr_matrix, unit: csr_matrix, owner: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how many items each pair (owner of rows, other of unit) has in common, shape (n_pairs,)."""
    mine, theirs = rows[owner].astype(bool), unit[other].astype(bool)
    return np.asarray(mine.multiply(theirs).sum(axis=1), np.float32).ravel()
