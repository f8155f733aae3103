"""The one interface of all algorithms, so that services, evaluation and pages need to know none of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.interactions import Interactions

# {"kind": "neighbours", "n": …, "of": …, "items": [code, …], "counts": [n, …], "weights": [share, …]}
# or {"kind": "popular"}
Evidence = dict[str, Any]
Beat = Callable[[], None]
# Cells of a dense block of scores: 4 million are 16 MB of scores and 32 MB of sort keys.
BLOCK_CELLS = 4_000_000


def silent() -> None:
    """Tell nobody that work goes on; services pass a heartbeat instead."""


class Recommender(ABC):
    """A model: fitted once, then asked for the items of any users, known to it or not."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def params(self) -> dict[str, Any]:
        """What a new object of the class needs to be the same model, unfitted."""

    @abstractmethod
    def fit(self, interactions: Interactions) -> Self:
        """Learn from the interactions (users x items, seen from their cut-off) and return self."""

    @abstractmethod
    def recommend(
        self,
        users: Interactions,
        k: int,
        *,
        exclude: csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        beat: Beat = silent,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best items of each user.

        Parameters
        ----------
        users : Interactions of the users asked for, over the items that the model was fitted on.
        k : int >= 1
        exclude : csr_matrix of shape (n_users, n_items), nonzero = not for this user.
        allowed : bool array of shape (n_items,), False = for nobody (out of stock, switched off).
        beat : called after each block.

        Returns
        -------
        items : int32 array of shape (n_users, k), best first, -1 where the model knows no more.
        scores : float32 array of shape (n_users, k), 0 there; equal scores stand in the order of the item code.
        """

    @abstractmethod
    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return, for each user and each of her items (shape (n_users, k), -1 = none), why it has its score."""

    @abstractmethod
    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted state as plain arrays."""

    @abstractmethod
    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take the fitted state back from plain arrays and return self."""


def blocks(n_users: int, n_items: int) -> Iterator[slice]:
    """Yield slices of users small enough that users x items fits into BLOCK_CELLS."""
    size = max(1, BLOCK_CELLS // max(n_items, 1))
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))
