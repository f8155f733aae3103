"""The lists of many users by a fitted model, in blocks of users that several processes may divide."""

import json
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import Beat, Recommender, made, matrix_arrays, matrix_from
from recommender.core.dividing import Arrays, BlockWork, cut, in_turn
from recommender.core.interactions import Interactions
from recommender.core.user_based import UserBased

# The neighbours of so many among a million are some seconds of work.
USERS_OF_A_BLOCK = 1_000
MODEL, USERS, EXCLUDE = "model.", "users.", "exclude."
COLUMNS = ("users", "items", "kinds", "ages", "stars", "known")


class Lists(BlockWork):
    """Top-k lists of users by a model of neighbours, whose asking is dearer than its fitting."""

    name: ClassVar[str] = "lists"

    def __init__(self, materials: Arrays) -> None:
        params = json.loads(str(materials["params"]))
        family: list[type[UserBased]] = [UserBased, *UserBased.__subclasses__()]
        algorithm = next(cls for cls in family if cls.name == str(materials["algorithm"]))
        self.model = made(algorithm, params).load_arrays(_below(materials, MODEL))
        self.k = int(materials["k"])
        columns = _below(materials, USERS)
        n_users, n_items = (int(n) for n in columns.pop("shape"))
        span = float(columns.pop("span"))
        self.users = Interactions(**columns, n_users=n_users, n_items=n_items, span=span)
        exclude = _below(materials, EXCLUDE)
        self.exclude = matrix_from(exclude) if exclude else None

    @staticmethod
    def materials(model: UserBased, users: Interactions, k: int, exclude: csr_matrix | None) -> Arrays:
        """Return what the blocks share."""
        arrays = {MODEL + name: array for name, array in model.to_arrays().items()}
        arrays |= {USERS + name: getattr(users, name) for name in COLUMNS}
        arrays |= {USERS + "shape": np.array([users.n_users, users.n_items]), USERS + "span": np.array(users.span)}
        arrays |= matrix_arrays(exclude, EXCLUDE) if exclude is not None else {}
        own = {"algorithm": model.name, "params": json.dumps(model.params), "k": k}
        return arrays | {name: np.array(value) for name, value in own.items()}

    def part(self, block: slice, beat: Callable[[], None]) -> Arrays:
        """Return ``items``, int32 of shape (n_users of the block, k), -1 = none."""
        out = None if self.exclude is None else self.exclude[block]
        return {"items": self.model.recommend(self.users.part(block), self.k, exclude=out, beat=beat)[0]}


def lists_of(model: Recommender, users: Interactions, k: int, *, exclude: csr_matrix | None, beat: Beat) -> np.ndarray:
    """Return what a fitted model recommends: int array of shape (n_users, k), -1 = none."""
    if not isinstance(model, UserBased) or model.divide is in_turn:
        return model.recommend(users, k, exclude=exclude, beat=beat)[0]
    materials = Lists.materials(model, users, k, exclude)
    parts = model.divide(Lists, materials, cut(users.n_users, USERS_OF_A_BLOCK), beat)
    return np.concatenate([np.empty((0, k), np.int32), *(part["items"] for part in parts)])


def _below(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
