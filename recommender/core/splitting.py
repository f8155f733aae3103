"""Splitting by time: a model is tested on what came after all that it has learnt from.

A random split would let it see the future: it would know the Christmas list when asked in October.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import RatesItems
from recommender.core.interactions import KINDS, LIKED_STARS, PURCHASE, Interactions, build, distinct, pairs_of

# Above this span (days) the split falls on a midnight, so that no day is torn apart.
LONG_SPAN = 20.0
# With fewer known items nothing personal can be said about a test user.
MIN_HISTORY = 2


@dataclass(frozen=True)
class Log:
    """All events of a shop, in codes.

    users, items : int32 arrays of shape (n_events,); kinds : uint8, index into KINDS;
    days : float64 array, days since 1970-01-01 UTC (or steps, for a file without a clock);
    stars : float32 array of shape (n_events,), nan where the event is no rating; or empty: there are no ratings.
        A rating below LIKED_STARS says that an item was not liked: only models that predict stars learn from it.
    """

    users: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    days: np.ndarray
    n_users: int
    n_items: int
    stars: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def shape(self) -> dict[str, Any]:
        """Numbers of users and items."""
        return {"n_users": self.n_users, "n_items": self.n_items}

    @property
    def liked(self) -> np.ndarray:
        """Bool array of shape (n_events,): the event is no rating of few stars."""
        return ~(self.stars < LIKED_STARS) if len(self.stars) else np.ones(len(self.users), bool)

    def counts(self) -> dict[str, int]:
        """Count the events of each kind that is there."""
        return {kind: int(n) for kind, n in zip(KINDS, np.bincount(self.kinds, minlength=len(KINDS)), strict=True) if n}

    def seen(self, chosen: np.ndarray, at: float) -> Interactions:
        """Return the chosen events (bool of shape (n_events,)) as seen from ``at``; nan = nothing has an age."""
        ages = at - self.days[chosen] if np.isfinite(at) else np.zeros(int(chosen.sum()))
        stars = self.stars[chosen] if len(self.stars) else None
        return build(self.users[chosen], self.items[chosen], self.kinds[chosen], ages, stars=stars, **self.shape)


@dataclass(frozen=True)
class Ratings:
    """Stars that users gave: users and items int32, stars float32, each of shape (n_ratings,)."""

    users: np.ndarray
    items: np.ndarray
    stars: np.ndarray


@dataclass(frozen=True)
class Split:
    """What a model may learn from, who is tested, and what they went on to buy."""

    train: Interactions
    tested: np.ndarray  # int array of shape (n_test_users,): their rows in train
    truth: csr_matrix  # shape (n_test_users, n_items), 1 = bought after the split
    at: float  # the split, in days as Log.days
    learnt: np.ndarray  # bool array of shape (n_events,): the events of the log that train holds
    rated: Interactions  # train and the ratings of few stars, for models that predict stars; often train itself
    held: Ratings  # what anybody rated after the split

    def lessons(self, model: object) -> Interactions:
        """Return what this model learns from and is asked with."""
        return self.rated if isinstance(model, RatesItems) else self.train


def whole(log: Log, at: float | None = None, *, disliked: bool = False) -> Interactions:
    """Return all events as seen from ``at`` (days; default: the newest), ratings of few stars only with ``disliked``.

    A model that predicts stars (RatesItems) learns from the disliked too.
    """
    cut = at if at is not None else (float(log.days.max()) if len(log.days) else 0.0)
    return log.seen(np.ones(len(log.users), bool) if disliked else log.liked, cut)


def split_by_time(log: Log, test_share: float = 0.2) -> Split:
    """Split at start + (1 - test_share) * span; the truth is what was *purchased* at or after it.

    A user is tested if she had at least two distinct items before the split and bought at least one after it. Products
    that appear only after the split stay in the truth, so 1.0 is out of reach for a model without content.

    Raises
    ------
    ValueError : test_share is outside (0, 1).

    Source: docs/recommender.md, part 3; Ji et al. (2023), ACM TOIS 41(3), "A critical study on data leakage".
    """
    return next(rolling_splits(log, test_share, 1))


def rolling_splits(log: Log, test_share: float = 0.2, n: int = 1) -> Iterator[Split]:
    """Yield n splits with test windows one after the other, the last one ending with the data.

    Each window is test_share of the time span; before each, models learn from all that came before it.

    Raises
    ------
    ValueError : test_share is outside (0, 1), n is below 1, or the windows leave nothing to learn from.

    Source: Tashman (2000), International Journal of Forecasting 16(4), "rolling origin".
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share={test_share} is outside (0, 1).")
    if not 1 <= n < 1 / test_share:
        raise ValueError(f"n={n} windows of {test_share} leave nothing to learn from.")
    days = log.days[log.liked]
    start, end = (float(days.min()), float(days.max())) if len(days) else (0.0, 0.0)
    cuts = [start + (1 - test_share * windows) * (end - start) for windows in range(n, 0, -1)]
    if end - start > LONG_SPAN:
        cuts = [float(np.floor(cut)) for cut in cuts]
    for at, until in zip(cuts, [*cuts[1:], float("inf")], strict=True):
        yield split_where(log, log.days < at, (log.days >= at) & (log.days < until), at)


def split_last(log: Log, back: int = 0) -> Split:
    """Hold back one event of every user who has an older one: for files that know an order but no clock.

    ``back`` = 0 holds the newest back, 1 the one before (and the newest is not learnt from), and so on.
    """
    liked = np.flatnonzero(log.liked)
    order = liked[np.lexsort((log.days[liked], log.users[liked]))]
    counts = np.bincount(log.users[order], minlength=log.n_users)
    ends = np.cumsum(counts)
    chosen = order[(ends - 1 - back)[counts >= back + 2]]
    limit = np.full(log.n_users, np.inf)
    limit[log.users[chosen]] = log.days[chosen]
    if back:
        limit[counts < back + 2] = -np.inf
    held = np.zeros(len(log.users), bool)
    held[chosen] = True
    # Steps of different users do not compare, so nothing may decay.
    return split_where(log, (log.days <= limit[log.users]) & ~held, held, float("nan"))


def split_where(log: Log, before: np.ndarray, after: np.ndarray, at: float) -> Split:
    """Split into the events before and those of the test window, bool arrays of shape (n_events,); nan = no ages."""
    learnt = before & log.liked
    train = log.seen(learnt, at)
    later = after & (log.kinds == PURCHASE)
    truth = pairs_of(log.users[later], log.items[later], log.n_users, log.n_items)
    pairs = distinct(train.users.astype(np.int64) * max(log.n_items, 1) + train.items)
    n_items_of = np.bincount(pairs // max(log.n_items, 1), minlength=log.n_users)
    tested = np.flatnonzero((n_items_of >= MIN_HISTORY) & (np.diff(truth.indptr) > 0))
    rated = train if learnt.sum() == before.sum() else log.seen(before, at)
    stars = after & ~np.isnan(log.stars) if len(log.stars) else np.zeros(len(after), bool)
    held = Ratings(log.users[stars], log.items[stars], log.stars[stars] if len(log.stars) else log.stars)
    return Split(train, tested, truth[tested], at, learnt, rated, held)
