"""Recency, frequency and monetary scores by quintiles of the shop's own buyers."""

import numpy as np

N_SCORES = 5


def quintile_scores(values: np.ndarray, *, high_is_good: bool = True) -> np.ndarray:
    """Score each value from 1 (worst fifth) to 5 (best fifth); equal values get equal scores.

    A value's score is 1 + floor(5 * share of values that are strictly worse). With many equal values some scores stay
    empty: where most shoppers ordered once, all of them score 1, and none of them 2 by chance of sorting.

    Parameters
    ----------
    values : float or int array of shape (n_shoppers,), no NaN
        Any unit: only the order counts.
    high_is_good : bool
        False where a small value is the good one (days since the last order).

    Returns
    -------
    int array of shape (n_shoppers,), each in 1..5

    Raises
    ------
    ValueError : values is not one-dimensional or holds NaN.

    Source: Hughes (1994), Strategic Database Marketing, chapter on RFM (quintiles); on ties see
    Miglautsch (2000), Thoughts on RFM scoring, Journal of Database Marketing 8(1).
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError("values must be one-dimensional")
    return scores(values, fifths(values, high_is_good=high_is_good), high_is_good=high_is_good)


def fifths(values: np.ndarray, *, high_is_good: bool = True) -> np.ndarray:
    """Return what a value must be better than for the scores 2, 3, 4 and 5.

    Parameters
    ----------
    values : float or int array of shape (n_shoppers,), no NaN
    high_is_good : bool

    Returns
    -------
    array of shape (4,), worst first; of shape (0,) without a value

    Raises
    ------
    ValueError : values holds NaN.
    """
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError("values must not hold NaN")
    if not len(values):
        return values[:0]
    ordered = np.sort(values) if high_is_good else np.sort(values)[::-1]
    # To have n / 5 worse ones below her, rounded up, is to be better than the last of them. In whole numbers: 5 * 0.6
    # in floats is a hair under 3.
    worse = -(-np.arange(1, N_SCORES) * len(values) // N_SCORES)
    return ordered[worse - 1]


def scores(values: np.ndarray, limits: np.ndarray, *, high_is_good: bool = True) -> np.ndarray:
    """Score values by the fifths of the same or of other shoppers; int array of shape (n,), each in 1..5."""
    found = np.ones(len(values), dtype=np.int64)
    for limit in limits:
        found += values > limit if high_is_good else values < limit
    return found
