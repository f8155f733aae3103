"""A shop's first profiles are written without the indexes that rules and lists use; those are built at once afterwards.

Their entries come in at random places, so that each part writes nearly all their pages again.
Nobody misses them: there is no profile yet that somebody could ask for.
"""

from django.db import connection

from behaviour import late_indexes
from segments.models import Profile

# Below, there is little to win. Beyond, SQLite lets nobody write for more than half a second while one is built.
FEWEST, MOST_OF_SQLITE = 20_000, 500_000
INDEXES = Profile._meta.indexes


def begin(n_shoppers: int) -> None:
    """Drop the indexes of the empty table, if many profiles are about to come."""
    if n_shoppers < FEWEST or (connection.vendor == "sqlite" and n_shoppers > MOST_OF_SQLITE):
        return
    late_indexes.drop(Profile, INDEXES)


def end() -> None:
    """Build those that don't stand, also after a process that was killed; a small query where all do."""
    late_indexes.build(Profile, INDEXES)
