"""One shopper's history in words, page by page."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.html import strip_tags

from analytics.stories import days
from analytics.timeline import PER_PAGE, timeline

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def texts(shopper: Any, shop: Any, kinds: str = "all") -> list[str]:
    found = days(timeline(shopper, kinds).entries, shop, date(2026, 11, 21))
    return [strip_tags(event["text"]) for day in found for event in day["events"]]


def test_the_lines_of_an_order_are_one_entry(shop: Any, make_shopper: Any, make_product: Any, make_event: Any) -> None:
    shopper = make_shopper()
    for name, amount in (("Mug", "8.00"), ("Clock", "20.00"), ("Card", "2.00")):
        product = make_product(name=name)
        make_event(shopper, at=NOON, order_ref="o1", product=product, amount=Decimal(amount))
    make_event(shopper, at=NOON + timedelta(minutes=1), order_ref="o2", product=product, amount=Decimal("2.00"))
    assert texts(shopper, shop) == ["Ordered Card, £2.00", "Ordered Clock, Mug and 1 more product, £30.00"]


def test_an_order_counts_once_among_what_is_left(
    shop: Any, make_shopper: Any, make_product: Any, make_event: Any, make_campaign: Any, make_message: Any
) -> None:
    shopper, mug = make_shopper(), make_product()
    for n in range(PER_PAGE):
        make_event(shopper, "view", at=NOON - timedelta(hours=n))
    for days_ago, ref in ((20, "o1"), (30, "o2"), (40, "")):
        for _line in range(3):
            make_event(shopper, at=NOON - timedelta(days=days_ago), order_ref=ref, product=mug)
    make_event(shopper, "refund", at=NOON - timedelta(days=10), order_ref="o2", product=mug)
    campaign = make_campaign(send_at=NOON - timedelta(days=50))
    make_message(campaign, shopper=shopper)
    assert [timeline(shopper, kinds).n_older for kinds in ("all", "orders", "emails")] == [5, 0, 0]


def test_names_are_strong_and_nobody_can_write_markup(
    shop: Any, make_shopper: Any, make_product: Any, make_event: Any
) -> None:
    shopper = make_shopper()
    make_event(shopper, at=NOON, order_ref="o1", product=make_product(name="<b>Mug</b>"))
    make_event(shopper, at=NOON, order_ref="o1", product=make_product(name="100% & more"))
    (day,) = days(timeline(shopper).entries, shop, date(2026, 11, 21))
    text = day["events"][0]["text"]
    assert "<strong>&lt;b&gt;Mug&lt;/b&gt;</strong>" in text
    assert "<strong>100% &amp; more</strong>" in text


def test_mails_are_named_by_their_campaign(shop: Any, make_campaign: Any, make_message: Any, make_event: Any) -> None:
    message = make_message(make_campaign(name="Winter guide"))
    make_event(message.shopper, "email_open", at=NOON, message=message.uuid)
    make_event(message.shopper, "view", at=NOON + timedelta(hours=1))
    assert texts(message.shopper, shop) == ["Viewed a product", "Opened “Winter guide”", "We sent “Winter guide”"]
    assert texts(message.shopper, shop, "emails") == ["Opened “Winter guide”", "We sent “Winter guide”"]
    assert texts(message.shopper, shop, "orders") == []


def test_pages_leave_nothing_out_and_repeat_nothing(shop: Any, make_shopper: Any, make_event: Any) -> None:
    shopper = make_shopper()
    for n in range(PER_PAGE + 10):
        make_event(shopper, "view", at=NOON + timedelta(hours=n // 3))
    seen, before = 0, None
    while True:
        page = timeline(shopper, "all", before)
        seen += len(page.entries)
        assert page.n_older == PER_PAGE + 10 - seen
        if page.older is None:
            break
        before = page.older
    assert seen == PER_PAGE + 10


def test_days_are_those_of_the_shops_calendar(shop: Any, make_shopper: Any, make_event: Any) -> None:
    shop.timezone = "Asia/Shanghai"
    shopper = make_shopper()
    make_event(shopper, "view", at=datetime(2026, 11, 20, 23, tzinfo=UTC))
    (day,) = days(timeline(shopper).entries, shop, date(2026, 11, 21))
    assert day["label"] == "Today, Saturday 21 November"
    assert day["events"][0]["time"] == "07:00"
