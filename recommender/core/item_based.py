"""Item-based collaborative filtering: items that the same shoppers like as those she likes."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, diags_array, eye_array, vstack
from sparse_dot_topn import sp_matmul_topn

from recommender.core.base import BLOCK_CELLS, Beat, Choice, Range, Space, matrix_arrays, matrix_from
from recommender.core.dividing import Arrays, BlockWork, Divide, cut, in_turn
from recommender.core.interactions import Interactions
from recommender.core.item_model import ITEM_SPACE, ItemModel
from recommender.core.user_based import unit_rows
from recommender.core.weighting import Weighting

BLOCK_ITEMS = 2_000
ITEM_BASED_SPACE: Space = ITEM_SPACE | {"k": Range(20, 500, log=True), "shrink": Choice((0.0, 3.0, 20.0, 100.0))}


class ItemCosine(ItemModel):
    """``S(j, i) = cos(x_j, x_i)`` between columns of the user x item matrix, the k largest of each row j.

    Parameters
    ----------
    k : int >= 1, neighbours of each item.
    shrink : float >= 0, ``S * n / (n + shrink)`` with n users in common: two items that one user bought together once
        would else be as near as can be. 0 = off; else both products are made in full, which takes about thrice as long.

    Costs: 100 neighbours of 50,000 items from 17 million pairs take about 14 CPU seconds and 800 MB.

    Source: Sarwar et al. (2001), "Item-based collaborative filtering recommendation algorithms", WWW;
    Deshpande and Karypis (2004), ACM TOIS 22(1). Shrinkage: Bell and Koren (2007), KDD Cup, section 2.
    """

    name: ClassVar[str] = "item_cosine"
    space: ClassVar[Space] = ITEM_BASED_SPACE

    def __init__(
        self, k: int = 100, shrink: float = 0.0, self_weight: float = 2.0, weighting: Weighting | None = None
    ) -> None:
        super().__init__(self_weight, weighting)
        self.k, self.shrink = k, shrink

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"k": self.k, "shrink": self.shrink} | super().params

    def item_rows(self, items: csr_matrix) -> csr_matrix:
        """Return the row of each item whose inner products are the similarities; ``items`` is (n_items, n_users)."""
        return unit_rows(items)

    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Return the k nearest items of each item."""
        rows = self.item_rows(self.weighted(interactions).T.tocsr())
        return nearest_items(rows, self.k, shrink=self.shrink, beat=beat, divide=self.divide)


class ItemTfidf(ItemCosine):
    """Cosine of ``sqrt(x) * idf``, each user being a term: ``idf(u) = log((n_items + 1) / (n_items_of_u + 0.5))``.

    A user who likes everything says little about which items belong together. The idf is that of BM25 with 1 added,
    so that it stays above 0 where a user has every item.

    Source: Salton and Buckley (1988), Information Processing and Management 24(5); as in the library implicit.
    """

    name: ClassVar[str] = "item_tfidf"

    def item_rows(self, items: csr_matrix) -> csr_matrix:
        """Return unit rows of sqrt(x) * idf."""
        return unit_rows(csr_matrix(items.sqrt() @ diags_array(user_idf(items))))


class ItemBm25(ItemCosine):
    """``S = B B'`` with ``b(i, u) = x (k1 + 1) / (k1 (1 - b + b * len(i) / mean len) + x) * idf(u)``, x = x(u, i).

    Items are the documents, users the terms, and the length of an item is the sum of its weights. Rows are not
    normalised: of two items that go equally well with hers the more popular one wins.

    Parameters
    ----------
    k1 : float > 0, how late more of the same user stops counting.
    b : float in [0, 1], how much popular items are held back.

    Source: Robertson and Zaragoza (2009), "The probabilistic relevance framework: BM25 and beyond", Foundations and
    Trends in IR 3(4), with the idf of Lucene, which is never negative; over the axis of users as in implicit.
    """

    name: ClassVar[str] = "item_bm25"
    space: ClassVar[Space] = ITEM_BASED_SPACE | {"k1": Choice((0.6, 1.2, 2.0)), "b": Choice((0.1, 0.2, 0.4, 0.75))}

    def __init__(
        self,
        k: int = 200,
        shrink: float = 0.0,
        k1: float = 1.2,
        b: float = 0.2,
        self_weight: float = 2.0,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(k, shrink, self_weight, weighting)
        self.k1, self.b = k1, b

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"k1": self.k1, "b": self.b} | super().params

    def item_rows(self, items: csr_matrix) -> csr_matrix:
        """Return the weights b(i, u)."""
        return bm25_rows(items, user_idf(items), k1=self.k1, b=self.b)


def user_idf(items: csr_matrix) -> np.ndarray:
    """Return ``log((n_items + 1) / (n + 0.5))`` for a user of n items, float32 of shape (n_users,), above 0.

    It equals ``log(1 + (n_items - n + 0.5) / (n + 0.5))``, the idf of BM25 in Lucene.
    """
    n_items, n_users = items.shape
    return np.asarray(np.log((n_items + 1) / (np.bincount(items.indices, minlength=n_users) + 0.5)), np.float32)


