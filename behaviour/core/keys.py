"""The identity of an event: equal content gives an equal key, on every machine and in every load."""

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

KEY_BYTES, TIME_BYTES = 16, 6
SEPARATOR = "\x1f"


def content_key(*parts: object) -> UUID:
    """Return a 128-bit key of what makes the thing itself.

    Two different contents share a key with probability n^2 / 2^129: below 1e-20 for a thousand million events.
    """
    text = SEPARATOR.join("" if part is None else str(part) for part in parts)
    return UUID(bytes=_digest(text))


def own_keys(names: Sequence[str]) -> list[bytes]:
    """Return the keys of events that have a name of their own, whatever their content: 16 bytes each."""
    return [_digest(f"own{SEPARATOR}{name}") for name in names]


def timed_keys(milliseconds: Sequence[int], contents: Sequence[str]) -> list[bytes]:
    """Return keys of content that begin with the time of the event: 48 bits of milliseconds, 80 bits of hash.

    Files come in order of time, so their keys go to one end of the index instead of all over it; the layout is that
    of UUID version 7 (RFC 9562, 5.7) without its version bits. Within one millisecond two different contents share a
    key with probability n^2 / 2^81.
    """
    n_hash = KEY_BYTES - TIME_BYTES
    # The hottest line of reading a file: no call of a function per row that can be left out.
    return [
        time.to_bytes(TIME_BYTES, "big") + blake2b(text.encode(), digest_size=KEY_BYTES).digest()[:n_hash]
        for time, text in zip(milliseconds, contents, strict=True)
    ]


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=KEY_BYTES).digest()
