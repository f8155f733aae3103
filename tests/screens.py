"""Takes the pictures in docs/screens/ again: `make screens`.

An installation of its own is made in a temporary folder: demo shop, a model, a campaign sent into the demo inbox, and
the demo shoppers' answers. Nothing is drawn by hand, and no other installation is touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import django
import time_machine
from django.core.management import call_command

SCRATCH = Path(tempfile.mkdtemp(prefix="mailai-screens-"))
PORT = 8977
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "mailai.settings",
    "MAILAI_DATA_DIR": str(SCRATCH),
    "PORT": str(PORT),
    "CELERY_BROKER_URL": "memory://",
    "MAILAI_SECRET_KEY": "only-for-pictures-only-for-pictures",
    "MAILAI_FIELD_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "MAILAI_INDEX_KEY": "only-for-pictures",
}
os.environ.pop("DATABASE_URL", None)

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs/screens"
PASSWORD = "pictures-of-the-demo-shop"
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


def prepare() -> dict[str, str]:
    """Make the installation and return picture name -> address."""
    from django.urls import reverse

    from behaviour.models import Product, Shopper
    from campaigns.models import Campaign, Sender
    from mailai.accounts.models import User
    from segments.models import Segment

    User.objects.create_superuser("mei@shop.example", PASSWORD, name="Mei Lin")
    call_command("demo_shop")
    segment = Segment.objects.get(name="Loyal shoppers")
    sent = _campaign("Autumn picks", segment, Sender.objects.get(kind="demo_inbox"))
    _send_and_let_them_react(sent)
    draft = _campaign("Early access", segment, Sender.objects.get(kind="demo_inbox"))
    assert Campaign.objects.count() == 2
    shopper = Shopper.objects.order_by("-profile__n_orders").first()
    product = Product.objects.exclude(image="").order_by("pk").first()
    steps = {f"campaign-{step}": reverse(f"campaigns:{step}", args=[draft.uuid]) for step in STEPS}
    return steps | {
        "today": reverse("analytics:today"),
        "import-upload": reverse("behaviour:import_new"),
        "products": reverse("behaviour:products"),
        "product": reverse("behaviour:product", args=[product.sku]),
        "shopper": reverse("analytics:shopper", args=[shopper.pseudonym]),
        "shoppers": reverse("analytics:shoppers"),
        "segment": reverse("segments:detail", args=[segment.uuid]),
        "models": reverse("recommender:models"),
        "campaigns": reverse("campaigns:list"),
        "report": reverse("analytics:report", args=[sent.uuid]),
        "inbox": reverse("campaigns:inbox"),
        "admin-team": reverse("accounts:team"),
        "admin-sending": reverse("campaigns:senders"),
    }


STEPS = ("audience", "content", "subject", "timing", "review")


def _campaign(name: str, segment: Any, sender: Any) -> Any:
    from campaigns.content import STARTERS
    from campaigns.models import Campaign, Variant

    campaign = Campaign.objects.create(name=name, segment=segment, sender=sender, demo=True)
    Variant.objects.create(
        campaign=campaign, subject="{{ first_name|Hello }}, picked for you", preheader="Chosen from what you like",
        mjml=STARTERS[0].mjml,
    )  # fmt: skip
    return campaign


def _send_and_let_them_react(campaign: Any) -> None:
    """Send two hours ago, and live through the half hour after it minute by minute, by the real tracking addresses."""
    from django.core.cache import cache

    from behaviour.models import Shop
    from campaigns import attribution, demo_reactions, tracking

    Shop.objects.update(demo_reacts=True)
    began = datetime.now(UTC) - timedelta(hours=2)
    with time_machine.travel(began):
        call_command("plan_campaign", campaign.pk)
        call_command("send_campaign", campaign.pk)
    for minute in range(30):
        with time_machine.travel(began + timedelta(minutes=minute)):
            for _round in range(3):
                cache.delete(demo_reactions.LOCK)
                demo_reactions.react()
                tracking.load_spool(settle=-(10**9))  # files are as old as the real clock says
            attribution.attribute()
    call_command("refresh_profiles")


def shoot(addresses: dict[str, str]) -> None:
    """Photograph every address at both widths, light and dark, and Today in Chinese."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for size, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(f"http://localhost:{PORT}/accounts/login/")
            page.fill("[name=login]", "mei@shop.example")
            page.fill("[name=password]", PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_load_state("networkidle")
            for name, address in addresses.items():
                for theme in ("light", "dark"):
                    _shoot_one(page, address, theme, f"{name}-{size}{'-dark' if theme == 'dark' else ''}")
            page.context.add_cookies(
                [{"name": "django_language", "value": "zh-hans", "url": f"http://localhost:{PORT}"}]
            )
            for name in ("today", "report", "segment"):
                _shoot_one(page, addresses[name], "light", f"{name}-{size}-zh")
        browser.close()


def _shoot_one(page: Any, address: str, theme: str, name: str) -> None:
    page.goto(f"http://localhost:{PORT}{address}?theme={theme}")
    page.wait_for_load_state("networkidle")
    # A window as tall as the page: the side bar reaches the end, and every lazy frame and chart is drawn.
    width = page.viewport_size["width"]
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size(
        {"width": width, "height": max(height, SIZES["desktop"][1] if width > 1000 else SIZES["phone"][1])}
    )
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    page.screenshot(path=TARGET / f"{name}.png")
    page.set_viewport_size({"width": width, "height": 900})


def main() -> None:
    """Make, start, photograph, stop."""
    TARGET.mkdir(parents=True, exist_ok=True)
    django.setup()
    call_command("prepare")
    addresses = prepare()
    granian = Path(sys.executable).parent / "granian"
    command = [granian, "--interface", "wsgi", "--port", str(PORT), "--log-level", "error", "mailai.wsgi:application"]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        _wait_for_server()
        shoot(addresses)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(SCRATCH)


def _wait_for_server() -> None:
    for _attempt in range(100):
        try:
            urlopen(f"http://localhost:{PORT}/healthz")
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The web server did not start.")


if __name__ == "__main__":
    main()
