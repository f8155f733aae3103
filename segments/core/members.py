"""Sets of shoppers as short runs of bytes, and what came and left between two of them."""

import zlib
from collections.abc import Sequence

import numpy as np

# The widths of a gap between two ids, in bytes; the first byte of what is packed says which.
WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
# Level 1: higher ones take three times as long and save a twentieth.
LEVEL = 1


def pack(ids: np.ndarray) -> bytes:
    """Pack ids: the gaps between them, as narrow as they fit, compressed.

    Parameters
    ----------
    ids : int64 array of shape (n,), ascending, each once, none negative

    Returns
    -------
    bytes; a million ids with gaps below 256 take at most 1 MB
    """
    gaps = np.diff(ids, prepend=0)
    widest = int(gaps.max(initial=0))
    width = next(one for one in WIDTHS if widest < 1 << (8 * one))
    return bytes([width]) + zlib.compress(gaps.astype(WIDTHS[width]).tobytes(), LEVEL)


def unpack(packed: bytes | memoryview) -> np.ndarray:
    """Return the ids that were packed, int64 array of shape (n,), ascending."""
    raw = bytes(packed)
    gaps = np.frombuffer(zlib.decompress(raw[1:]), dtype=WIDTHS[raw[0]])
    return np.cumsum(gaps, dtype=np.int64)


def difference(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """Count who is new in `after`, and who is missing there.

    Parameters
    ----------
    before, after : int64 arrays of shapes (n,) and (m,), ascending, each id once

    Returns
    -------
    (came, left); len(after) = len(before) + came - left
    """
    n_both = len(np.intersect1d(before, after, assume_unique=True))
    return len(after) - n_both, len(before) - n_both


def living(ids: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return where ids are among the living, bool array of the shape of `ids`; both ascending, each id once."""
    return np.isin(ids, alive, assume_unique=True)


def masks(sets: Sequence[np.ndarray]) -> dict[int, int]:
    """Count ids by the sets they are in: bit mask (bit i = in the i-th set) -> ids; arrays as of `unpack`."""
    ids = np.concatenate(sets)
    bits = np.repeat([1 << place for place in range(len(sets))], [len(one) for one in sets])
    _who, place = np.unique(ids, return_inverse=True)
    found, n = np.unique(np.bincount(place, weights=bits).astype(np.int64), return_counts=True)
    return dict(zip(found.tolist(), n.tolist(), strict=True))
