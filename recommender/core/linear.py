"""Linear item models in closed form: each item is predicted from the others by ridge regression."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recommender.core.base import BLOCK_CELLS, Beat, Choice, Range, Space, matrix_arrays, matrix_from
from recommender.core.dividing import Arrays, BlockWork, cut
from recommender.core.interactions import Interactions
from recommender.core.item_based import BLOCK_ITEMS, nearest_items
from recommender.core.item_model import ITEM_SPACE, ItemModel
from recommender.core.user_based import unit_rows
from recommender.core.weighting import Weighting

# Items whose inner products are all held, a dense matrix of at most 100 MB.
MOST_WHOLE = 5_000
# Inner products of sets of items: codes and which places are filled, both of shape (n_sets, width), to float32 of shape
# (n_sets, width, width), 0 where a place is empty.
Gram = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Weights of a solution below this share of its largest are rounding, and would only cost memory.
NEGLIGIBLE = 1e-5


class Ease(ItemModel):
    """``S = I - P diag(P)^-1`` with ``P = (X'X + l2 I)^-1``: the least squares of X = X S, ridged, with no diagonal.

    Parameters
    ----------
    l2 : float > 0, penalty, for weights whose mean square is 1 (they are brought to it, so that a penalty means the
        same for all weightings); below 1 nothing is left to divide by where two items are always bought together.
    k : int >= 1, of each row the k entries of the largest size are kept.
    max_items : int >= 1; of more, those that most users have are kept, and nothing is known of the rest: P is dense,
        max_items^2 * 8 bytes while it is made (5,000: 200 MB and 10 CPU seconds, growing with the third power).

    With fewer users than items the smaller matrix is inverted: ``P = (I - X' (X X' + l2 I)^-1 X) / l2``.

    Source: Steck (2019), "Embarrassingly shallow autoencoders for sparse data", WWW, equations 8 and 9.
    """

    name: ClassVar[str] = "ease"
    space: ClassVar[Space] = ITEM_SPACE | {"l2": Range(30, 10_000, log=True), "k": Choice((100, 300, 1000))}

    def __init__(
        self,
        l2: float = 500.0,
        k: int = 300,
        max_items: int = 5_000,
        self_weight: float = 2.0,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(self_weight, weighting)
        self.l2, self.k, self.max_items = l2, k, max_items

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"l2": self.l2, "k": self.k, "max_items": self.max_items} | super().params

    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Return S of the most popular items, truncated."""
        matrix = even(self.weighted(interactions))
        popularity = np.bincount(matrix.indices, minlength=matrix.shape[1])
        chosen = np.sort(np.argsort(-popularity, kind="stable")[: self.max_items])
        chosen = chosen[popularity[chosen] > 0]
        with threadpool_limits(1, "blas"):
            dense = inverse_of_gram(csr_matrix(matrix[:, chosen]), self.l2)
        beat()
        dense /= -np.diag(dense).copy()
        np.fill_diagonal(dense, 0)
        return _spread(dense, chosen, self.k, matrix.shape[1])


def even(matrix: csr_matrix) -> csr_matrix:
    """Return the matrix divided by the root of the mean square of its stored weights."""
    square = float(np.mean(matrix.data.astype(np.float64) ** 2)) if matrix.nnz else 0.0
    return csr_matrix(matrix * np.float32(square**-0.5)) if square else matrix


def inverse_of_gram(matrix: csr_matrix, l2: float) -> np.ndarray:
    """Return ``(X'X + l2 I)^-1``, float32 of shape (n_items, n_items), by way of the smaller of X'X and XX'."""
    n_users, n_items = matrix.shape
    if n_users >= n_items:
        gram = np.asarray((matrix.T @ matrix).toarray(), np.float32)
        gram[np.diag_indices(n_items)] += np.float32(l2)
        return np.asarray(np.linalg.inv(gram), np.float32)
    outer = (matrix @ matrix.T).toarray().astype(np.float64)
    outer[np.diag_indices(n_users)] += l2
    half = matrix.T @ np.linalg.solve(outer, matrix.toarray().astype(np.float64))
    half *= -1
    half[np.diag_indices(n_items)] += 1
    return np.asarray(half / l2, np.float32)


