"""The catalogue in a real browser: quiet, at home, not too wide, usable by everybody."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from behaviour.models import Product, StockChange
from tests.browser import DESKTOP, DIAGONAL, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def png() -> bytes:
    """Return a plain picture of 240 by 240 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress((b"\x00" + b"\x5a\x8f\xc0" * 240) * 240)
    head = struct.pack(">IIBBBBB", 240, 240, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def catalogue(make_product: Any, make_shopper: Any, make_event: Any) -> Product:
    default_storage.save("products/mug.png", ContentFile(png()))
    mug = make_product(sku="MUG/1", name="Trail mug", category="Camping > Cups", image="products/mug.png", stock=12,
                       image_state="ok", url="https://shop.example/mug", attributes={"brand": "Pine"})  # fmt: skip
    make_product(name="A pot with a name so long that it has to wrap somewhere on a phone", image="", stock=0)
    make_product(name="", in_catalogue=False, image="", price=None)
    make_product(name="Lamp", image="https://shop.example/lamp.png", image_state="not_found", active=False)
    now = datetime.now(UTC)
    for days, cents, stock in ((60, 1250, 40), (30, 999, 20), (3, 850, 12)):
        at = now - timedelta(days=days)
        StockChange.objects.create(product=mug, at=at, price=Decimal(cents) / 100, stock=stock)
        make_event(make_shopper(), product=mug, order_ref=f"O{days}", at=at, quantity=2)
    return mug


@DIAGONAL
def test_the_catalogue_is_quiet_fits_and_is_usable(
    visit: Visit, admin: Any, shop: Any, catalogue: Product, width: int, theme: str, settings: Any, live_server: Any
) -> None:
    settings.MAILAI_PUBLIC_URL = live_server.url
    watched = visit(reverse("behaviour:products"), admin, width=width, theme=theme)
    watched.check()
    watched.page.fill("#f-q", "mug")
    watched.page.press("#f-q", "Enter")
    watched.page.get_by_role("link", name="Trail mug").click()
    watched.wait_until_quiet()
    watched.check()
    if width == DESKTOP:
        watched.page.get_by_role("button", name="Keep out of emails").click()
        watched.page.get_by_role("button", name="Allow in emails").wait_for()
    watched.open(reverse("behaviour:products") + "?show=inactive&q=zzz")
    watched.check()