def bm25_rows(items: csr_matrix, idf: np.ndarray, *, k1: float, b: float) -> csr_matrix:
    """Return the BM25 weight of each stored value of an (n_items, n_users) matrix; the formula is at ItemBm25."""
    length = np.asarray(items.sum(axis=1), np.float64).ravel()
    mean = length.mean() if len(length) and length.any() else 1.0
    norm = np.repeat(k1 * (1 - b + b * length / mean), np.diff(items.indptr))
    data = items.data * (k1 + 1) / (norm + items.data) * idf[items.indices]
    return csr_matrix((data.astype(np.float32), items.indices, items.indptr), shape=items.shape)


def nearest_items(rows: csr_matrix, k: int, *, shrink: float, beat: Beat, divide: Divide = in_turn) -> csr_matrix:
    """Return the k largest inner products of each row with the other rows.

    Parameters
    ----------
    rows : csr_matrix float32 of shape (n_items, n_users), values above 0.
    k : int >= 1
    shrink : float >= 0, see ItemCosine.
    beat : called after each block. divide : who works on the blocks.

    Returns
    -------
    csr_matrix of shape (n_items, n_items) without diagonal.
    """
    return nearest(rows, csr_matrix(rows.T), k, shrink=shrink, beat=beat, divide=divide)


def nearest(
    rows: csr_matrix, columns: csr_matrix, k: int, *, beat: Beat, shrink: float = 0.0, divide: Divide = in_turn
) -> csr_matrix:
    """Return the k largest values of each row of ``rows @ columns``, shape (n_items, n_items), but for the diagonal.

    With shrinkage the n of ``n / (n + shrink)`` is the number of terms of each sum.
    """
    n_items = rows.shape[0]
    materials = matrix_arrays(rows, "rows.") | matrix_arrays(columns, "columns.")
    materials |= {"k": np.array(k), "shrink": np.array(shrink)}
    found = divide(NearestItems, materials, cut(n_items, BLOCK_ITEMS), beat)
    return stacked(found, n_items)


class NearestItems(BlockWork):
    """The k largest products of some rows with all columns."""

    name: ClassVar[str] = "nearest"

    def __init__(self, materials: Arrays) -> None:
        self.rows, self.columns = matrix_from(materials, "rows."), matrix_from(materials, "columns.")
        self.k, self.shrink = int(materials["k"]), float(materials["shrink"])

    def part(self, block: slice, beat: Beat) -> Arrays:
        """Return them as the arrays of a csr_matrix of shape (n_rows of the block, n_items)."""
        n_items = self.rows.shape[0]
        step = max(1, BLOCK_CELLS // max(n_items, 1)) if self.shrink else BLOCK_ITEMS
        parts = []
        for part in cut(block.stop - block.start, step):
            rows = slice(block.start + part.start, block.start + part.stop)
            parts.append(_without_self(self._largest(self.rows[rows]), np.arange(rows.start, rows.stop), self.k))
            beat()
        return matrix_arrays(csr_matrix(vstack(parts, format="csr")))

    def _largest(self, rows: csr_matrix) -> csr_matrix:
        # One more, because an item may be its own nearest neighbour.
        if self.shrink:
            return largest_of_rows(_shrunk(rows, self.columns, self.shrink), self.k + 1)
        return sp_matmul_topn(rows, self.columns, top_n=self.k + 1, sort=True, n_threads=1)


def stacked(parts: Sequence[Arrays], n_items: int) -> csr_matrix:
    """Return blocks of rows, each the arrays of a csr_matrix, below each other: n_items columns, float32."""
    matrices = [matrix_from(part) for part in parts]
    return csr_matrix(vstack([csr_matrix((0, n_items), dtype=np.float32), *matrices], format="csr"))


def _shrunk(block: csr_matrix, columns: csr_matrix, shrink: float) -> csr_matrix:
    product, common = block @ columns, _pattern(block) @ _pattern(columns)
    # One routine walked both patterns, which are equal, so the entries stand in the same order.
    data = product.data * (common.data / (common.data + shrink))
    return csr_matrix((data, product.indices, product.indptr), shape=product.shape)


def _pattern(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def largest_of_rows(matrix: csr_matrix, k: int) -> csr_matrix:
    """Return the k largest values of each row, sorted, the largest first."""
    same = csr_matrix(eye_array(matrix.shape[0], dtype=np.float32))
    return sp_matmul_topn(same, matrix, top_n=k, sort=True, n_threads=1)


def _without_self(found: csr_matrix, codes: np.ndarray, k: int) -> csr_matrix:
    """Drop each row's own item, and keep k of the rest; rows are sorted, the largest first."""
    owner = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    other = found.indices != codes[owner]
    before = np.cumsum(other) - other
    place = before - before[np.minimum(found.indptr[:-1], max(found.nnz - 1, 0))][owner] if found.nnz else before
    keep = other & (place < k)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner[keep], minlength=found.shape[0]))])
    return csr_matrix((found.data[keep], found.indices[keep], starts), shape=found.shape)
