"""Which algorithms there are; forms, commands and the leaderboard read this list."""

from typing import Any

from recommender.core.base import Recommender
from recommender.core.popular import MostPopular
from recommender.core.user_based import UserBased

# In the order of training: the baseline first, then from cheap to dear.
ALGORITHMS: dict[str, type[Recommender]] = {cls.name: cls for cls in (MostPopular, UserBased)}
BASELINE = MostPopular.name


def create(name: str, params: dict[str, Any] | None = None) -> Recommender:
    """Return a new, unfitted model.

    Raises
    ------
    KeyError : there is no algorithm of this name.
    """
    return ALGORITHMS[name](**(params or {}))
