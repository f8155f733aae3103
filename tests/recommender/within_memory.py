"""Fit every algorithm on a made shop under a limit of memory, and rank with it; a program of its own.

Prints the name of each algorithm that did it. The limit is what the process needs before, and less than the smallest
dense array of shoppers x products, one byte a cell: 125,000 x 9,600 are 1,144 MB of 2^20 bytes.
"""

import re
import resource
import sys
from pathlib import Path

import numpy as np

from recommender.core.algorithms import ALGORITHMS, COMPOSITES, create
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import KINDS, PURCHASE, Interactions, build

N_USERS, N_ITEMS, N_EVENTS = 125_000, 9_600, 240_000
ASKED, LEFT = 2_000, 1_000 * 2**20


def shop() -> tuple[Interactions, Catalogue]:
    """Return what 125,000 shoppers did with 9,600 products, some of which everybody knows."""
    rng = np.random.default_rng(0)
    items = (rng.random(N_EVENTS) ** 2 * N_ITEMS).astype(np.int32)
    kinds = rng.choice([PURCHASE, KINDS.index("view"), KINDS.index("rating")], N_EVENTS).astype(np.uint8)
    stars = np.where(kinds == KINDS.index("rating"), rng.integers(1, 6, N_EVENTS), np.nan).astype(np.float32)
    events = build(
        rng.integers(0, N_USERS, N_EVENTS), items, kinds, rng.random(N_EVENTS) * 365,
        n_users=N_USERS, n_items=N_ITEMS, stars=stars,
    )  # fmt: skip
    texts = [f"Product {number % 500} of {number % 37}" for number in range(N_ITEMS)]
    return events, Catalogue(texts, (np.arange(N_ITEMS) % 60).astype(np.int32), [f"c{n}" for n in range(60)])


def limit() -> None:
    """Let this process have so much more than it has; a dense array must be refused."""
    status = Path("/proc/self/status").read_text()
    held = int(re.search(r"^VmData:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + LEFT, held + LEFT))
    try:
        np.ones((N_USERS, N_ITEMS), bool)
    except MemoryError:
        say("refused")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Go through all algorithms."""
    events, catalogue = shop()
    # Libraries that are loaded while fitting, and their threads, need room of their own.
    warm = events.of(np.arange(300))
    for name in [*ALGORITHMS, *COMPOSITES]:
        create(name).fit(warm, catalogue).recommend(warm.of(np.arange(3)), 10)
    limit()
    some = events.of(np.arange(0, N_USERS, N_USERS // ASKED))
    for name in [*ALGORITHMS, *COMPOSITES]:
        items, _scores = create(name).fit(events, catalogue).recommend(some, 10)
        say(f"{name} {'ranked' if (items >= 0).any() else 'nothing'}")


if __name__ == "__main__":
    main()