def _spread(dense: np.ndarray, chosen: np.ndarray, k: int, n_items: int) -> csr_matrix:
    """Return the k entries of the largest size of each row, at the places of the chosen items among all."""
    n = len(chosen)
    k = min(k, n)
    rows, columns, data = [], [], []
    step = max(1, BLOCK_CELLS // max(n, 1))
    for start in range(0, n, step):
        block = dense[start : start + step]
        kept = np.argpartition(-np.abs(block), k - 1, axis=1)[:, :k]
        rows.append(np.repeat(chosen[start : start + step], k))
        columns.append(chosen[kept].ravel())
        data.append(np.take_along_axis(block, kept, 1).ravel())
    if not n:
        return csr_matrix((n_items, n_items), dtype=np.float32)
    values = np.concatenate(data)
    values[np.abs(values) < NEGLIGIBLE * np.abs(values).max()] = 0
    return csr_matrix((values, (np.concatenate(rows), np.concatenate(columns))), shape=(n_items, n_items))


class SlimLocal(ItemModel):
    """Each item i from its n nearest items N only: ``S(N, i) = (G(N, N) + l2 I)^-1 G(N, i)``, ``G = X'X``.

    Parameters
    ----------
    n : int >= 1, nearest items (by cosine) of each item.
    l2 : float > 0, penalty, for weights whose mean square is 1, as for EASE.

    Costs: n^3 for each item, and its G(N, N): read from the whole G where there are few items, else multiplied out for
    each, which touches the users of its neighbours only. So it grows with the number of items, not with its third power
    as EASE does; 30,000 items take about 20 CPU seconds.

    Source: Ning and Karypis (2011), "SLIM: sparse linear methods for top-n recommender systems", ICDM, section 4.4
    (feature selection by neighbours), with the ridge of Steck (2019) in place of the elastic net.
    """

    name: ClassVar[str] = "slim_local"
    space: ClassVar[Space] = ITEM_SPACE | {"n": Choice((50, 100, 200)), "l2": Range(10, 1_000, log=True)}

    def __init__(
        self, n: int = 100, l2: float = 100.0, self_weight: float = 2.0, weighting: Weighting | None = None
    ) -> None:
        super().__init__(self_weight, weighting)
        self.n, self.l2 = n, l2

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"n": self.n, "l2": self.l2} | super().params

    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Solve the items in blocks."""
        items = csr_matrix(even(self.weighted(interactions)).T)
        near = nearest_items(unit_rows(items), self.n, shrink=0.0, beat=beat, divide=self.divide)
        materials = matrix_arrays(items, "items.") | matrix_arrays(near, "near.") | {"l2": np.array(self.l2)}
        solved = self.divide(SolvedItems, materials, cut(items.shape[0], BLOCK_ITEMS), beat)
        weights = np.concatenate([np.zeros(0, np.float32), *(one["weights"] for one in solved)])
        return csr_matrix(csr_matrix((weights, near.indices, near.indptr), shape=near.shape).T)


class SolvedItems(BlockWork):
    """The weights of the neighbours of some items, as their row of ``near`` names them."""

    name: ClassVar[str] = "solved"

    def __init__(self, materials: Arrays) -> None:
        self.near, items = matrix_from(materials, "near."), matrix_from(materials, "items.")
        self.l2, self.counts = float(materials["l2"]), np.diff(self.near.indptr)
        self.gram: Gram = _whole(items) if items.shape[0] <= MOST_WHOLE else partial(_multiplied, items)

    def part(self, block: slice, beat: Beat) -> Arrays:
        """Return them below each other."""
        first, last = self.near.indptr[[block.start, block.stop]]
        weights = np.zeros(last - first, np.float32)
        items = np.arange(block.start, block.stop)
        widths = np.minimum(_widths(self.counts[items]), self.counts.max(initial=1))
        with threadpool_limits(1, "blas"):
            for width in np.unique(widths).tolist():
                alike = items[widths == width]
                for some in cut(len(alike), max(1, BLOCK_CELLS // (4 * width**2))):
                    places, solved = self._solve(alike[some], width)
                    weights[places - first] = solved
                    beat()
        return {"weights": weights}

    def _solve(self, items: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the places in ``near`` of the neighbours of some items, at most ``width`` each, and their weights."""
        counts = self.counts[items]
        places = np.repeat(self.near.indptr[items] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        # The item itself stands before its neighbours.
        there = np.arange(1 + width) <= counts[:, None]
        codes = np.zeros(there.shape, np.int32)
        codes[:, 0] = items
        codes[:, 1:][there[:, 1:]] = self.near.indices[places]
        products = self.gram(codes, there)
        among, target = products[:, 1:, 1:], products[:, 1:, :1]
        # A place without neighbour stands alone, so its weight comes out as 0.
        diagonal = np.arange(among.shape[1])
        among[:, diagonal, diagonal] += self.l2
        return places, np.asarray(np.linalg.solve(among, target)[:, :, 0][there[:, 1:]], np.float32)


def _widths(counts: np.ndarray) -> np.ndarray:
    """Return for each number of neighbours the power of two that holds it, by which alone an item is solved: no other
    item of its block rounds it otherwise, and one with few neighbours costs little.
    """
    return 2 ** np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)


def _whole(items: csr_matrix) -> Gram:
    """Return what looks inner products up among all of them."""
    everything = (items @ items.T).toarray().astype(np.float32)

    def looked_up(codes: np.ndarray, there: np.ndarray) -> np.ndarray:
        both = there[:, :, None] & there[:, None, :]
        return np.asarray(everything[codes[:, :, None], codes[:, None, :]] * both)

    return looked_up


def _multiplied(items: csr_matrix, codes: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Multiply out: one product of a matrix that holds the rows of each set of items in columns of its own."""
    n_sets, width = codes.shape
    owner, place = np.nonzero(there)
    rows = items[codes[there]]
    columns = rows.indices + np.repeat(owner, np.diff(rows.indptr)).astype(np.int64) * items.shape[1]
    used, columns = np.unique(columns, return_inverse=True)
    apart = csr_matrix((rows.data, columns, rows.indptr), shape=(len(owner), len(used)))
    products = (apart @ apart.T).tocoo()
    answer = np.zeros((n_sets, width, width), np.float32)
    answer[owner[products.row], place[products.row], place[products.col]] = products.data
    return answer
