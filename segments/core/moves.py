"""In which stage and RFM group shoppers were at moments of the past, and how they moved between two of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from segments.core import lifecycle, rfm, rfm_groups
from segments.core.lifecycle import Thresholds
from segments.core.order_book import OrderBook

# A stage's place here is its code.
STAGES = (
    lifecycle.LEAD, lifecycle.NEW, lifecycle.PROMISING, lifecycle.LOYAL, lifecycle.AT_RISK, lifecycle.DORMANT,
)  # fmt: skip
STAGE, GROUP = "stage", "group"
# What a shopper can be, by kind; a name's place is its code, and the first one is "had not ordered yet".
NAMES = {STAGE: STAGES, GROUP: rfm_groups.GROUPS}
LEVEL = 1


def codes_at(book: OrderBook, ends: Sequence[float], limits: Thresholds) -> dict[str, np.ndarray]:
    """Return everybody's stage and RFM group at each of these moments, by the definitions of today's.

    All moments are measured alike, so that a move is something a shopper did, never a limit that moved: stages by the
    same limits, scores by the fifths of the last moment.

    Parameters
    ----------
    book : OrderBook
    ends : floats, days since 1970, ascending; orders before the moment count
    limits : Thresholds

    Returns
    -------
    {kind: uint8 array of shape (len(ends), n_shoppers)}, places in NAMES[kind]; 0 = had not ordered yet
    """
    found = {kind: np.zeros((len(ends), len(book.shoppers)), np.uint8) for kind in NAMES}
    if not len(ends):
        return found
    n_today, ago_today = _standing(book, ends[-1])
    often = rfm.fifths(n_today[n_today > 0])
    recent = rfm.fifths(ago_today[n_today > 0], high_is_good=False)
    for place, end in enumerate(ends):
        n, ago = _standing(book, end)
        named = lifecycle.stages(n, ago, limits)
        for code, stage in enumerate(STAGES):
            found[STAGE][place, named == stage] = code
        bought = n > 0
        found[GROUP][place, bought] = rfm_groups.groups(
            rfm.scores(ago[bought], recent, high_is_good=False), rfm.scores(n[bought], often)
        )
    return found


def _standing(book: OrderBook, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how many orders everybody had before a moment, and the days since the last one, NaN without one."""
    n_all, seen = len(book.shoppers), book.day < end
    who = book.shopper[seen]
    last = np.full(n_all, np.nan)
    # Orders stand oldest first, so the newest is written last and stays.
    last[who] = book.day[seen]
    return np.bincount(who, minlength=n_all), end - last


def moves(before: np.ndarray, after: np.ndarray, n_names: int) -> np.ndarray:
    """Count who went from which name to which; codes of the same shoppers at two moments, arrays of shape (n,).

    Returns
    -------
    int array of shape (n_names, n_names), from x to; the sum is n
    """
    return np.bincount(before.astype(np.int64) * n_names + after, minlength=n_names**2).reshape(n_names, n_names)


def counts(codes: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """Return how many have each name but the first, which is no order yet."""
    n = np.bincount(codes, minlength=len(names))
    return {name: int(n[code]) for code, name in enumerate(names) if code}


def pack(codes: np.ndarray) -> bytes:
    """Pack codes, uint8 array of shape (n,); a million take 0.1 to 0.3 MB."""
    return zlib.compress(codes.tobytes(), LEVEL)


def unpack(packed: bytes | memoryview) -> np.ndarray:
    """Return the codes that were packed."""
    return np.frombuffer(zlib.decompress(bytes(packed)), dtype=np.uint8)
