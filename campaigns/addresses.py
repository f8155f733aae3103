"""Public addresses in mails: made here, read by the public views."""

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from campaigns.core import tokens

OPEN, CLICK, UNSUBSCRIBE = "open", "click", "unsubscribe"


def _key() -> bytes:
    return settings.SECRET_KEY.encode()


def read(purpose: str, token: str) -> tuple[UUID, int] | None:
    """Return (message uuid, link number), or None for what we did not sign."""
    return tokens.read(purpose, token, _key())


def _address(purpose: str, message: UUID, number: int = 0) -> str:
    token = tokens.make(purpose, message, number, _key())
    return settings.MAILAI_PUBLIC_URL + reverse(f"campaigns:{purpose}", args=[token])


def open_address(message: UUID) -> str:
    """Return the pixel's address."""
    return _address(OPEN, message)


def click_address(message: UUID, number: int) -> str:
    """Return the address behind one link of one mail."""
    return _address(CLICK, message, number)


def unsubscribe_address(message: UUID) -> str:
    """Return the address of the one-click unsubscribe."""
    return _address(UNSUBSCRIBE, message)


def absolute(path: str) -> str:
    """Return an address for a picture: absolute ones as they are, stored files below the public address."""
    if path.startswith(("http://", "https://")):
        return path
    return f"{settings.MAILAI_PUBLIC_URL}{settings.MEDIA_URL}{path}" if path else ""
