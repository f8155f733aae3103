"""Short signed tokens of public addresses: nothing to guess, no address inside, no number that can be counted up.

Layout before base64url: message UUID (16 bytes), number (2 bytes), MAC (10 bytes): 38 characters. A forged token is
found with probability 2^-80 a try.
"""

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

UUID_BYTES, NUMBER_BYTES, MAC_BYTES = 16, 2, 10
LENGTH = UUID_BYTES + NUMBER_BYTES + MAC_BYTES
MAX_NUMBER = 2 ** (8 * NUMBER_BYTES) - 1


def make(purpose: str, message: UUID, number: int, key: bytes) -> str:
    """Return the token of one link (or 0) of one message, for one purpose ("open", "click", "unsubscribe").

    Raises
    ------
    ValueError : number is outside 0..65535.
    """
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"link number {number} is outside 0..{MAX_NUMBER}")
    body = message.bytes + number.to_bytes(NUMBER_BYTES, "big")
    return base64.urlsafe_b64encode(body + _mac(purpose, body, key)).rstrip(b"=").decode()


def read(purpose: str, token: str, key: bytes) -> tuple[UUID, int] | None:
    """Return (message, number), or None for anything that we did not sign for this purpose."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    # Base64 passes over foreign characters and spare bits: only the spelling that we wrote is a token.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != token.encode():
        return None
    body, mac = raw[: UUID_BYTES + NUMBER_BYTES], raw[UUID_BYTES + NUMBER_BYTES :]
    if len(raw) != LENGTH or not hmac.compare_digest(mac, _mac(purpose, body, key)):
        return None
    return UUID(bytes=body[:UUID_BYTES]), int.from_bytes(body[UUID_BYTES:], "big")


def _mac(purpose: str, body: bytes, key: bytes) -> bytes:
    return hmac.new(key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:MAC_BYTES]
