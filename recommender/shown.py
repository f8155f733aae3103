"""What mails showed to shoppers, known here by a registry: the app that sends them stands above this one."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import numpy as np


class ShownSource(Protocol):
    """Where the decisions of mails are kept."""

    def __call__(self, shopper_ids: Collection[int], n_mails: int, at: datetime) -> np.ndarray:
        """Return int64 of shape (n_pairs, 2): shopper id and product id, for each of her newest mails up to ``at``."""


_sources: list[ShownSource] = []


def register(source: ShownSource) -> None:
    """Make the one source known; called when the app that sends mails is ready."""
    _sources[:] = [source]


def shown(shopper_ids: Collection[int], n_mails: int, at: datetime) -> np.ndarray:
    """Return what the last mails showed (ShownSource); nothing while no app sends any, or none is asked for."""
    if not _sources or not n_mails:
        return np.empty((0, 2), np.int64)
    return _sources[0](shopper_ids, n_mails, at)
