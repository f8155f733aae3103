"""Groups of shoppers who are alike: k-means on standard scores, with a number of groups that the data choose.

Sources: MacQueen (1967), Some methods for classification and analysis of multivariate observations; Arthur and
Vassilvitskii (2007), k-means++; Rousseeuw (1987), Silhouettes, J. Comput. Appl. Math. 20.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUMBERS = range(2, 9)
# Below this there is nothing to group.
FEWEST = 50
# A group of fewer than one in a hundred is no group.
SMALLEST_SHARE = 0.01
# Shoppers on whom the groups are fitted, tried and judged.
MOST_FITTED, MOST_TRIED, MOST_JUDGED = 100_000, 20_000, 4_000
# Silhouettes closer than this say the same; then more groups tell a marketer more.
SAME = 0.02
# Random starts of each number that is tried.
STARTS = 3
# Groups from a random start replace those of the last run when they are tighter by this share.
CLEARLY = 0.02
BLOCK = 100_000


@dataclass(frozen=True)
class Found:
    """Groups, the first 0. ``centres``: float array of shape (k, n_features), standard scores; k = 0 without groups."""

    centres: np.ndarray
    tried: list[dict[str, Any]] = field(default_factory=list)

    @property
    def n(self) -> int:
        """How many groups."""
        return len(self.centres)


def find(scores: np.ndarray, ids: np.ndarray, *, before: np.ndarray | None = None, seed: int = 0) -> Found:
    """Choose the number of groups and fit them; the order of the rows does not matter.

    The number is the largest whose mean silhouette lies within SAME of the best.

    Parameters
    ----------
    scores : float32 array of shape (n, n_features), from segments.core.alike.scaled
    ids : int array of shape (n,), who they are: decides who is in the samples
    before : float array of shape (k, n_features), the centres of the last run: tried as a start too, so that groups
        that still fit the data are found again
    """
    if len(scores) < FEWEST or not scores.shape[1]:
        return Found(np.empty((0, scores.shape[1])))
    rows = sample(ids, MOST_FITTED)
    fitted = scores[rows]
    tried_rows = fitted[sample(ids[rows], MOST_TRIED)]
    n_different = len(np.unique(tried_rows, axis=0))
    starts, tried = {}, []
    for k in NUMBERS:
        if k > n_different:
            break
        old = before if before is not None and before.shape == (k, scores.shape[1]) else None
        centres, kept = _fit(tried_rows, k, old, seed, n_random=STARTS)
        # Whole again from where the last run ended, the same shoppers give the same groups to the last of them.
        starts[k] = before if kept else centres
        tried.append(_judged(tried_rows, centres))
    if not tried:
        return Found(np.empty((0, scores.shape[1])))
    k = choose(tried, 0 if before is None else len(before))
    return Found(_fit(fitted, k, starts[k], seed)[0], tried)


def choose(tried: list[dict[str, Any]], last: int = 0) -> int:
    """Return the largest number whose silhouette is as good as the best; numbers with a tiny group come last.

    The number of the last run stays while it is nearly as good, so that groups don't come and go with the weather.
    """
    whole = [one for one in tried if not one["tiny"]] or tried[:1]
    best = max(one["score"] for one in whole)
    kept = [one["k"] for one in whole if one["k"] == last and one["score"] >= best - 1.5 * SAME]
    return int(max(kept or [one["k"] for one in whole if one["score"] >= best - SAME]))


def sample(ids: np.ndarray, most: int) -> np.ndarray:
    """Return places of at most `most` ids, ordered by a hash of the id: the same people run after run."""
    mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.lexsort((ids, mixed))[:most]


def assign(scores: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the nearest centre of each row, int16 array of shape (n,); block by block, so that memory stays small."""
    nearest = np.empty(len(scores), np.int16)
    lengths = (centres**2).sum(axis=1)
    for start in range(0, len(scores), BLOCK):
        block = slice(start, start + BLOCK)
        nearest[block] = (lengths - 2.0 * (scores[block] @ centres.T)).argmin(axis=1)
    return nearest


def _fit(
    rows: np.ndarray, k: int, start: np.ndarray | None, seed: int, *, n_random: int = 0
) -> tuple[np.ndarray, bool]:
    """Fit from `start`, where there is one, and from random starts; return the centres and whether `start` won."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    settings: dict[str, Any] = {"n_clusters": k, "tol": 0.0, "max_iter": 100, "random_state": seed}
    fits: list[Any] = []
    with threadpool_limits(limits=1):
        if start is not None:
            fits.append(KMeans(init=start, n_init=1, **settings).fit(rows))
        if n_random:
            fits.append(KMeans(n_init=n_random, **settings).fit(rows))
    # What begins anew must be clearly tighter than what the marketer already knows.
    kept = start is not None and (len(fits) == 1 or fits[0].inertia_ <= (1 + CLEARLY) * fits[1].inertia_)
    return np.asarray(fits[0 if kept else -1].cluster_centers_, float), kept


def _judged(rows: np.ndarray, centres: np.ndarray) -> dict[str, Any]:
    """Return the mean silhouette over the first MOST_JUDGED rows, -1..1, and whether a group is tiny."""
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    labels = assign(rows, centres)
    sizes = np.bincount(labels, minlength=len(centres))
    judged = slice(0, MOST_JUDGED)
    score = -1.0
    if len(np.unique(labels[judged])) > 1:
        with threadpool_limits(limits=1):
            score = float(silhouette_score(rows[judged], labels[judged]))
    return {"k": len(centres), "score": round(score, 4), "tiny": bool(sizes.min() < SMALLEST_SHARE * len(rows))}
