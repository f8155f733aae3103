"""The picture check: is there a picture at each product's address that a mail can show?"""

import io
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

import imagesize
from django.core.files.storage import default_storage
from django.db.models import Q, QuerySet
from django.utils.timezone import now

from behaviour.fetching import Fetcher, RefusedAddressError
from behaviour.models import Product

OK, MISSING, NOT_FOUND, UNREACHABLE = "ok", "missing", "not_found", "unreachable"
TOO_SMALL, TOO_LARGE, NOT_AN_IMAGE, REFUSED = "too_small", "too_large", "not_an_image", "refused_address"
# A mail shows a product at least this wide.
LEAST_WIDTH = 200
MOST_BYTES = 5_000_000
# Width and height stand in the first bytes; some cameras write much before them.
HEAD = 524_288
AGAIN, UNREACHABLE_AGAIN = timedelta(days=7), timedelta(days=1)
BATCH, AT_ONCE, PER_HOST = 400, 8, 4
# What mail programs show, by how the file begins. SVG is not among them.
FORMATS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


def check_pictures(*, everything: bool = False, seconds: float | None = None) -> dict[str, int]:
    """Look at the pictures whose turn it is and return how many products have which state.

    Each batch is stored, so that a run that was killed goes on there. Two runs at once look twice and harm nothing.

    Parameters
    ----------
    everything : also those that were looked at not long ago.
    seconds : stop after this time; the next run goes on.
    """
    began, started, counted, last = time.monotonic(), now(), Counter[str](), 0
    looker = _Looker()
    while True:
        waiting = due(started, everything=everything).filter(pk__gt=last).order_by("pk")
        rows = list(waiting.values_list("pk", "image")[:BATCH])
        if not rows or (seconds is not None and time.monotonic() - began > seconds):
            return dict(counted)
        last = rows[-1][0]
        counted += _check(rows, looker)


def due(moment: datetime, *, everything: bool = False) -> "QuerySet[Product]":
    """Return the products whose picture is to be looked at."""
    found = Product.objects.exclude(image="")
    if everything:
        return found
    old = Q(image_checked_at__lt=moment - AGAIN)
    away = Q(image_state=UNREACHABLE, image_checked_at__lt=moment - UNREACHABLE_AGAIN)
    return found.filter(Q(image_checked_at=None) | old | away)


def _check(rows: list[tuple[int, str]], looker: "_Looker") -> Counter[str]:
    """Look at each address once and store what was found."""
    owners: dict[str, list[int]] = defaultdict(list)
    for pk, image in rows:
        owners[image].append(pk)
    found: dict[str, list[str]] = defaultdict(list)
    for image, state in looker.look(owners):
        found[state].append(image)
    for state, images in found.items():
        # Whose picture changed meanwhile is looked at again.
        known = Product.everything.filter(pk__in=[pk for image in images for pk in owners[image]], image__in=images)
        known.update(image_state=state, image_checked_at=now())
    return Counter({state: sum(len(owners[image]) for image in images) for state, images in found.items()})


class _Looker:
    """Looks at several pictures at once, at few of one host."""

    def __init__(self) -> None:
        self._fetcher = Fetcher()
        self._turns: dict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(PER_HOST))

    def look(self, images: Iterable[str]) -> list[tuple[str, str]]:
        """Return each address with its state."""
        listed = list(images)
        turns = [self._turns[urlsplit(image).netloc.lower()] for image in listed]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="picture") as pool:
            return list(zip(listed, pool.map(self._state, listed, turns), strict=True))

    def _state(self, image: str, turn: BoundedSemaphore) -> str:
        if "://" not in image:
            return _stored_state(image)
        with turn:
            return remote_state(self._fetcher, image)


def remote_state(fetcher: Fetcher, url: str) -> str:
    """Look at a picture on another host."""
    try:
        answer = fetcher.fetch(url, most=HEAD)
        if len(answer.data) == HEAD and not answer.size:
            # The server does not say how much there is.
            answer = fetcher.fetch(url, most=MOST_BYTES + 1)
    except RefusedAddressError:
        return REFUSED
    except OSError:
        return UNREACHABLE
    if answer.status != HTTPStatus.OK:
        return NOT_FOUND if answer.status in GONE else UNREACHABLE
    if answer.size > MOST_BYTES:
        return TOO_LARGE
    return judge(answer.data) if answer.content_type.startswith("image/") else NOT_AN_IMAGE


def _stored_state(path: str) -> str:
    """Look at a picture in our own storage."""
    if not default_storage.exists(path):
        return MISSING
    if default_storage.size(path) > MOST_BYTES:
        return TOO_LARGE
    with default_storage.open(path) as file:
        return judge(file.read(HEAD))


def judge(data: bytes) -> str:
    """Say what the first bytes of a picture, or the whole of it, are good for."""
    if len(data) > MOST_BYTES:
        return TOO_LARGE
    if not format_of(data):
        return NOT_AN_IMAGE
    try:
        width, _height = imagesize.get(io.BytesIO(data))
    except Exception:  # whatever a damaged file does to the library
        return NOT_AN_IMAGE
    if width < 1:
        return NOT_AN_IMAGE
    return OK if width >= LEAST_WIDTH else TOO_SMALL


def format_of(data: bytes) -> str:
    """Return the content type of a picture that mail programs show, "" for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in FORMATS if data.startswith(begin)), "")


def picture_of(product: Any) -> tuple[bytes, str] | None:
    """Return the bytes of a picture on another host and their content type; None if there is none to be had."""
    if "://" not in product.image or product.image_state not in (OK, TOO_SMALL):
        return None
    try:
        answer = Fetcher().fetch(product.image, most=MOST_BYTES, seconds=4)
    except (RefusedAddressError, OSError):
        return None
    kind = format_of(answer.data)
    return (answer.data, kind) if kind and answer.status == HTTPStatus.OK else None
