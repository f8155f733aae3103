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


def one_hot(items: np.ndarray, n_items: int) -> csr_matrix:
    """Return a csr_matrix of shape (n_rows, n_items) with ones at ``items`` (shape (n_rows, k), -1 = none)."""
    there = items >= 0
    starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    columns = items[there].astype(np.int32)
    return csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(items), n_items))
