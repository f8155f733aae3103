"""What shoppers did, as numbers: events become a weighted, time-decayed matrix of users x items."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

# How much one event says about liking a product; kinds that are not here say nothing.
WEIGHTS: Mapping[str, float] = {
    "view": 1.0,
    "favourite": 2.0,
    "email_click": 2.0,
    "cart": 3.0,
    "rating": 3.0,
    "purchase": 5.0,
}
KINDS: tuple[str, ...] = tuple(WEIGHTS)
PURCHASE = KINDS.index("purchase")
# A rating counts as liking from this many stars on.
LIKED_STARS = 4


class IdMap:
    """Outside ids to rows or columns 0..n-1 and back; sorted, so equal data gives equal codes.

    Parameters
    ----------
    ids : array of shape (n,)
        Distinct or not, in any order; numbers or text.
    """

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = np.unique(np.asarray(ids))

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, ids: np.ndarray) -> np.ndarray:
        """Return the code of each id as int32 of shape (len(ids),), -1 for an unknown one."""
        ids = np.asarray(ids)
        if not len(self.ids) or not len(ids):
            return np.full(len(ids), -1, np.int32)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, place, -1).astype(np.int32)


@dataclass(frozen=True)
class Interactions:
    """Events of some users with items, seen from a cut-off: nothing in here is newer than it.

    Attributes
    ----------
    users, items : int32 arrays of shape (n_events,)
    kinds : uint8 array of shape (n_events,), index into KINDS
    ages : float32 array of shape (n_events,), days before the cut-off, >= 0
    n_users, n_items : int
    span : float, days from the oldest event to the cut-off
    known : int32 array of shape (n_users,)
        Row of each user in the matrix that a model was fitted on, -1 if she was not there; a model must not
        take her for her own neighbour. When fitting it is 0..n_users-1.

    13 bytes an event: 17 million events of a million shoppers are 220 MB.
    """

    users: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    ages: np.ndarray
    n_users: int
    n_items: int
    span: float
    known: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        if not len(self.known):
            object.__setattr__(self, "known", np.arange(self.n_users, dtype=np.int32))

    @property
    def purchases(self) -> np.ndarray:
        """Bool array of shape (n_events,): the event is an order."""
        return np.asarray(self.kinds == PURCHASE)


def build(
    users: np.ndarray, items: np.ndarray, kinds: np.ndarray, ages: np.ndarray, *, n_users: int, n_items: int
) -> Interactions:
    """Return Interactions from code arrays; events of unknown users or items (-1) are left out.

    Source of the weights and of the decay: docs/recommender.md, part 2.
    """
    keep = (users >= 0) & (items >= 0)
    ages = np.maximum(ages[keep], 0).astype(np.float32)
    return Interactions(
        users=users[keep].astype(np.int32),
        items=items[keep].astype(np.int32),
        kinds=kinds[keep].astype(np.uint8),
        ages=ages,
        span=float(ages.max()) if len(ages) else 0.0,
        n_users=n_users,
        n_items=n_items,
    )


def user_items(interactions: Interactions, half_life: float) -> tuple[csr_matrix, np.ndarray]:
    """Return how much each user likes each item, and which of these pairs she bought.

    The weight of a pair is ``log(1 + sum of weight(kind) * 0.5 ** (age / half_life))`` over its events: a second
    order says more than the first, but not twice as much.

    Parameters
    ----------
    interactions : Interactions
    half_life : float, days > 0; after it an event counts half. ``inf`` switches the decay off.

    Returns
    -------
    csr_matrix float32 (n_users, n_items) with sorted indices, and a bool array of shape (nnz,) aligned with its data.

    Costs about 4 s and 1.3 GB for 17 million pairs of a million users (docs/recommender.md, part 6).

    Source: Koren (2009), "Collaborative filtering with temporal dynamics", KDD, section 3, for forgetting.
    """
    keys = interactions.users.astype(np.int64) * max(interactions.n_items, 1) + interactions.items
    pairs, place = np.unique(keys, return_inverse=True)
    strength = np.asarray(list(WEIGHTS.values()), np.float64)[interactions.kinds]
    strength = strength * np.exp2(-interactions.ages.astype(np.float64) / half_life)
    data = np.log1p(np.bincount(place, strength, len(pairs))).astype(np.float32)
    bought = np.bincount(place, interactions.purchases, len(pairs)) > 0
    rows, columns = np.divmod(pairs, max(interactions.n_items, 1))
    starts = np.searchsorted(rows, np.arange(interactions.n_users + 1))
    matrix = csr_matrix((data, columns.astype(np.int32), starts), shape=(interactions.n_users, interactions.n_items))
    return matrix, bought


def bought_items(interactions: Interactions) -> csr_matrix:
    """Return which items each user ordered: csr_matrix of ones, shape (n_users, n_items)."""
    matrix, bought = user_items(interactions, float("inf"))
    return only(matrix, bought)


def only(matrix: csr_matrix, keep: np.ndarray) -> csr_matrix:
    """Return the pattern of a matrix where ``keep`` (bool, aligned with its data) holds, as float32 ones."""
    pattern = csr_matrix((keep.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape, copy=True)
    pattern.eliminate_zeros()
    return pattern
