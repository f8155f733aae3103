"""The one interface of all algorithms, so that services, evaluation and pages need to know none of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from inspect import signature
from typing import Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.catalogue import Catalogue
from recommender.core.dividing import Divide, in_turn
from recommender.core.interactions import Interactions
from recommender.core.ranking import top_k, top_k_sparse
from recommender.core.weighting import BEST, LOG, Weighting

# What made a pick, in codes of the model's items; which kinds there are and what each holds: docs/recommender.md.
Evidence = dict[str, Any]
Beat = Callable[[], None]
# Cells of a dense block of scores: 4 million are 16 MB of scores and 32 MB of sort keys.
BLOCK_CELLS = 4_000_000
# Items of hers that are named as evidence.
N_EVIDENCE = 3


def silent() -> None:
    """Tell nobody that work goes on; services pass a heartbeat instead."""


@dataclass(frozen=True)
class Choice:
    """A setting that tuning picks from a few values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A setting that tuning picks between two numbers, both included; whole numbers where both are whole."""

    low: float
    high: float
    log: bool = False


Space = dict[str, Choice | Range]
# What is tried for the settings of a weighting; names of WEIGHTS may be added by a model that needs them.
WEIGHTING_SPACE: Space = {
    "half_life": Choice((0.0, 0.5, 0.2, 0.08)),
    "shape": Choice((LOG, BEST)),
    "view": Choice((0.3, 1.0, 3.0)),
    "cart": Choice((1.0, 3.0, 6.0)),
}


class Recommender(ABC):
    """A model: fitted once, then asked for the items of any users, known to it or not.

    A setting is an attribute of the object under its name in ``params``. Settings of the weighting of events stand
    among them under their own names; ``weighted`` is the matrix that they make.
    """

    name: ClassVar[str]
    # The settings that tuning may change, and what it may choose.
    space: ClassVar[Space] = WEIGHTING_SPACE

    def __init__(self, weighting: Weighting | None = None) -> None:
        self.weighting = weighting or Weighting()
        # Who works on what falls into blocks while it is fitted and examined.
        self.divide: Divide = in_turn
        # Of the data that the model was fitted on: a batch of users may span less.
        self.half_life_days = float("inf")

    @property
    @abstractmethod
    def params(self) -> dict[str, Any]:
        """What a new object of the class needs to be the same model, unfitted: plain values."""

    def weighted(self, interactions: Interactions) -> csr_matrix:
        """Return how much each user likes each item: csr_matrix float32 of shape (n_users, n_items)."""
        return self.weighting.matrix(interactions, self.half_life_days)

    def fit(self, interactions: Interactions, catalogue: Catalogue | None = None, *, beat: Beat = silent) -> Self:
        """Learn from the interactions (users x items, seen from their cut-off) and return self.

        ``catalogue`` says what the items are, in the order of their codes. ``beat`` is called after each block of work.
        """
        self.half_life_days = self.weighting.days(interactions.span)
        self._fit(interactions, catalogue or Catalogue.empty(interactions.n_items), beat)
        return self

    @abstractmethod
    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        """Learn; the half-life in days is known."""

    @abstractmethod
    def scores(self, users: Interactions) -> csr_matrix | np.ndarray:
        """Return how good each item is for each user, shape (n_users, n_items); above 0 = it may be picked.

        The caller passes few enough users that users x items fits into BLOCK_CELLS.
        """

    def scores_within(
        self, users: Interactions, exclude: csr_matrix | None, allowed: np.ndarray | None
    ) -> csr_matrix | np.ndarray:
        """Return ``scores``, or, where an item's score depends on the others, those among what may be picked."""
        return self.scores(users)

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
        items, best = np.full((users.n_users, k), -1, np.int32), np.zeros((users.n_users, k), np.float32)
        for block in blocks(users.n_users, users.n_items):
            out = None if exclude is None else exclude[block]
            scores = self.scores_within(users.part(block), out, allowed)
            best_of = top_k if isinstance(scores, np.ndarray) else top_k_sparse
            items[block], best[block] = best_of(scores, k, exclude=out, allowed=allowed)
            beat()
        return items, best

    @abstractmethod
    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return, for each user and each of her items (shape (n_users, k), -1 = none), why it has its score."""

    @abstractmethod
    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted state as plain arrays."""

    @abstractmethod
    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take the fitted state back from plain arrays and return self."""


Model = TypeVar("Model", bound=Recommender)


@runtime_checkable
class RatesItems(Protocol):
    """A model that also says how many stars a user will give, so that its error can be measured.

    It is fitted on ratings of all stars, liked or not (``Interactions.stars``); its lists are judged as all others are.
    """

    def predict(self, users: Interactions, items: np.ndarray) -> np.ndarray:
        """Return the stars that each user is expected to give.

        Parameters
        ----------
        users : Interactions of the users asked for, as for ``recommend``; some may have no event at all.
        items : int array of shape (n_users, n_columns), item codes, -1 = none; an item may be new to the model.

        Returns
        -------
        float array of shape (n_users, n_columns), within the range of the stars learnt from; nan where the item is -1.
        """


def made(algorithm: "type[Model]", params: Mapping[str, Any]) -> "Model":
    """Return a new, unfitted model of a class with these settings; one that the class does not know is left out."""
    weighting = {one.name: params[one.name] for one in fields(Weighting) if one.name in params}
    own = {key: value for key, value in params.items() if key in signature(algorithm).parameters}
    return algorithm(**own, **({"weighting": Weighting(**weighting)} if weighting else {}))


def blocks(n_users: int, n_items: int) -> Iterator[slice]:
    """Yield slices of users small enough that users x items fits into BLOCK_CELLS."""
    size = max(1, BLOCK_CELLS // max(n_items, 1))
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))


def matrix_arrays(matrix: csr_matrix, prefix: str = "") -> dict[str, np.ndarray]:
    """Return a sparse matrix as plain arrays."""
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": np.array(matrix.shape)}
    return {prefix + name: array for name, array in parts.items()}


def matrix_from(arrays: Mapping[str, np.ndarray], prefix: str = "") -> csr_matrix:
    """Return the sparse matrix that ``matrix_arrays`` took apart."""
    parts = tuple(arrays[prefix + name] for name in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=tuple(int(n) for n in arrays[prefix + "shape"]))
