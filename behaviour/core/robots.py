"""Machines among the visitors: who views hundreds of pages a minute, or thousands a day."""

import numpy as np
import polars as pl

MOST_A_MINUTE, MOST_A_DAY = 200, 5_000
MOST_ROBOTS = 20_000
# Polars mixes the seed in, so the same id has the same hash in every block and run.
SEED, MINUTE, DAY = 20, 60, 86_400
BITS = 21
BUCKETS = 1 << BITS
ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def hashed(name: str) -> pl.Expr:
    """Return 64 bits for each id; they are kept instead of the id, which may be an address."""
    return pl.col(name).hash(seed=SEED)


def _spots(counted: pl.DataFrame) -> list[np.ndarray]:
    """Return two places for each ``who`` (a hash) and ``unit``: multiply-shift (Dietzfelbinger and others 1997)."""
    who, unit = counted["who"].to_numpy(), counted["unit"].to_numpy().astype(np.uint64)
    return [((who ^ (unit * odd)) * odd >> np.uint64(64 - BITS)).astype(np.intp) for odd in ODD]


class RobotWatch:
    """Counts views for each visitor and minute, and each visitor and day, over any number of blocks.

    The counts are kept in two tables of fixed size (a count-min sketch, Cormode and Muthukrishnan 2005), so memory does
    not grow with the file. A count can only be too high: by less than 2 of 200 in a file of 3,000,000 visitor minutes.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((2, 2, BUCKETS), dtype=np.uint32)
        self._found: set[int] = set()

    def add(self, views: pl.DataFrame) -> None:
        """Count views: ``user_id`` and ``at`` (UTC)."""
        who = views.select(who=hashed("user_id"), unit=pl.col("at").dt.epoch("s") // MINUTE)
        minutes = who.group_by("who", "unit").len("n")
        days = minutes.group_by(pl.col("who"), pl.col("unit") // (DAY // MINUTE)).agg(pl.col("n").sum())
        for table, (counted, most) in enumerate(((minutes, MOST_A_MINUTE), (days, MOST_A_DAY))):
            n, (a, b) = counted["n"].to_numpy(), _spots(counted)
            np.add.at(self._counts[table, 0], a, n)
            np.add.at(self._counts[table, 1], b, n)
            reached = np.minimum(self._counts[table, 0][a], self._counts[table, 1][b]) > most
            self._found.update(counted["who"].to_numpy()[reached].tolist())

    def robots(self) -> tuple[int, ...]:
        """Return the hashes of the machines' ids."""
        return tuple(sorted(self._found)[:MOST_ROBOTS])
