"""Reading addresses that somebody else wrote: never from inside our own network, with bounds on time and size.

The host is looked up, every address it has is judged, and the connection goes to the judged address itself: a name
that points elsewhere a moment later gains nothing. A redirect is a new address and is judged the same way. No library
that is kept does this for urllib3, so its two connection classes are extended here.
"""

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationParseError, NewConnectionError
from urllib3.util.connection import create_connection

WAIT_SECONDS = 5.0
WHOLE_SECONDS = 15.0
MOST_REDIRECTS = 4
PIECE = 65_536
AGENT = "MailAI picture check"


class RefusedAddressError(Exception):
    """The address leads to where nobody outside could look: this machine, a private network, another scheme."""


@dataclass(frozen=True)
class Answer:
    """What a server sent: ``data`` are its first bytes, ``size`` what it says the whole has (0 = it does not say)."""

    status: int
    content_type: str
    data: bytes
    size: int


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the open internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = ip.ipv4_mapped or ip.sixtofour if isinstance(ip, ipaddress.IPv6Address) else None
    return ip.is_global and not ip.is_multicast and (inner is None or inner.is_global)


def public_address(host: str, port: int) -> str:
    """Look a host up and return an address of it; one that is not public refuses the host as a whole."""
    found = [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found or not all(is_public(address) for address in found):
        raise RefusedAddressError(host)
    return found[0]


class _PublicOnly:
    """A connection that goes to the address that was judged."""

    def _new_conn(self: Any) -> socket.socket:
        try:
            address = public_address(self.host, self.port)
            return create_connection((address, self.port), self.timeout, socket_options=self.socket_options)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error


class _PlainConnection(_PublicOnly, HTTPConnection):
    pass


class _SafeConnection(_PublicOnly, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SafePool(HTTPSConnectionPool):
    ConnectionCls = _SafeConnection  # type: ignore[assignment]


class Fetcher:
    """Keeps connections open between reads; may be shared by threads."""

    def __init__(self) -> None:
        self._pools = urllib3.PoolManager(
            ca_certs=certifi.where(),
            timeout=urllib3.Timeout(connect=WAIT_SECONDS, read=WAIT_SECONDS),
            retries=False,
            headers={"User-Agent": AGENT, "Accept": "image/*"},
        )
        self._pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _SafePool}

    def fetch(self, url: str, *, most: int, seconds: float | None = None) -> Answer:
        """Read at most ``most`` bytes of what is at an address.

        Raises
        ------
        RefusedAddressError : it, or where it leads on to, is no public address.
        OSError : nobody answered, or not in time.
        """
        until = time.monotonic() + (WHOLE_SECONDS if seconds is None else seconds)
        for _turn in range(MOST_REDIRECTS + 1):
            if urlsplit(url).scheme not in {"http", "https"}:
                raise RefusedAddressError(url)
            try:
                answer, further = self._read(url, most, until)
            except (HTTPError, LocationParseError, ValueError) as error:
                raise OSError(str(error)) from error
            if further is None:
                return answer
            url = urljoin(url, further)
        raise OSError(f"more than {MOST_REDIRECTS} redirects")

    def _read(self, url: str, most: int, until: float) -> tuple[Answer, str | None]:
        response = self._pools.request("GET", url, redirect=False, preload_content=False)
        try:
            if further := response.get_redirect_location():
                return Answer(response.status, "", b"", 0), further
            data = bytearray()
            while len(data) < most and (piece := response.read1(min(PIECE, most - len(data)))):
                data += piece
                if time.monotonic() > until:
                    raise TimeoutError("the answer takes too long")
            size = response.headers.get("Content-Length", "")
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return Answer(response.status, kind, bytes(data), int(size) if size.isdecimal() else 0), None
        finally:
            # What was not read would come before the next answer.
            response.close()
