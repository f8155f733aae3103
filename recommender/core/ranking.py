"""The best k of many scores, the same on every machine."""

import numpy as np
from scipy.sparse import csr_matrix


def top_k(
    scores: csr_matrix | np.ndarray, k: int, *, exclude: csr_matrix | None = None, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k columns with the highest positive score of each row.

    Parameters
    ----------
    scores : sparse or dense, of shape (n_rows, n_columns); what is not above 0 is never chosen. The caller passes
        blocks, because the rows become dense here (12 bytes a cell).
    k : int >= 1, may exceed n_columns
    exclude : csr_matrix of the same shape, nonzero = leave this cell out.
    allowed : bool array of shape (n_columns,), False = leave the column out.

    Returns
    -------
    (int32 columns, float32 scores), both of shape (n_rows, k), best first, -1 and 0 where a row has no more.
    Equal scores stand in the order of the column, so the answer does not depend on the sorting routine.

    Raises
    ------
    ValueError : k is below 1.
    """
    if k < 1:
        raise ValueError(f"k={k} is below 1.")
    n_rows, n_columns = scores.shape
    items, best = np.full((n_rows, k), -1, np.int32), np.zeros((n_rows, k), np.float32)
    if not n_rows or not n_columns:
        return items, best
    dense = scores if isinstance(scores, np.ndarray) else scores.toarray()
    dense = np.maximum(np.nan_to_num(dense.astype(np.float32), nan=0.0, posinf=0.0), 0.0)
    if allowed is not None:
        dense[:, ~allowed] = 0
    if exclude is not None:
        dense[np.repeat(np.arange(n_rows), np.diff(exclude.indptr)), exclude.indices] = 0
    # Positive floats sort like their bits; the lower half of the key prefers the smaller column among equals.
    keys = np.ascontiguousarray(dense).view(np.int32).astype(np.int64) << 32
    keys |= np.arange(n_columns - 1, -1, -1, dtype=np.int64)
    n = min(k, n_columns)
    chosen = np.argpartition(keys, n_columns - n, axis=1)[:, n_columns - n :]
    order = np.argsort(-np.take_along_axis(keys, chosen, 1), axis=1)
    chosen = np.take_along_axis(chosen, order, 1)
    values = np.take_along_axis(dense, chosen, 1)
    items[:, :n] = np.where(values > 0, chosen, -1)
    best[:, :n] = np.maximum(values, 0)
    return items, best


def top_k_sparse(
    scores: csr_matrix, k: int, *, exclude: csr_matrix | None = None, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what ``top_k`` does, for rows of few stored scores in any order; only rows x the longest row is dense.

    Parameters
    ----------
    scores : csr_matrix of shape (n_rows, n_columns); equal columns of a row must not be stored twice.
    k : int >= 1
    exclude : csr_matrix of the same shape, stored = leave this cell out.
    allowed : bool array of shape (n_columns,), False = leave the column out.
    """
    n_rows, n_columns = scores.shape
    counts = np.diff(scores.indptr)
    items, best = np.full((n_rows, k), -1, np.int32), np.zeros((n_rows, k), np.float32)
    width = int(counts.max()) if n_rows else 0
    if not width:
        return items, best
    owner = np.repeat(np.arange(n_rows), counts)
    values = np.maximum(np.nan_to_num(scores.data.astype(np.float32), nan=0.0, posinf=0.0), 0)
    if allowed is not None:
        values[~allowed[scores.indices]] = 0
    if exclude is not None and exclude.nnz:
        values[_stored(exclude, owner, scores.indices)] = 0
    keys = np.zeros((n_rows, width), np.int64)
    place = np.arange(len(owner)) - scores.indptr[:-1][owner]
    keys[owner, place] = (values.view(np.int32).astype(np.int64) << 32) | (n_columns - 1 - scores.indices)
    n = min(k, width)
    if width > 2 * n:
        keys = np.partition(keys, width - n, axis=1)[:, width - n :]
    keys.sort(axis=1)
    keys = keys[:, ::-1][:, :n]
    values = (keys >> 32).astype(np.int32).view(np.float32)
    items[:, :n] = np.where(values > 0, n_columns - 1 - (keys & 0xFFFFFFFF), -1)
    best[:, :n] = values
    return items, best


def _stored(matrix: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return whether each cell (row, column) is stored in the matrix, bool of shape (n_cells,)."""
    owner = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    stored = np.sort(owner * matrix.shape[1] + matrix.indices)
    asked = rows.astype(np.int64) * matrix.shape[1] + columns
    place = np.minimum(np.searchsorted(stored, asked), len(stored) - 1)
    return np.asarray(stored[place] == asked)


def one_hot(items: np.ndarray, n_items: int) -> csr_matrix:
    """Return a csr_matrix of shape (n_rows, n_items) with ones at ``items`` (shape (n_rows, k), -1 = none)."""
    there = items >= 0
    starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    columns = items[there].astype(np.int32)
    return csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(items), n_items))
