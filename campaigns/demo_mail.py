"""A mail as a person sees it, and a browser that reaches this installation without a network."""

import io
from dataclasses import dataclass
from email import message_from_string, policy
from functools import cache
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from campaigns import inbox

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36"
PIXEL, CLICK = "/o/", "/c/"


@dataclass(frozen=True)
class Link:
    """A tracked link with the words and picture texts that stand in it."""

    url: str
    text: str


@dataclass(frozen=True)
class Mail:
    """What can be done with a mail: load its pixel, follow its links, unsubscribe."""

    pixel: str
    links: list[Link]
    unsubscribe: str


def read_mail(raw: str) -> Mail:
    """Read a raw mail and find the tracking addresses in it."""
    mail = message_from_string(raw, policy=policy.default)
    parser = _Reader()
    parser.feed(inbox.part(mail, "html"))  # type: ignore[arg-type]
    header = str(mail.get("List-Unsubscribe", ""))
    addresses = [part.strip(" <>") for part in header.split(",")]
    return Mail(parser.pixel, parser.links, next((url for url in addresses if _is_ours(url)), ""))


def fetch(url: str, body: bytes | None = None) -> bool:
    """Ask our own application for an address, as a browser would; POST with a body. Nothing leaves the machine."""
    parts = urlsplit(url)
    if not _is_ours(url):
        return False
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET" if body is None else "POST",
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "HTTP_HOST": parts.netloc,
        "HTTP_X_FORWARDED_PROTO": parts.scheme,
        "HTTP_USER_AGENT": AGENT,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body or b""),
        "CONTENT_LENGTH": str(len(body or b"")),
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
    }
    setup_testing_defaults(environ)
    statuses: list[str] = []
    response = _application()(environ, _remember(statuses))
    response.close()
    return statuses[0] < "4"


def _remember(statuses: list[str]) -> Any:
    """Return WSGI's start_response, which keeps only the status."""

    def start_response(status: str, *_rest: Any) -> None:
        statuses.append(status)

    return start_response


@cache
def _application() -> WSGIHandler:
    return WSGIHandler()


def _is_ours(url: str) -> bool:
    return url.startswith(settings.MAILAI_PUBLIC_URL + "/")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pixel = ""
        self.links: list[Link] = []
        self._open: str | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        source = values.get("src") or ""
        if tag == "img" and _is_ours(source) and PIXEL in source:
            self.pixel = source
        elif tag == "img" and self._open:
            self._words.append(values.get("alt") or "")
        if tag == "a":
            address = values.get("href") or ""
            self._open, self._words = (address if _is_ours(address) and CLICK in address else None), []

    def handle_data(self, data: str) -> None:
        if self._open:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open:
            self.links.append(Link(self._open, " ".join(" ".join(self._words).split())))
            self._open = None
