"""What is shown where a model knows no more: trending, then popular."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import Beat, Recommender, silent
from recommender.core.interactions import Interactions
from recommender.core.ranking import one_hot


def filled(
    items: np.ndarray,
    scores: np.ndarray,
    ladder: Sequence[Recommender],
    users: Interactions,
    exclude: csr_matrix | None = None,
    beat: Beat = silent,
) -> tuple[np.ndarray, np.ndarray]:
    """Fill the gaps of each list from the fitted models of the ladder, the first one first.

    Parameters
    ----------
    items, scores : of shape (n_users, k), as ``Recommender.recommend`` returns them; -1 = gap.
    users : Interactions of the same users.
    exclude : csr_matrix of shape (n_users, n_items), nonzero = not for this user.

    Returns
    -------
    (items, scores) with fewer gaps. A filled item scores below all before it: scores compare only inside a list.
    """
    items, scores = items.copy(), scores.copy()
    k = items.shape[1]
    for model in ladder:
        short = np.flatnonzero((items < 0).any(axis=1))
        if not len(short):
            break
        listed = one_hot(items[short], users.n_items)
        out = listed if exclude is None else csr_matrix(listed + exclude[short])
        more, worth = model.recommend(users.of(short), k, exclude=out, beat=beat)
        floor = np.where(scores[short] > 0, scores[short], np.inf).min(axis=1, keepdims=True)
        worth = worth / np.maximum(worth[:, :1], np.finfo(np.float32).tiny) * np.where(np.isfinite(floor), floor, 1) / 2
        both = np.concatenate([items[short], more], axis=1)
        marks = np.concatenate([scores[short], worth], axis=1)
        order = np.argsort(both < 0, axis=1, kind="stable")[:, :k]
        items[short] = np.take_along_axis(both, order, 1)
        scores[short] = np.where(items[short] >= 0, np.take_along_axis(marks, order, 1), 0)
    return items, scores
