"""The identity of an event: equal content gives an equal key, on every machine and in every load."""

from collections.abc import Sequence
from hashlib import blake2b, sha256
from uuid import UUID

import polars as pl
import polars_hash  # noqa: F401 adds ``chash`` to the expressions of polars

KEY_BYTES = 16
# Digits of the time and of the hash: 32 in all, as a UUID has.
TIME_DIGITS, HASH_DIGITS = 13, 19
SEPARATOR = "\x1f"


def content_key(*parts: object) -> UUID:
    """Return a 128-bit key of what makes the thing itself.

    Two different contents share a key with probability n^2 / 2^129: below 1e-20 for a thousand million events.
    """
    text = SEPARATOR.join("" if part is None else str(part) for part in parts)
    return UUID(bytes=_digest(text))


def own_keys(names: Sequence[str]) -> list[str]:
    """Return the keys of events that have a name of their own, whatever their content, in hexadecimal."""
    return [_digest(f"own{SEPARATOR}{name}").hex() for name in names]


def timed_key(milliseconds: int, content: str) -> str:
    """Return a key of content that begins with the time of the event, 13 decimal digits, as hexadecimal text.

    Files come in order of time, so their keys go to one end of the index instead of all over it. 76 bits of SHA-256
    follow: within one millisecond two different contents share a key with probability n^2 / 2^77.
    """
    return f"{milliseconds:0{TIME_DIGITS}}{sha256(content.encode()).hexdigest()[:HASH_DIGITS]}"


def timed_keys(milliseconds: pl.Series, contents: pl.Series) -> pl.Series:
    """Return ``timed_key`` of each row."""
    times = milliseconds.cast(pl.String)
    # Between 2001 and 2286 times have so many digits by themselves.
    if (milliseconds < 10 ** (TIME_DIGITS - 1)).any():
        times = times.str.zfill(TIME_DIGITS)
    hashes = contents.to_frame("content").select(pl.col("content").chash.sha2_256())["content"]  # type: ignore[attr-defined]
    return times + hashes.str.slice(0, HASH_DIGITS)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=KEY_BYTES).digest()
