"""What the shopper page expects, and the sentences that say why."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analytics import people, why
from segments.models import PredictionRun, Profile, Segment


@pytest.fixture
def buyer(make_shopper: Any) -> Any:
    shopper = make_shopper(pseudonym="S-7F3A91000000")
    Profile.objects.create(
        shopper=shopper, n_orders=14, n_orders_365d=9, order_gap_days=41, average_basket=74, best_hour=19,
        best_weekday=1, discount_share=0.1, price_low=60, price_high=150, n_received_90d=5, n_opens_90d=4,
        last_order_at=timezone.now() - timedelta(days=21), first_order_at=timezone.now() - timedelta(days=400),
        last_cart_at=timezone.now() - timedelta(days=2), engagement=81, fatigue=0.25,
        categories=[{"category": "Shoes > Trail", "share": 0.4}, {"category": "Packs", "share": 0.2}],
        brands=[{"brand": "Northlane", "share": 0.7}],
    )  # fmt: skip
    return shopper


def page_of(shopper: Any, client: Any) -> str:
    return client.get(reverse("analytics:shopper", args=[shopper.pseudonym])).content.decode()


def test_a_forecast_stands_beside_the_average_shopper(
    shop: Any, buyer: Any, make_shopper: Any, predict: Any, manager: Any, client_for: Any
) -> None:
    predict(
        buyer, order_chance=0.72, order_chance_low=0.65, order_chance_high=0.78, churn_chance=0.004, spend_365d=410,
        spend_365d_low=320, spend_365d_high=520, next_category="Bags > Packs", next_category_chance=0.31,
        next_order_on=timezone.localdate() + timedelta(days=20),
        reasons=[{"code": "recency", "weight": 0.2}, {"code": "emails", "weight": -0.1}, {"code": "unheard of"}],
    )  # fmt: skip
    predict(make_shopper(), order_chance=0.1, churn_chance=0.5)
    page = page_of(buyer, client_for(manager))
    for text in (
        "72%, range 65–78%, average shopper 41%", "&lt;1%", "£410<", "£320–£520<", "12 months<", "28%<", "22–35%<",
        "Packs</span>",
        "Tuesday, around 19:00", "Why 72%?", "She usually orders every 41 days; it has been 21 days.",
        "In 90 days she opened emails 4 times and clicked 0 times.", "Lowers the chance", "Buys on sale: rarely",
        "£60.00–£150.00", "Northlane</span>", "81 of 100", "opens fell by 25%",
    ):  # fmt: skip
        assert text in page, text


def test_without_a_forecast_one_sentence_says_when_there_will_be_one(
    shop: Any, buyer: Any, make_shopper: Any, predict: Any, manager: Any, client_for: Any
) -> None:
    client = client_for(manager)
    assert "Nothing is forecast yet." in page_of(buyer, client)
    other = make_shopper()
    predict(other)
    assert "She is new since the last forecast." in page_of(buyer, client)
    assert "She has not ordered yet." in page_of(make_shopper(), client)


def test_averages_follow_the_newest_run(
    shop: Any, buyer: Any, make_shopper: Any, predict: Any, manager: Any, client_for: Any
) -> None:
    predict(buyer, order_chance=0.5)
    assert "average shopper 50%" in page_of(buyer, client_for(manager))
    PredictionRun.objects.all().delete()
    predict(buyer, order_chance=0.5)
    predict(make_shopper(), order_chance=0.1)
    assert "average shopper 30%" in page_of(buyer, client_for(manager))


def test_each_reason_says_what_was_counted(buyer: Any, predict: Any) -> None:
    codes = ("recency", "orders", "tenure", "spending", "visits", "emails")
    prediction = predict(buyer, reasons=[{"code": code, "weight": 1} for code in codes])
    assert [one.text for one in why.reasons_of(prediction, buyer.profile, "GBP")] == [
        "She usually orders every 41 days; it has been 21 days.",
        "She ordered 14 times, 9 of them in the last year.",
        "Her first order was 13 months ago.",
        "She spends £74.00 an order.",
        "She put something in the cart 2 days ago.",
        "In 90 days she opened emails 4 times and clicked 0 times.",
    ]
    empty = Profile(shopper=buyer)
    texts = [one.text for one in why.reasons_of(prediction, empty, "GBP")]
    assert texts == ["She looked at nothing in the last 30 days.", "She opened no email in the last 90 days."]
    assert why.reasons_of(prediction, None, "GBP") == []


def test_her_segments_are_asked_at_once(shop: Any, buyer: Any) -> None:
    rule = {"field": "n_orders", "op": ">=", "value": 10}
    often = Segment.objects.create(name="Often", rule=rule)
    Segment.objects.create(name="Seldom", rule={"not": rule})
    Segment.objects.create(name="Broken", rule={"field": "gone", "op": "=", "value": 1})
    with CaptureQueriesContext(connection) as queries:
        assert people.segments_of(buyer) == [often]
    assert len(queries) == 2


def test_another_filter_brings_the_card_and_more_brings_the_rest(
    shop: Any, buyer: Any, make_event: Any, manager: Any, client_for: Any
) -> None:
    for n in range(20):
        make_event(buyer, "view", at=timezone.now() - timedelta(hours=n))
    client, url = client_for(manager), reverse("analytics:timeline", args=[buyer.pseudonym])
    card = client.get(url, {"kind": "views"}, headers={"HX-Request": "true"})
    text = card.content.decode()
    assert "Show more (5)" in text
    assert 'id="timeline"' in text
    more = client.get(url, {"kind": "views", "before": card.context["older"]}, headers={"HX-Request": "true"})
    assert more.content.decode().count("Viewed") == 5
    assert 'id="timeline"' not in more.content.decode()
