"""The picture check against a server of this machine that answers well, badly, slowly and with tricks."""

import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils.timezone import now

from behaviour import fetching, pictures
from behaviour.catalogue import sellable
from behaviour.fetching import Fetcher, RefusedAddressError, is_public, public_address
from behaviour.models import Product
from behaviour.pictures import check_pictures

pytestmark = pytest.mark.django_db
PUBLIC = "127.0.0.1"


def png(width: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, 300, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        port = self.server.server_address[1]
        to = {
            "/to-private.png": f"http://127.0.0.2:{port}/good.png",
            "/to-metadata.png": "http://169.254.169.254/latest/",
            "/to-file.png": "file:///etc/passwd",
            "/round.png": "/round.png",
            "/moved.png": "/good.png",
        }
        if self.path in to:
            self._answer(302, b"", Location=to[self.path])
        elif self.path in {"/good.png", "/small.png"}:
            self._answer(200, png(480 if self.path == "/good.png" else 120))
        elif self.path == "/page.png":
            self._answer(200, b"<html>Sorry</html>", **{"Content-Type": "text/html"})
        elif self.path == "/liar.png":
            self._answer(200, b"<html>Sorry</html>")
        elif self.path == "/huge.png":
            self._answer(200, png(480) + bytes(6_000_000))
        elif self.path == "/endless.png":
            self._endless()
        elif self.path == "/slow.png":
            self._drip()
        elif self.path == "/broken.png":
            self._answer(500, b"")
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "image/png", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(png(480))
        with suppress(OSError):
            for _turn in range(200):
                self.wfile.write(bytes(100_000))

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with suppress(OSError):
            for _turn in range(50):
                self.wfile.write(b"\x89")
                self.wfile.flush()
                time.sleep(0.05)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Run a server at 127.0.0.1, which counts as public here; 127.0.0.2 does not."""
    judge = fetching.is_public
    monkeypatch.setattr(fetching, "is_public", lambda address: address == PUBLIC or judge(address))
    monkeypatch.setattr(fetching, "WHOLE_SECONDS", 0.5)
    running = ThreadingHTTPServer((PUBLIC, 0), _Handler)
    running.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def at(server: Any) -> Any:
    return lambda name: f"http://{PUBLIC}:{server.server_address[1]}/{name}.png"


STATES = {
    "good": "ok", "moved": "ok", "small": "too_small", "huge": "too_large", "endless": "too_large",
    "page": "not_an_image", "liar": "not_an_image", "gone": "not_found", "broken": "unreachable",
    "slow": "unreachable", "round": "unreachable", "to-private": "refused_address",
    "to-metadata": "refused_address", "to-file": "refused_address",
}  # fmt: skip


def test_every_answer_has_its_state(at: Any, make_product: Any) -> None:
    for name in STATES:
        make_product(sku=name, image=at(name))
    found = check_pictures()
    assert dict(Product.objects.values_list("sku", "image_state")) == STATES
    assert sum(found.values()) == len(STATES)
    assert not Product.objects.filter(image_checked_at=None).exists()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "::"],
)  # fmt: skip
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet_are_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")


def test_a_host_with_one_inner_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, 0, 0, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *args, **options: rows)
    with pytest.raises(RefusedAddressError):
        public_address("shop.example", 80)


def test_a_name_that_points_elsewhere_at_the_second_look_gains_nothing(server: Any, monkeypatch: Any) -> None:
    """DNS rebinding: the address that was judged is the one that is connected to, so the name is looked up once."""
    looks: list[str] = []

    def look(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        looks.append(host)
        return [(2, 1, 6, "", (PUBLIC if looks.count("shop.example") < 2 else "127.0.0.2", port))]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", look)
    url = f"http://shop.example:{server.server_address[1]}/good.png"
    assert Fetcher().fetch(url, most=1000).status == 200
    assert looks.count("shop.example") == 1
    with pytest.raises(RefusedAddressError):
        Fetcher().fetch(url, most=1000)


def test_one_address_of_many_products_is_asked_once(at: Any, server: Any, make_product: Any) -> None:
    for _n in range(5):
        make_product(image=at("good"))
    assert check_pictures() == {"ok": 5}
    assert server.asked == ["/good.png"]


def test_a_picture_waits_a_week_and_a_host_that_was_away_a_day(at: Any, make_product: Any) -> None:
    fresh = make_product(image=at("good"))
    check_pictures()
    assert check_pictures() == {}
    assert check_pictures(everything=True) == {"ok": 1}
    Product.objects.filter(pk=fresh.pk).update(image_checked_at=now() - timedelta(days=8))
    assert check_pictures() == {"ok": 1}
    Product.objects.filter(pk=fresh.pk).update(image_state="unreachable", image_checked_at=now() - timedelta(days=2))
    assert check_pictures() == {"ok": 1}


def test_a_run_that_has_no_time_left_goes_on_the_next_time(
    at: Any, make_product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "BATCH", 2)
    for _n in range(5):
        make_product(image=at("good"))
    assert check_pictures(seconds=0) == {}
    assert check_pictures() == {"ok": 5}


def test_stored_pictures_are_looked_at_too(make_product: Any) -> None:
    default_storage.save("products/here.png", ContentFile(png(480)))
    make_product(sku="here", image="products/here.png")
    make_product(sku="away", image="products/away.png")
    make_product(sku="none", image="")
    check_pictures()
    assert dict(Product.objects.values_list("sku", "image_state")) == {"here": "ok", "away": "missing", "none": ""}


def test_no_product_is_picked_whose_picture_is_known_to_be_broken(make_product: Any) -> None:
    for state in ("", *STATES.values(), "missing"):
        make_product(image_state=state)
    assert set(sellable().values_list("image_state", flat=True)) == {
        "", "ok", "too_small", "too_large", "unreachable"
    }  # fmt: skip


def test_the_command_says_what_was_found(at: Any, make_product: Any) -> None:
    make_product(image=at("good"))
    make_product(image=at("gone"))
    out = StringIO()
    call_command("check_pictures", "--all", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"checked": 2, "states": {"ok": 1, "not_found": 1}}
