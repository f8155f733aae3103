"""Keys, authenticated encryption and the blind index.

Layout of an encrypted value (base64 text): version (1 byte), key id (4 bytes), nonce (12), ciphertext and tag.
The key id is the first four bytes of SHA-256 of the key, so a ring can be reordered without rewriting rows.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import unicodedata
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from mailai.errors import KeyRingError

VERSION = b"\x01"
KEY_BYTES, ID_BYTES, NONCE_BYTES = 32, 4, 12


def new_key() -> str:
    """Return a fresh 256-bit key as text for the ring."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> dict[bytes, bytes]:
    ring = {}
    for text in keys:
        key = base64.urlsafe_b64decode(text)
        if len(key) != KEY_BYTES:
            raise KeyRingError("MAILAI_FIELD_KEYS must hold 32-byte keys in URL-safe base64, newest first.")
        ring[hashlib.sha256(key).digest()[:ID_BYTES]] = key
    if not ring:
        raise KeyRingError("MAILAI_FIELD_KEYS is empty. Run `manage.py init_keys`, or set it.")
    return ring


def ring() -> dict[bytes, bytes]:
    """Return key id -> key, newest first."""
    return _ring(tuple(settings.MAILAI_FIELD_KEYS))


def newest_key_id() -> str:
    """Return the id (hex) of the key that new values are written with."""
    return next(iter(ring())).hex()


def encrypt(plain: str, context: str) -> str:
    """Encrypt text; ``context`` (table.column:row) is bound to it, so a value can't be moved to another row."""
    key_id, key = next(iter(ring().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plain.encode(), context.encode())
    return base64.b64encode(VERSION + key_id + nonce + sealed).decode()


def decrypt(token: str, context: str) -> str:
    """Return the plain text.

    Raises
    ------
    KeyRingError : the value's key is not in the ring, or value or context were changed.
    """
    raw = base64.b64decode(token)
    key_id, nonce, sealed = raw[1:5], raw[5:17], raw[17:]
    key = ring().get(key_id)
    if raw[:1] != VERSION or key is None:
        raise KeyRingError("A stored value was encrypted with a key that is not in MAILAI_FIELD_KEYS any more.")
    try:
        return AESGCM(key).decrypt(nonce, sealed, context.encode()).decode()
    except InvalidTag:
        raise KeyRingError("A stored value does not belong to its row, or was changed.") from None


def normal_email(address: str) -> str:
    """Return the form under which one mailbox is found: NFKC, trimmed, lower case, IDNA domain."""
    local, _, domain = unicodedata.normalize("NFKC", address).strip().lower().rpartition("@")
    if not domain.isascii():
        with contextlib.suppress(UnicodeError):  # an impossible domain is found by its own spelling
            domain = domain.encode("idna").decode()
    return f"{local}@{domain}"


def blind_index(address: str) -> str:
    """Return a keyed hash (32 hex digits) that lets an encrypted address be found without storing it."""
    key = settings.MAILAI_INDEX_KEY.encode()
    return hmac.new(key, normal_email(address).encode(), hashlib.sha256).hexdigest()[:32]


def keyed_hash(purpose: str, value: str, length: int = 32) -> str:
    """Return a hex MAC of ``value`` for one purpose, for tokens and stable draws."""
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()[:length]
