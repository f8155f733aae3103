"""Times on pages are the shop's."""

from datetime import UTC, datetime

from django.urls import reverse


def test_a_page_shows_the_shops_time_and_not_utc(shop, make_shopper, make_event, client_for, manager):
    shop.timezone = "Asia/Shanghai"
    shop.save()
    shopper = make_shopper()
    make_event(shopper, at=datetime(2026, 5, 4, 20, 15, tzinfo=UTC))
    page = client_for(manager).get(reverse("analytics:shopper", args=[shopper.pseudonym])).content.decode()
    assert "04:15" in page
    assert "20:15" not in page
