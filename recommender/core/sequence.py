"""What comes after what: the order of events is information that a matrix of users and items throws away."""

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, diags_array
from sparse_dot_topn import sp_matmul_topn

from recommender.core.base import Beat, Choice, Range, Space, matrix_arrays
from recommender.core.dividing import Arrays, BlockWork
from recommender.core.interactions import Interactions
from recommender.core.item_based import stacked
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
        times = np.bincount(items, minlength=interactions.n_items)
        materials = {"users": users, "items": items, "damp_to": (times + self.shrink) ** -self.damp_to}
        materials |= {name: np.array(getattr(self, name)) for name in ("window", "decay", "back", "k")}
        counted = stacked(self.divide(NextItems, materials, _item_blocks(np.cumsum(times)), beat), interactions.n_items)
        return csr_matrix(diags_array(((times + self.shrink) ** -self.damp_from).astype(np.float32)) @ counted)

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


class NextItems(BlockWork):
    """What is met near some items, the k heaviest of each, already damped."""

    name: ClassVar[str] = "next"

    def __init__(self, materials: Arrays) -> None:
        self.users, self.items, self.damp_to = (materials[name] for name in ("users", "items", "damp_to"))
        self.k = int(materials["k"])
        decay, back = float(materials["decay"]), float(materials["back"])
        ways = [(d, decay ** (d - 1)) for d in range(1, int(materials["window"]) + 1)]
        self.ways = ways + [(-d, back * worth) for d, worth in ways if back]

    def part(self, block: slice, beat: Beat) -> Arrays:
        """Return them as the arrays of a csr_matrix of shape (n_items of the block, n_items)."""
        events = np.flatnonzero((self.items >= block.start) & (self.items < block.stop))
        events = events[np.argsort(self.items[events], kind="stable")]
        starts = np.searchsorted(self.items[events], np.arange(block.start, block.stop + 1))
        shape = (block.stop - block.start, len(events))
        each = csr_matrix((np.ones(len(events), np.float32), np.arange(len(events)), starts), shape=shape)
        found = sp_matmul_topn(each, self._near(events), top_n=self.k, sort=True, n_threads=1)
        beat()
        return matrix_arrays(found)

    def _near(self, events: np.ndarray) -> csr_matrix:
        """Return the items met near each of some events, already damped: shape (n_events, n_items)."""
        columns = np.empty((len(events), len(self.ways)), np.int32)
        data = np.empty((len(events), len(self.ways)), np.float32)
        for n, (distance, worth) in enumerate(self.ways):
            other = np.clip(events + distance, 0, len(self.items) - 1)
            columns[:, n] = self.items[other]
            hers = self.users[other] == self.users[events]
            hers &= (other == events + distance) & (self.items[other] != self.items[events])
            data[:, n] = hers * worth * self.damp_to[self.items[other]]
        starts = np.arange(len(events) + 1) * len(self.ways)
        return csr_matrix((data.ravel(), columns.ravel(), starts), shape=(len(events), len(self.damp_to)))


def steps_of(interactions: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """Return users and items of the events in order, without those that repeat the item just before."""
    users, items = interactions.users, interactions.items
    if not len(users):
        return users, items
    changed = np.concatenate([[True], (users[1:] != users[:-1]) | (items[1:] != items[:-1])])
    return users[changed], items[changed]


def _item_blocks(ends: np.ndarray) -> list[slice]:
    """Return ranges of items with at most BLOCK_EVENTS events in each, but one item at least."""
    ranges, first = [], 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + BLOCK_EVENTS, side="right")))
        ranges.append(slice(first, last))
        first = last
    return ranges
