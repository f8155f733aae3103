"""The script on a page of a shop at another address: nothing before consent, each event once, no page of others."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from behaviour.models import Event, Shopper
from mailai.accounts import apikeys
from mailai.accounts.models import ApiKey

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PAGE = '<!doctype html><title>Shop</title><h1>Mug</h1><script src="{script}" data-key="{key}"></script>'
PATIENCE_SECONDS = 15
Open = Callable[..., Page]


class ShopServer(ThreadingHTTPServer):
    """A shop of one page."""

    page = b""


class _Handler(BaseHTTPRequestHandler):
    server: ShopServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def open_shop(browser: Browser, live_server: Any, admin: Any, shop: Any) -> Iterator[Open]:
    """Open the page of the shop in a new browser; its key lists 127.0.0.1, not localhost."""
    apikeys.forget()
    server = ShopServer(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    origins = [f"http://127.0.0.1:{port}"]
    _key, secret = apikeys.create("Shop", [ApiKey.Scope.BROWSER], by=admin, rate=10_000, origins=origins)
    server.page = PAGE.format(script=f"{live_server.url}/api/v1/mailai.js", key=secret).encode()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    contexts = []

    def visit(host: str = "127.0.0.1", init: str = "") -> Page:
        context = browser.new_context()
        contexts.append(context)
        if init:
            context.add_init_script(init)
        page = context.new_page()
        page.sent = []  # type: ignore[attr-defined]
        page.on("request", lambda request: page.sent.append(request.url) if "/events" in request.url else None)  # type: ignore[attr-defined]
        page.goto(f"http://{host}:{port}/")
        page.wait_for_function("typeof window.mailai === 'function'", timeout=10_000)
        return page

    yield visit
    for context in contexts:
        context.close()
    server.shutdown()
    thread.join()
    server.server_close()


def arrived(n: int) -> None:
    """Wait until so many events are stored."""
    until = time.monotonic() + PATIENCE_SECONDS
    while Event.objects.count() < n and time.monotonic() < until:
        time.sleep(0.1)
    assert Event.objects.count() == n


def kept(page: Page) -> int:
    """Count what the page stored in the browser."""
    return page.evaluate("localStorage.length + document.cookie.length")


def nothing_leaves(page: Page, seconds: float = 1.5) -> None:
    page.wait_for_timeout(seconds * 1000)
    assert page.sent == []  # type: ignore[attr-defined]
    assert Event.objects.count() == 0


def test_nothing_is_stored_or_sent_before_consent(open_shop: Open) -> None:
    page = open_shop()
    page.evaluate("mailai('view', 'MUG'); mailai('identify', 'U1'); mailai('purchase', '7', [{item: 'MUG'}])")
    nothing_leaves(page)
    assert kept(page) == 0


def test_after_consent_views_carts_and_orders_arrive_under_one_visitor(open_shop: Open) -> None:
    page = open_shop()
    page.evaluate("mailai('consent', true); mailai('view', 'MUG'); mailai('cart', 'MUG', {quantity: 2, price: 4.5})")
    order = "mailai('purchase', '1001', [{item: 'MUG', quantity: 2, price: 4.5}, {item: 'CUP', quantity: 1, price: 3}])"
    page.evaluate(order)
    arrived(4)
    assert sorted(Event.objects.values_list("kind", flat=True)) == ["cart", "purchase", "purchase", "view"]
    assert Shopper.objects.get().external_id.startswith("visitor-")
    assert str(Event.objects.get(kind="purchase", product__sku="MUG").amount) in {"9.00", "9"}
    # The page of thanks is loaded again, by the same visitor: nothing is new.
    page.reload()
    page.evaluate(order + "; mailai('view', 'CUP')")
    arrived(5)
    assert Shopper.objects.count() == 1


def test_who_logs_in_is_one_with_her_visits_before(open_shop: Open) -> None:
    page = open_shop()
    page.evaluate("mailai('consent', true); mailai('view', 'MUG')")
    arrived(1)
    page.evaluate("mailai('identify', 'U1'); mailai('view', 'CUP')")
    arrived(2)
    assert Shopper.objects.get().external_id == "U1"
    assert Event.objects.filter(shopper__external_id="U1").count() == 2


def test_consent_taken_back_removes_what_was_stored(open_shop: Open) -> None:
    page = open_shop()
    page.evaluate("mailai('consent', true)")
    assert kept(page) == 1
    page.evaluate("mailai('view', 'MUG'); mailai('consent', false); mailai('view', 'CUP')")
    nothing_leaves(page)
    assert kept(page) == 0


@pytest.mark.parametrize(("name", "value"), [("globalPrivacyControl", "true"), ("doNotTrack", "'1'")])
def test_a_browser_that_refuses_to_be_followed_is_not(open_shop: Open, name: str, value: str) -> None:
    page = open_shop(init=f"Object.defineProperty(navigator, '{name}', {{get: function () {{ return {value}; }}}});")
    page.evaluate("mailai('consent', true); mailai('view', 'MUG')")
    nothing_leaves(page)
    assert kept(page) == 0


def test_what_was_done_last_arrives_though_the_page_is_left(open_shop: Open) -> None:
    page = open_shop()
    page.evaluate("mailai('consent', true); mailai('view', 'MUG')")
    page.goto("about:blank")
    arrived(1)


def test_a_page_at_another_address_sends_nothing(open_shop: Open) -> None:
    page = open_shop(host="localhost")
    page.evaluate("mailai('consent', true); mailai('view', 'MUG')")
    page.wait_for_timeout(2500)
    assert page.sent, "the page tried"  # type: ignore[attr-defined]
    assert Event.objects.count() == 0
