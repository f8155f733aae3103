"""How good lists of recommendations are: one value per user, so that models can be compared user by user.

Every function takes ``recommended``, an int array of shape (n_users, n_ranks), item codes best first, -1 where a list
is shorter, and ``relevant``, a csr_matrix of shape (n_users, n_items), nonzero where the user went on to buy the item
after the split. It returns a float array of shape (n_users,). Users without a relevant item get 0; the caller leaves
them out.
"""

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.ranking import one_hot


def hits(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """Say of each of the first k recommendations whether the user went on to buy it.

    Returns
    -------
    bool array of shape (n_users, k).

    Raises
    ------
    ValueError : k is outside 1..n_ranks, or the shapes do not fit.
    """
    if not 1 <= k <= recommended.shape[1]:
        raise ValueError(f"k={k} is outside 1..{recommended.shape[1]}.")
    if len(recommended) != relevant.shape[0]:
        raise ValueError(f"{len(recommended)} lists for {relevant.shape[0]} users.")
    first = recommended[:, :k]
    rows = np.broadcast_to(np.arange(len(first))[:, None], first.shape).ravel()
    if not len(rows):
        return np.zeros(first.shape, bool)
    found = np.asarray(relevant[rows, np.maximum(first, 0).ravel()]).reshape(first.shape) != 0
    return found & (first >= 0)


def n_relevant(relevant: csr_matrix) -> np.ndarray:
    """Count the relevant items of each user, shape (n_users,)."""
    return np.asarray((relevant != 0).sum(axis=1)).ravel()


def precision_at_k(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """Share of the first k recommendations that the user went on to buy: hits / k, in [0, 1], shape (n_users,).

    Source: Herlocker et al. (2004), ACM TOIS 22(1), section 4.
    """
    return hits(recommended, relevant, k).sum(axis=1) / k


def recall_at_k(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """Share of what the user went on to buy that stands among the first k: hits / relevant, in [0, 1].

    Source: Herlocker et al. (2004), ACM TOIS 22(1), section 4.
    """
    return _ratio(hits(recommended, relevant, k).sum(axis=1), n_relevant(relevant))


def f1_at_k(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """Harmonic mean of precision and recall, per user: 2 P R / (P + R), 0 when both are 0, shape (n_users,).

    Source: van Rijsbergen (1979), "Information Retrieval", chapter 7.
    """
    precision, recall = precision_at_k(recommended, relevant, k), recall_at_k(recommended, relevant, k)
    return _ratio(2 * precision * recall, precision + recall)


def hit_rate_at_k(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """1 when at least one of the first k was bought, else 0, shape (n_users,)."""
    return hits(recommended, relevant, k).any(axis=1).astype(float)


def ndcg_at_k(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """Ranking quality with yes/no relevance: discounted hits over the best that was possible, in [0, 1].

    ``sum over ranks r of hit(r) / log2(r + 1)``, divided by the same sum for a list that begins with all
    min(relevant, k) relevant items.

    Source: Järvelin and Kekäläinen (2002), ACM TOIS 20(4), with the ideal cut at k as in scikit-learn's ndcg_score.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0], np.cumsum(discount)])[np.minimum(n_relevant(relevant), k)]
    return _ratio(hits(recommended, relevant, k) @ discount, ideal)


def average_precision_at_k(recommended: np.ndarray, relevant: csr_matrix, k: int) -> np.ndarray:
    """Mean of the precision at each hit: sum of precision@r * hit(r) / min(relevant, k), in [0, 1], shape (n_users,).

    Source: Manning, Raghavan and Schütze (2008), "Introduction to Information Retrieval", section 8.4, cut at k.
    """
    found = hits(recommended, relevant, k)
    precision = np.cumsum(found, axis=1) / np.arange(1, k + 1)
    return _ratio((precision * found).sum(axis=1), np.minimum(n_relevant(relevant), k))


def coverage(recommended: np.ndarray, n_items: int) -> float:
    """Share of the items of the catalogue that at least one user is shown, in [0, 1]."""
    return len(np.unique(recommended[recommended >= 0])) / n_items if n_items else 0.0


def novelty(recommended: np.ndarray, n_users_of_item: np.ndarray, n_users: int) -> np.ndarray:
    """Mean self-information of the recommended items in bits: -log2(share of users who know it).

    An item that nobody knows counts as known to one.

    Source: Zhou et al. (2010), PNAS 107(10), "novelty".
    """
    bits = -np.log2(np.maximum(n_users_of_item, 1) / max(n_users, 1))
    there = recommended >= 0
    return _ratio((bits[np.maximum(recommended, 0)] * there).sum(axis=1), there.sum(axis=1))


def diversity(recommended: np.ndarray, unit_items: csr_matrix) -> np.ndarray:
    """1 - mean cosine similarity of the pairs in a list, in [0, 1], shape (n_users,); 0 for fewer than two items.

    ``unit_items`` is a csr_matrix of shape (n_items, n_features) with rows of length 1. The pairs are not formed: with
    s the sum of the list's rows, |s|^2 = n + sum over the pairs of their similarity.

    Source: Ziegler et al. (2005), WWW, "intra-list similarity".
    """
    n = (recommended >= 0).sum(axis=1)
    total = one_hot(recommended, unit_items.shape[0]) @ unit_items
    squared = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    return np.where(n > 1, 1 - _ratio(squared - n, n * (n - 1)), 0.0)


def mean_squared_error(errors: np.ndarray) -> float:
    """Mean of the squared errors, in stars squared.

    ``errors`` is a float array of shape (n_ratings,), predicted minus given stars; likewise in the next two.

    Raises
    ------
    ValueError : there is no error, or one is no number.

    Source: Herlocker et al. (2004), ACM TOIS 22(1), section 4.1, for all three.
    """
    _check(errors)
    return float(np.mean(errors**2))


def root_mean_squared_error(errors: np.ndarray) -> float:
    """Root of the mean squared error, in stars: a large error counts more than two small ones."""
    return float(np.sqrt(mean_squared_error(errors)))


def mean_absolute_error(errors: np.ndarray) -> float:
    """Mean size of the errors, in stars."""
    _check(errors)
    return float(np.mean(np.abs(errors)))


def _check(errors: np.ndarray) -> None:
    if not len(errors) or not np.isfinite(errors).all():
        raise ValueError("Errors of predicted stars must be numbers, one at least.")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; 0 where there is nothing to divide by."""
    whole = np.asarray(whole, float)
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
