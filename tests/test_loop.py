"""The whole loop as a person walks it: upload, learn, choose, write, send, click, and learn from the click."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from behaviour.models import Event
from campaigns.models import Campaign, InboxMail, LinkClick
from campaigns.tracking import load_spool
from recommender.models import TrainingRun
from segments.profiles import refresh_profiles
from tests.browser import Visit, Watched, follow

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# Enough that about forty are tested, at whatever hour of the day: with fewer than thirty no model may take over.
N_SHOPPERS, N_PRODUCTS = 90, 24
PASSWORD = "a long enough password"


def _products(base: str) -> str:
    lines = ["item_id,name,price,category,url,image,stock,active"]
    for n in range(N_PRODUCTS):
        kind = "Camping" if n % 2 else "Kitchen"
        # A click leads to the product in the shop: here, a public page of this very server.
        url = f"{base}/accounts/password/reset/?product=P{n}"
        lines.append(f"P{n},{kind} piece {n},{5 + n}.50,{kind},{url},{base}/static/img/logo.svg,40,yes")
    return "\n".join(lines)


def _shoppers() -> str:
    lines = ["user_id,email,first_name,consent,consent_source,consent_at"]
    for n in range(N_SHOPPERS):
        answer = "no" if n % 10 == 9 else "yes"
        lines.append(f"U{n},u{n}@mail.example,Nora{n},{answer},checkout,2026-01-05 10:00:00")
    return "\n".join(lines)


def _behaviour() -> str:
    """Return a year of two tastes: even shoppers like even products, odd ones odd."""
    draw, now = Random(7), datetime.now(UTC)
    lines = ["user_id,item_id,event,timestamp,order_id,quantity,price"]
    for shopper in range(N_SHOPPERS):
        for order in range(draw.randint(2, 5)):
            at = now - timedelta(days=draw.randint(1, 330), minutes=draw.randint(0, 600))
            for item in draw.sample(range(shopper % 2, N_PRODUCTS, 2), 2):
                when = f"{at:%Y-%m-%d %H:%M:%S}"
                lines.append(f"U{shopper},P{item},view,{when},,,")
                lines.append(f"U{shopper},P{item},purchase,{when},O{shopper}-{order},1,{5 + item}.50")
    return "\n".join(lines)


@pytest.fixture
def person(admin: Any, shop: Any, settings: Any, live_server: Any) -> Any:
    """Somebody of a small shop, who does everything."""
    settings.MAILAI_PUBLIC_URL = live_server.url
    admin.is_marketer = admin.is_manager = True
    admin.save()
    return admin


@pytest.fixture
def desk(visit: Visit, person: Any) -> Watched:
    """Her browser, after she logged in at the door."""
    watched = visit("/accounts/login/")
    page = watched.page
    page.fill("input[name=login]", person.email)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(watched.base + "/")
    return watched


def _upload(desk: Watched, name: str, text: str) -> None:
    """Walk a file through the wizard."""
    desk.open("/data/imports/new/")
    page = desk.page
    page.set_input_files("#id_file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.wait_for_url("**/check/")
    page.get_by_role("button", name=re.compile(r"^Import [\d,]+ rows?$")).click()
    page.wait_for_url(lambda url: "check" not in url)
    expect(page.get_by_role("heading", level=1, name="rows loaded")).to_be_visible()


def _train(desk: Watched) -> TrainingRun:
    desk.open("/recommender/")
    desk.page.get_by_role("button", name="Train now").click()
    desk.wait_until_quiet()
    run = TrainingRun.objects.filter(algorithm="user_based").order_by("pk").last()
    assert run is not None
    assert run.state == "done", run.error
    return run


def _make_segment(desk: Watched) -> None:
    desk.open("/segments/new/")
    page = desk.page
    page.fill("#segment-name", "Ordered twice")
    page.get_by_role("button", name="Condition", exact=True).click()
    with page.expect_response("**/segments/new/"):
        page.locator("#what-0\\.0").select_option("field:n_orders")
    page.locator("#value-0\\.0").fill("2")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ordered twice")


def _compose(desk: Watched) -> Campaign:
    """Go through the five steps, from the segment's own button to the last one."""
    page = desk.page
    follow(page.get_by_role("link", name="Use in a campaign"))
    page.get_by_label("Name of the campaign").fill("Loop")
    page.get_by_text("Off", exact=True).click()
    page.get_by_role("button", name="Continue to content").click()
    page.get_by_role("button", name="Picked for you").click()
    expect(page.frame_locator("#email-preview iframe").get_by_text("picked for you")).to_be_visible()
    page.get_by_role("button", name="Continue to subject").click()
    page.get_by_label("Subject", exact=True).fill("{{ first_name|Hello }}, three picks")
    page.get_by_role("button", name="Continue to timing").click()
    page.get_by_role("button", name="Continue to review").click()
    expect(page.get_by_text(re.compile("picks per shopper by “(?!Most popular)"))).to_be_visible()
    page.get_by_role("button", name="Send now").click()
    page.wait_for_url("**/report/")
    return Campaign.objects.get(name="Loop")


def _click_a_product(desk: Watched) -> str:
    """Open the newest mail, click on its first product and return where that led."""
    desk.open("/inbox/")
    page = desk.page
    page.locator("td.name a").first.click()
    page.wait_for_url("**/inbox/*-*/")
    mail = page.frame_locator("#inbox-frame iframe")
    with page.context.expect_page() as opened:
        mail.locator("a[href*='/c/']", has_text="piece").first.click()
    tab: Page = opened.value
    tab.wait_for_load_state()
    return tab.url


def test_the_whole_loop(desk: Watched, settings: Any, live_server: Any) -> None:
    everywhere = _listen_to_all(desk)
    _upload(desk, "behaviour.csv", _behaviour())
    _upload(desk, "products.csv", _products(live_server.url))
    _upload(desk, "shoppers.csv", _shoppers())
    refresh_profiles(everybody=True)
    first = _train(desk)
    assert first.n_events.get("email_click", 0) == 0
    desk.open("/settings/sending/")
    desk.page.get_by_role("button", name="Add the demo inbox").click()
    _make_segment(desk)
    campaign = _compose(desk)
    assert campaign.state == "finished"
    assert InboxMail.objects.count() == campaign.messages.filter(state="sent").count() == N_SHOPPERS * 9 // 10
    assert campaign.messages.filter(skip_reason="no_consent").count() == N_SHOPPERS // 10

    assert "/accounts/password/reset/?product=P" in _click_a_product(desk)
    load_spool(settle=0)
    click = LinkClick.objects.get(message__campaign=campaign)
    event = Event.objects.get(kind="email_click")
    assert (event.shopper_id, event.product_id) == (click.message.shopper_id, click.product_id)
    report = _report(desk, campaign)
    assert f"Clicked\n–\n1 of {N_SHOPPERS * 9 // 10}, too early" in report
    assert click.product.name in report

    assert _train(desk).n_events["email_click"] == 1
    assert everywhere() == []


def _report(desk: Watched, campaign: Campaign) -> str:
    desk.open(f"/campaigns/{campaign.uuid}/report/")
    return desk.page.locator("main").inner_text()


def _listen_to_all(desk: Watched) -> Callable[[], list[str]]:
    """Note errors and other hosts in the tabs that links open, too."""
    tabs: list[Watched] = []

    def watch(page: Page) -> None:
        tab = Watched(page, desk.base)
        tab.listen()
        tabs.append(tab)

    desk.page.context.on("page", watch)
    return lambda: [text for tab in [desk, *tabs] for text in tab.complaints + tab.foreign]
