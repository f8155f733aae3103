"""What comes after what: the order of events is information that a matrix of users and items throws away."""

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, diags_array, vstack
from sparse_dot_topn import sp_matmul_topn

from recommender.core.base import Beat, Choice, Range, Space
from recommender.core.interactions import Interactions
from recommender.core.item_model import ITEM_SPACE, ItemModel
from recommender.core.weighting import Weighting

# Events whose neighbours in time are written down at once: with a window of 5 both ways 10 million numbers, 80 MB.
BLOCK_EVENTS = 1_000_000


class SequenceModel(ItemModel):
    """``S(i, j) = C(i, j) / ((n_i + shrink)^damp_from * (n_j + shrink)^damp_to)``, ``C(i, j) = sum of decay^(d - 1)``.

    The sum goes over all times that a user met j exactly d steps after i, 1 <= d <= window; meeting j before i counts
    ``back`` times as much. A step is a change of the item: events with the same item in a row are one. n_i is the
    number of times that i was met. Of each row the k largest are kept. The newest ``last`` items of a user vote with
    ``recency^p``, p = 0 for the newest.

    Parameters
    ----------
    window : int >= 1, steps. decay, recency : float in (0, 1]. back : float in [0, 1]. damp_from, damp_to : float in
    [0, 1]. shrink : float > 0, times that an item must be met to be believed. last, k : int >= 1.

    Source: Ludewig and Jannach (2018), "Evaluation of session-based recommendation algorithms", UMUAI 28, sections 3.1
    and 3.2 (sequential rules with decay by distance); Garg et al. (2019), SIGIR, for the decay of the asking items.
    """

    name: ClassVar[str] = "sequence"
    space: ClassVar[Space] = ITEM_SPACE | {
        "window": Choice((2, 3, 5, 10)), "decay": Range(0.5, 0.95), "back": Choice((0.0, 0.3, 0.6, 1.0)),
        "damp_from": Range(0.2, 0.8), "damp_to": Range(0.0, 0.6), "shrink": Range(1, 20, log=True),
        "recency": Range(0.5, 1.0), "last": Choice((3, 10, 30, 100)), "k": Choice((100, 300)),
    }  # fmt: skip

    def __init__(  # noqa: PLR0913 each is tuned
        self,
        *,
        window: int = 5,
        decay: float = 0.8,
        back: float = 0.6,
        damp_from: float = 0.5,
        damp_to: float = 0.3,
        shrink: float = 3.0,
        recency: float = 0.8,
        last: int = 20,
        k: int = 200,
        self_weight: float = 2.0,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(self_weight, weighting)
        self.window, self.decay, self.back = window, decay, back
        self.damp_from, self.damp_to, self.shrink = damp_from, damp_to, shrink
        self.recency, self.last, self.k = recency, last, k

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        own = ("window", "decay", "back", "damp_from", "damp_to", "shrink", "recency", "last", "k")
        return {name: getattr(self, name) for name in own} | super().params

    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Count what follows what in blocks of items, 20 million events of a million users in about 30 CPU seconds."""
        users, items = steps_of(interactions)
        n_items = interactions.n_items
        times = np.bincount(items, minlength=n_items)
        damp_to = (times + self.shrink) ** -self.damp_to
        order = np.argsort(items, kind="stable")
        ends = np.cumsum(times)
        parts = [csr_matrix((0, n_items), dtype=np.float32)]
        for first, last in _item_blocks(ends):
            begin = ends[first - 1] if first else 0
            events = order[begin : ends[last - 1]]
            near = self._near(users, items, events, damp_to)
            starts = np.concatenate([[0], ends[first:last] - begin])
            each = csr_matrix(
                (np.ones(len(events), np.float32), np.arange(len(events)), starts), shape=(last - first, len(events))
            )
            parts.append(sp_matmul_topn(each, near, top_n=self.k, sort=True, n_threads=1))
            beat()
        counted = csr_matrix(vstack(parts, format="csr"))
        return csr_matrix(diags_array(((times + self.shrink) ** -self.damp_from).astype(np.float32)) @ counted)

    def _near(self, users: np.ndarray, items: np.ndarray, events: np.ndarray, damp_to: np.ndarray) -> csr_matrix:
        """Return the items met near each of some events, already damped: shape (n_events, n_items)."""
        ways = [(d, self.decay ** (d - 1)) for d in range(1, self.window + 1)]
        ways += [(-d, self.back * worth) for d, worth in ways if self.back]
        columns = np.empty((len(events), len(ways)), np.int32)
        data = np.empty((len(events), len(ways)), np.float32)
        for n, (distance, worth) in enumerate(ways):
            other = np.clip(events + distance, 0, len(items) - 1)
            columns[:, n] = items[other]
            hers = (users[other] == users[events]) & (other == events + distance) & (items[other] != items[events])
            data[:, n] = hers * worth * damp_to[items[other]]
        starts = np.arange(len(events) + 1) * len(ways)
        return csr_matrix((data.ravel(), columns.ravel(), starts), shape=(len(events), len(damp_to)))

    def query(self, users: Interactions, weighted: csr_matrix) -> csr_matrix:
        """Return the votes of the newest items of each user, each standing where she met it last."""
        pairs = users.users.astype(np.int64) * max(users.n_items, 1) + users.items
        # Of the events backwards, the first of each pair.
        _, newest = np.unique(pairs[::-1], return_index=True)
        events = np.sort(len(pairs) - 1 - newest)
        owner = users.users[events]
        ends = np.searchsorted(owner, np.arange(users.n_users), side="right")
        place = ends[owner] - 1 - np.arange(len(events))
        keep = place < self.last
        votes = (self.recency ** place[keep]).astype(np.float32)
        return csr_matrix((votes, (owner[keep], users.items[events[keep]])), shape=weighted.shape)


def steps_of(interactions: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """Return users and items of the events in order, without those that repeat the item just before."""
    users, items = interactions.users, interactions.items
    if not len(users):
        return users, items
    changed = np.concatenate([[True], (users[1:] != users[:-1]) | (items[1:] != items[:-1])])
    return users[changed], items[changed]


def _item_blocks(ends: np.ndarray) -> list[tuple[int, int]]:
    """Return ranges of items with at most BLOCK_EVENTS events in each, but one item at least."""
    ranges, first = [], 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + BLOCK_EVENTS, side="right")))
        ranges.append((first, last))
        first = last
    return ranges
