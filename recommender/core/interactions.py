"""What shoppers did, as numbers: events in codes, by user and in the order of time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

# How much one event says about liking a product, before tuning; kinds that are not here say nothing.
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


def distinct(values: np.ndarray) -> np.ndarray:
    """Return each value of a flat array once, sorted.

    np.unique without indices looks values up one by one (numpy 2.3 and newer): 9 s for 7 million pairs that stand by
    user, where sorting takes 0.1 s.
    """
    values = np.sort(values, kind="stable")
    first = np.ones(len(values), bool)
    first[1:] = values[1:] != values[:-1]
    return np.asarray(values[first])


class IdMap:
    """Outside ids to rows or columns 0..n-1 and back; sorted, so equal data gives equal codes.

    Parameters
    ----------
    ids : array of shape (n,)
        Distinct or not, in any order; numbers or text.
    """

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = distinct(np.asarray(ids))

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

    They stand by user, and each user's in the order of time, the oldest first; ``build`` sorts them so.

    Attributes
    ----------
    users, items : int32 arrays of shape (n_events,)
    kinds : uint8 array of shape (n_events,), index into KINDS
    ages : float32 array of shape (n_events,), days before the cut-off, >= 0; all 0 where there is no clock
    n_users, n_items : int
    span : float, days from the oldest event to the cut-off
    stars : float32 array of shape (n_events,), nan where the event is no rating; or empty: there are no ratings
    known : int32 array of shape (n_users,)
        Row of each user in the matrix that a model was fitted on, -1 if she was not there; a model must not
        take her for her own neighbour. When fitting it is 0..n_users-1.

    13 bytes an event, 17 with stars: 17 million events of a million shoppers are 220 MB.
    """

    users: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    ages: np.ndarray
    n_users: int
    n_items: int
    span: float
    stars: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    known: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        if not len(self.known):
            object.__setattr__(self, "known", np.arange(self.n_users, dtype=np.int32))

    @property
    def purchases(self) -> np.ndarray:
        """Bool array of shape (n_events,): the event is an order."""
        return np.asarray(self.kinds == PURCHASE)

    @cached_property
    def starts(self) -> np.ndarray:
        """Int array of shape (n_users + 1,): the events of user u are starts[u]:starts[u + 1]."""
        return np.searchsorted(self.users, np.arange(self.n_users + 1))

    def part(self, block: slice) -> "Interactions":
        """Return some users that follow each other; their events are views, nothing is copied but the users."""
        first, last = self.starts[block.start], self.starts[block.stop]
        return self._of(slice(first, last), self.users[first:last] - block.start, self.known[block])

    def of(self, rows: np.ndarray) -> "Interactions":
        """Return the interactions of some users only, in the order of ``rows``; they keep knowing their own rows."""
        counts = np.diff(self.starts)[rows]
        ends = np.cumsum(counts)
        places = np.arange(int(counts.sum())) + np.repeat(self.starts[:-1][rows] - (ends - counts), counts)
        users = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
        return self._of(places, users, self.known[rows])

    def _of(self, events: "slice | np.ndarray", users: np.ndarray, known: np.ndarray) -> "Interactions":
        return replace(
            self, users=users, items=self.items[events], kinds=self.kinds[events], ages=self.ages[events],
            stars=self.stars[events] if len(self.stars) else self.stars, n_users=len(known), known=known,
        )  # fmt: skip


def build(
    users: np.ndarray,
    items: np.ndarray,
    kinds: np.ndarray,
    ages: np.ndarray,
    *,
    n_users: int,
    n_items: int,
    stars: np.ndarray | None = None,
) -> Interactions:
    """Return Interactions from code arrays; events of unknown users or items (-1) are left out.

    Where ages are equal, the order in which the events were given is kept.
    """
    ages = np.maximum(ages, 0).astype(np.float32)
    order = np.lexsort((-ages, users))
    order = order[(users[order] >= 0) & (items[order] >= 0)]
    ages = ages[order]
    return Interactions(
        users=users[order].astype(np.int32),
        items=items[order].astype(np.int32),
        kinds=kinds[order].astype(np.uint8),
        ages=ages,
        span=float(ages.max()) if len(ages) else 0.0,
        stars=np.empty(0, np.float32) if stars is None else stars[order].astype(np.float32),
        n_users=n_users,
        n_items=n_items,
    )


def bought_items(interactions: Interactions) -> csr_matrix:
    """Return which items each user ordered: csr_matrix of ones with sorted indices, shape (n_users, n_items)."""
    bought = interactions.purchases
    return pairs_of(interactions.users[bought], interactions.items[bought], interactions.n_users, interactions.n_items)


def touched_items(interactions: Interactions) -> csr_matrix:
    """Return which items each user had anything to do with: csr_matrix of ones, shape (n_users, n_items)."""
    return pairs_of(interactions.users, interactions.items, interactions.n_users, interactions.n_items)


def pairs_of(rows: np.ndarray, columns: np.ndarray, n_rows: int, n_columns: int) -> csr_matrix:
    """Return a csr_matrix of float32 ones at the distinct pairs (row, column), with sorted indices."""
    pairs = distinct(rows.astype(np.int64) * max(n_columns, 1) + columns)
    rows, columns = np.divmod(pairs, max(n_columns, 1))
    starts = np.searchsorted(rows, np.arange(n_rows + 1))
    return csr_matrix((np.ones(len(pairs), np.float32), columns.astype(np.int32), starts), shape=(n_rows, n_columns))


def only(matrix: csr_matrix, keep: np.ndarray) -> csr_matrix:
    """Return the pattern of a matrix where ``keep`` (bool, aligned with its data) holds, as float32 ones."""
    pattern = csr_matrix((keep.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape, copy=True)
    pattern.eliminate_zeros()
    return pattern
