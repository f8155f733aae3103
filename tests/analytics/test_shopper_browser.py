"""The shopper page in a real browser: filters, more of the timeline, and personal data for a reason only."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from mailai.accounts.models import AuditEntry
from segments.models import Profile
from tests.browser import DIAGONAL, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EMAIL = "elena@mail.example"


@pytest.fixture
def elena(shop: Any, make_shopper: Any, make_event: Any, make_product: Any, predict: Any) -> Any:
    shopper = make_shopper(EMAIL, first_name="Elena", pseudonym="S-7F3A91000000")
    Profile.objects.create(
        shopper=shopper, stage="loyal", n_orders=3, monetary=90, recency_score=5, frequency_score=4, monetary_score=4,
        last_order_at=timezone.now() - timedelta(days=2), categories=[{"category": "Mugs", "share": 0.6}],
        brands=[{"brand": "Northlane", "share": 0.7}], price_low=4, price_high=9, discount_share=0.1,
    )  # fmt: skip
    mug = make_product(name="Mug", image="")
    for n in range(20):
        make_event(shopper, "view", at=timezone.now() - timedelta(hours=n + 1), product=mug)
    make_event(shopper, at=timezone.now() - timedelta(days=2), product=mug, order_ref="o1")
    predict(shopper, order_chance=0.72, order_chance_high=0.8, reasons=[{"code": "emails", "weight": -0.1}])
    return shopper


def test_an_address_is_shown_for_a_reason_which_the_audit_log_keeps(elena: Any, marketer: Any, visit: Visit) -> None:
    seen = visit(reverse("analytics:shopper", args=[elena.pseudonym]), marketer)
    page = seen.page
    assert EMAIL not in page.content()
    page.get_by_text("Show", exact=True).first.click()
    page.get_by_label("Why do you need it?").fill("She called about her order")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text(EMAIL).wait_for()
    assert page.get_by_text("This view is in the audit log.").is_visible()
    entry = AuditEntry.objects.get(action="shopper.reveal")
    assert (entry.object_id, entry.user, entry.reason) == (elena.pseudonym, marketer, "She called about her order")
    seen.open(reverse("analytics:shopper", args=[elena.pseudonym]))
    assert EMAIL not in page.content()
    seen.check()


def test_the_timeline_is_filtered_in_place_and_grows(elena: Any, manager: Any, visit: Visit) -> None:
    seen = visit(reverse("analytics:shopper", args=[elena.pseudonym]), manager)
    page = seen.page
    entries = page.locator("#timeline .mx-tl li")
    assert entries.count() == 15
    page.get_by_role("link", name="Show more (6)").click()
    expect(entries).to_have_count(21)
    page.get_by_role("link", name="Orders", exact=True).click()
    expect(entries).to_have_count(1)
    assert page.url.endswith("?kind=orders")
    assert page.locator("#tl-orders").get_attribute("aria-current") == "true"
    seen.check()


@DIAGONAL
def test_the_list_and_the_page_suit_everybody(elena: Any, manager: Any, visit: Visit, width: int, theme: str) -> None:
    seen = visit(reverse("analytics:shoppers") + "?sort=chance", manager, width=width, theme=theme)
    seen.check()
    seen.page.fill("#id_who", EMAIL)
    seen.page.keyboard.press("Enter")
    seen.page.get_by_role("heading", name="What we expect").wait_for()
    seen.check()
