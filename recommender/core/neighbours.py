"""The users nearest to some users: sparse, in blocks, never users x users."""

import numpy as np
from scipy.sparse import csr_matrix, diags
from sparse_dot_topn import sp_matmul_topn

# Shrinkage and centring reorder, so they need more candidates than are kept.
SPARE = 3


def nearest(
    rows: csr_matrix,
    fitted: csr_matrix,
    columns: csr_matrix,
    known: np.ndarray,
    *,
    k: int,
    shrink: float = 0.0,
    less: tuple[np.ndarray, np.ndarray] | None = None,
) -> csr_matrix:
    """Return the similarity to the k nearest fitted users; nobody is her own neighbour.

    Parameters
    ----------
    rows, fitted : csr_matrix of shape (n_users, n_items) and (n_fitted, n_items), scaled so that the similarity is
        their inner product.
    columns : csr_matrix, ``fitted`` transposed, worked out once.
    known : int array of shape (n_users,), her own row among the fitted or -1.
    k : int >= 1
    shrink : float >= 0, ``s * n / (n + shrink)`` with n common items, so that one common item proves little.
    less : (array of shape (n_users,), array of shape (n_fitted,)), taken from the inner product as their product.

    Returns
    -------
    csr_matrix of shape (n_users, n_fitted), only values above 0.

    Source of the shrinkage: Bell and Koren (2007), "Improved neighborhood-based collaborative filtering", KDD Cup.
    """
    shape = (rows.shape[0], fitted.shape[0])
    if not rows.nnz or not fitted.nnz:
        return csr_matrix(shape, dtype=np.float32)
    wanted = k * (SPARE if shrink or less else 1)
    near = sp_matmul_topn(rows, columns, top_n=wanted + 1, sort=True, n_threads=1)
    owner = np.repeat(np.arange(shape[0]), np.diff(near.indptr))
    if less:
        near.data -= (less[0][owner] * less[1][near.indices]).astype(near.data.dtype)
    if shrink:
        common = _common_items(rows, fitted, owner, near.indices)
        near.data *= common / (common + shrink)
    near.data[near.indices == known[owner]] = 0
    order = np.lexsort((near.indices, -near.data, owner))
    place = np.arange(len(order)) - near.indptr[:-1][owner]
    kept = order[(place < k) & (near.data[order] > 0)]
    return csr_matrix((near.data[kept], (owner[kept], near.indices[kept])), shape=shape)


def unit_rows(matrix: csr_matrix) -> csr_matrix:
    """Return the matrix with rows of Euclidean length 1; empty rows stay empty."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return scaled_rows(matrix, np.divide(1.0, length, out=np.zeros_like(length), where=length > 0))


def scaled_rows(matrix: csr_matrix, scale: np.ndarray) -> csr_matrix:
    """Return the matrix with each row multiplied by its number."""
    return csr_matrix(diags(scale.astype(np.float32)) @ matrix)


def values_at(matrix: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the values at (rows, columns) as a flat array; a column of -1 gives 0."""
    if not len(rows):
        return np.zeros(0, np.float32)
    values = np.asarray(matrix[rows, np.maximum(columns, 0)]).ravel()
    return np.where(columns >= 0, values, 0)


def _common_items(rows: csr_matrix, fitted: csr_matrix, owner: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how many items each pair (owner of rows, other of fitted) has in common, shape (n_pairs,)."""
    mine, theirs = rows[owner].astype(bool), fitted[other].astype(bool)
    return np.asarray(mine.multiply(theirs).sum(axis=1), np.float32).ravel()
