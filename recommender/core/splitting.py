"""Splitting by time: a model is tested on what came after all that it has learnt from.

A random split would let it see the future: it would know the Christmas list when asked in October.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.interactions import KINDS, PURCHASE, Interactions, build

# Above this span (days) the split falls on a midnight, so that no day is torn apart.
LONG_SPAN = 20.0
# With fewer known items nothing personal can be said about a test user.
MIN_HISTORY = 2


@dataclass(frozen=True)
class Log:
    """All events of a shop, in codes.

    users, items : int32 arrays of shape (n_events,); kinds : uint8, index into KINDS;
    days : float64 array, days since 1970-01-01 UTC (or steps, for a file without a clock).
    """

    users: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    days: np.ndarray
    n_users: int
    n_items: int

    @property
    def shape(self) -> dict[str, Any]:
        """Numbers of users and items."""
        return {"n_users": self.n_users, "n_items": self.n_items}

    def counts(self) -> dict[str, int]:
        """Count the events of each kind that is there."""
        return {kind: int(n) for kind, n in zip(KINDS, np.bincount(self.kinds, minlength=len(KINDS)), strict=True) if n}


@dataclass(frozen=True)
class Split:
    """What a model may learn from, who is tested, and what they went on to buy."""

    train: Interactions
    tested: np.ndarray  # int array of shape (n_test_users,): their rows in train
    truth: csr_matrix  # shape (n_test_users, n_items), 1 = bought after the split
    at: float  # the split, in days as Log.days


def whole(log: Log, at: float | None = None) -> Interactions:
    """Return all events as seen from ``at`` (days; default: the newest event)."""
    cut = at if at is not None else (float(log.days.max()) if len(log.days) else 0.0)
    return build(log.users, log.items, log.kinds, cut - log.days, **log.shape)


def split_by_time(log: Log, test_share: float = 0.2) -> Split:
    """Split at start + (1 - test_share) * span; the truth is what was *purchased* at or after it.

    A user is tested if she had at least two distinct items before the split and bought at least one after it. Products
    that appear only after the split stay in the truth, so 1.0 is out of reach for a model without content.

    Raises
    ------
    ValueError : test_share is outside (0, 1).

    Source: docs/recommender.md, part 3; Ji et al. (2023), ACM TOIS 41(3), "A critical study on data leakage".
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share={test_share} is outside (0, 1).")
    start, end = (float(log.days.min()), float(log.days.max())) if len(log.days) else (0.0, 0.0)
    at = start + (1 - test_share) * (end - start)
    if end - start > LONG_SPAN:
        at = float(np.floor(at))
    return _split(log, log.days < at, at)


def split_last(log: Log) -> Split:
    """Hold back the newest event of every user who has two or more: for files that know an order but no clock."""
    order = np.lexsort((np.arange(len(log.users)), log.days, log.users))
    last = np.ones(len(order), bool)
    last[:-1] = log.users[order][1:] != log.users[order][:-1]
    many = np.bincount(log.users, minlength=log.n_users) >= 2
    held = np.zeros(len(order), bool)
    held[order[last]] = True
    held &= many[log.users]
    # Steps of different users do not compare, so nothing may decay.
    return _split(log, ~held, float("nan"))


def _split(log: Log, learnt: np.ndarray, at: float) -> Split:
    ages = at - log.days[learnt] if np.isfinite(at) else np.zeros(int(learnt.sum()))
    train = build(log.users[learnt], log.items[learnt], log.kinds[learnt], ages, **log.shape)
    later = ~learnt & (log.kinds == PURCHASE)
    ones = np.ones(int(later.sum()), np.float32)
    truth = csr_matrix((ones, (log.users[later], log.items[later])), shape=(log.n_users, log.n_items))
    truth.data[:] = 1
    pairs = np.unique(train.users.astype(np.int64) * max(log.n_items, 1) + train.items)
    distinct = np.bincount(pairs // max(log.n_items, 1), minlength=log.n_users)
    tested = np.flatnonzero((distinct >= MIN_HISTORY) & (np.diff(truth.indptr) > 0))
    return Split(train, tested, truth[tested], at)
