"""In which stage shoppers were at moments of the past, and how they moved between two of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from segments.core import lifecycle
from segments.core.lifecycle import Thresholds
from segments.core.order_book import OrderBook

# A stage's place here is its code.
STAGES = (
    lifecycle.LEAD, lifecycle.NEW, lifecycle.PROMISING, lifecycle.LOYAL, lifecycle.AT_RISK, lifecycle.DORMANT,
)  # fmt: skip
LEVEL = 1


def stages_at(book: OrderBook, ends: Sequence[float], limits: Thresholds) -> np.ndarray:
    """Return everybody's stage at each of these moments, by the definition of today's stage (segments.core.lifecycle).

    All moments are measured by the same limits, so that a move is something a shopper did, never a limit that moved.

    Parameters
    ----------
    book : OrderBook
    ends : floats, days since 1970; orders before the moment count
    limits : Thresholds

    Returns
    -------
    uint8 array of shape (len(ends), n_shoppers), places in STAGES; 0 (lead) = had not ordered yet
    """
    n_all = len(book.shoppers)
    found = np.zeros((len(ends), n_all), np.uint8)
    for place, end in enumerate(ends):
        seen = book.day < end
        who = book.shopper[seen]
        last = np.full(n_all, np.nan)
        # Orders stand oldest first, so the newest is written last and stays.
        last[who] = book.day[seen]
        named = lifecycle.stages(np.bincount(who, minlength=n_all), end - last, limits)
        for code, stage in enumerate(STAGES):
            found[place, named == stage] = code
    return found


def moves(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Count who went from which stage to which; codes of the same shoppers at two moments, arrays of shape (n,).

    Returns
    -------
    int array of shape (6, 6), from x to; the sum is n
    """
    n = len(STAGES)
    return np.bincount(before.astype(np.int64) * n + after, minlength=n * n).reshape(n, n)


def counts(codes: np.ndarray) -> dict[str, int]:
    """Return how many are in each stage but lead, by name."""
    n = np.bincount(codes, minlength=len(STAGES))
    return {stage: int(n[code]) for code, stage in enumerate(STAGES) if stage != lifecycle.LEAD}


def pack(codes: np.ndarray) -> bytes:
    """Pack codes, uint8 array of shape (n,); a million take 0.1 to 0.3 MB."""
    return zlib.compress(codes.tobytes(), LEVEL)


def unpack(packed: bytes | memoryview) -> np.ndarray:
    """Return the codes that were packed."""
    return np.frombuffer(zlib.decompress(bytes(packed)), dtype=np.uint8)
