"""Linear item models: one sparse table says how much each item speaks for each other, a user's history asks it."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix, eye_array, hstack, vstack
from sparse_dot_topn import sp_matmul_topn

from recommender.core.base import (
    BLOCK_CELLS,
    N_EVIDENCE,
    WEIGHTING_SPACE,
    Beat,
    Choice,
    Evidence,
    Recommender,
    Space,
    matrix_arrays,
    matrix_from,
    silent,
)  # fmt: skip
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.ranking import top_k_sparse
from recommender.core.weighting import Weighting

ITEM_SPACE: Space = WEIGHTING_SPACE | {"self_weight": Choice((0.0, 0.5, 2.0, 5.0, 20.0))}
# Users in a block of products; beyond this nothing gets faster.
BLOCK_USERS = 20_000
# Pairs of user and item that are explained at once: 2,000 pairs of a history of 1,000 items are 16 MB.
BLOCK_PAIRS = 2_000


class ItemModel(Recommender):
    """``score(u, i) = sum over j of q(u, j) * S(j, i) + self_weight * w(u, i)``.

    S is sparse, without diagonal, and scaled so that the strongest entry of a row is 1 on average over the rows: a
    self weight of 1 then makes an item that she had before count like the average nearest neighbour, in every model.
    q is made from the events of the users asked for (``query``), w are her weights (``Weighting``).

    Parameters
    ----------
    self_weight : float >= 0, what her own history of the item itself counts; 0 = a model that only finds new items.

    Costs: top 10 of a million users over 50,000 items with 100 neighbours each take about 40 CPU seconds. Nothing is
    dense but the lists themselves.
    """

    space: ClassVar[Space] = ITEM_SPACE

    def __init__(self, self_weight: float = 2.0, weighting: Weighting | None = None) -> None:
        super().__init__(weighting)
        self.self_weight = self_weight
        self._hold(csr_matrix((0, 0), dtype=np.float32))

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"self_weight": self.self_weight} | self.weighting.params

    @abstractmethod
    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Return S, of any scale: csr_matrix of shape (n_items, n_items), row = item of hers, column = item scored."""

    def query(self, users: Interactions, weighted: csr_matrix) -> csr_matrix:
        """Return q, shape (n_users, n_items); ``weighted`` are the users' weights, of the same shape."""
        return weighted

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        self._hold(scaled(without_diagonal(csr_matrix(self.similarities(interactions, beat), dtype=np.float32))))

    def _hold(self, similarity: csr_matrix) -> None:
        """Keep S with an identity matrix below it, so that one product adds her own weights."""
        n_items = similarity.shape[0]
        similarity.sort_indices()
        self.table = csr_matrix(vstack([similarity, eye_array(n_items, dtype=np.float32, format="csr")], format="csr"))
        # The same arrays, not a copy.
        end = similarity.nnz
        parts = (self.table.data[:end], self.table.indices[:end], self.table.indptr[: n_items + 1])
        self.similarity = csr_matrix(parts, shape=similarity.shape)

    def _asked(self, users: Interactions) -> tuple[csr_matrix, csr_matrix]:
        """Return (q, self_weight * w)."""
        weighted = self.weighted(users)
        query = self.query(users, weighted)
        return query, weighted * np.float32(self.self_weight)

    def _lifted(self, users: Interactions) -> csr_matrix:
        """Return q and the own weights side by side, shape (n_users, 2 * n_items), to be multiplied with the table."""
        return csr_matrix(hstack(self._asked(users), format="csr", dtype=np.float32))

    def scores(self, users: Interactions) -> csr_matrix:
        """Return the sums of the formula, sparse."""
        return self._lifted(users) @ self.table

    def recommend(
        self,
        users: Interactions,
        k: int,
        *,
        exclude: csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        beat: Beat = silent,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best items of each user, as the base does, without making any row dense.

        A user's list is cut off after k items and as many as may be excluded for her.
        """
        items, best = np.full((users.n_users, k), -1, np.int32), np.zeros((users.n_users, k), np.float32)
        if not self.table.nnz:
            return items, best
        table = self.table
        if allowed is not None:
            table = csr_matrix((table.data * allowed[table.indices], table.indices, table.indptr), shape=table.shape)
        out = csr_matrix((users.n_users, users.n_items), dtype=np.float32) if exclude is None else exclude
        for rows, wanted in _blocks_by_length(np.diff(out.indptr) + k, users.n_items):
            asked = self._lifted(users.of(rows))
            items[rows], best[rows] = _best(asked, table, k, wanted, out[rows])
            beat()
        return items, best

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return which of her own items made the score.

        ``because``: ``items`` are her items with the largest ``q(u, j) * S(j, i)``, ``weights`` their shares of the
        score. ``again``: her own history of the item itself is at least as much as all others together. Shares of a
        score that other items pull down may be above 1.
        """
        query, own = self._asked(users)
        user, rank = np.nonzero(items >= 0)
        answer: list[list[Evidence]] = [[{} for _ in row] for row in items]
        for start in range(0, len(user), BLOCK_PAIRS):
            u, r = user[start : start + BLOCK_PAIRS], rank[start : start + BLOCK_PAIRS]
            for one, place, evidence in zip(u, r, self._evidence(query[u], own[u], items[u, r]), strict=True):
                answer[one][place] = evidence
        return answer

    def _evidence(self, query: csr_matrix, own: csr_matrix, item: np.ndarray) -> list[Evidence]:
        """Explain pairs; query and own are rows of the same users as ``item``, which has shape (n_pairs,)."""
        owner = np.repeat(np.arange(len(item)), np.diff(query.indptr))
        values = values_at(self.similarity, query.indices, item[owner]) * query.data
        again = values_at(own, np.arange(len(item)), item)
        total = np.bincount(owner, values, len(item)) + again
        others = np.bincount(owner, np.maximum(values, 0), len(item))
        parts = csr_matrix((values, query.indices, query.indptr), shape=query.shape)
        causes, weights = top_k_sparse(parts, N_EVIDENCE)
        shares = np.divide(weights, total[:, None], out=np.zeros_like(weights), where=total[:, None] > 0)
        return [
            {"kind": "again", "items": [int(item[n])], "weights": [round(float(again[n] / total[n]), 4)]}
            if again[n] > 0 and again[n] >= others[n]
            else {
                "kind": "because",
                "items": [int(i) for i in causes[n] if i >= 0],
                "weights": [round(float(share), 4) for i, share in zip(causes[n], shares[n], strict=True) if i >= 0],
            }
            for n in range(len(item))
        ]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return S and the half-life in days."""
        return matrix_arrays(self.similarity) | {"half_life": np.asarray(self.half_life_days)}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take S back."""
        self.half_life_days = float(arrays["half_life"])
        self._hold(matrix_from(arrays))
        return self


def _blocks_by_length(lengths: np.ndarray, longest: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield rows of similar list length, the longest first, and that length, so that the lists fit into BLOCK_CELLS."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        wanted = max(1, min(int(lengths[order[start]]), longest))
        stop = start + max(1, min(BLOCK_USERS, BLOCK_CELLS // wanted))
        yield np.sort(order[start:stop]), wanted
        start = stop


def _best(
    asked: csr_matrix, table: csr_matrix, k: int, wanted: int, exclude: csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best of ``asked @ table`` that are not excluded, each row having at most ``wanted - k`` of those."""
    # One more than can be needed shows whether equal scores go on beyond the list.
    found = sp_matmul_topn(asked, table, top_n=wanted + 1, threshold=0.0, sort=True, n_threads=1)
    items, best = top_k_sparse(found, k, exclude=exclude)
    full = np.flatnonzero(np.diff(found.indptr) == wanted + 1)
    lowest = found.data[found.indptr[1:][full] - 1]
    tied = full[best[full, -1] == lowest]
    # The library keeps any of equal items; the order of the codes decides here, as in top_k.
    step = max(1, BLOCK_CELLS // table.shape[1])
    for start in range(0, len(tied), step):
        rows = tied[start : start + step]
        items[rows], best[rows] = top_k_sparse(csr_matrix(asked[rows] @ table), k, exclude=exclude[rows])
    return items, best


def values_at(matrix: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the values at (rows, columns) as a flat float32 array; cells that are not stored are 0."""
    if not len(rows) or not matrix.nnz:
        return np.zeros(len(rows), np.float32)
    return np.asarray(matrix[rows, columns], np.float32).ravel()


def without_diagonal(matrix: csr_matrix) -> csr_matrix:
    """Return the matrix without its diagonal and without explicit zeros or values that are not finite."""
    owner = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    keep = (matrix.indices != owner) & np.isfinite(matrix.data) & (matrix.data != 0)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner[keep], minlength=matrix.shape[0]))])
    return csr_matrix((matrix.data[keep], matrix.indices[keep], starts), shape=matrix.shape)


def scaled(matrix: csr_matrix) -> csr_matrix:
    """Return the matrix divided by the mean, over rows that have a positive entry, of their largest entry."""
    if not matrix.nnz:
        return matrix
    filled = np.flatnonzero(np.diff(matrix.indptr) > 0)
    largest = np.maximum.reduceat(matrix.data, matrix.indptr[filled])
    largest = largest[largest > 0]
    if not len(largest):
        return matrix
    return csr_matrix((matrix.data / largest.mean(), matrix.indices, matrix.indptr), shape=matrix.shape)
