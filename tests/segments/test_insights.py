"""What is good to know of a segment."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from segments import sampling
from segments.insights import insights
from segments.models import Prediction, PredictionRun, Profile, Segment
from tests.segments.conftest import NOW

FRENCH = {"field": "country", "op": "=", "value": "France"}


@pytest.fixture
def french(make_shopper: Any) -> Segment:
    """Forty in France, thirty of them on Tuesday evenings for mugs and on sale; ten in Spain who never order."""
    run = PredictionRun.objects.create(as_of=NOW, state="done")
    figures = {one.name: 0 for one in Prediction._meta.fields if not one.null and not one.has_default()}
    for n in range(50):
        shopper = make_shopper(country="France" if n < 40 else "Spain")
        usual = n < 30
        Profile.objects.create(
            shopper=shopper, n_orders=int(n < 10), best_weekday=1 if usual else 6, best_hour=20 if usual else 9,
            favourite_category="Kitchen > Mugs" if usual else "Bags", discount_share=0.9 if n < 20 else 0.1,
        )  # fmt: skip
        Prediction.objects.create(**figures | {"shopper": shopper, "run": run, "order_chance": 0.5 if n < 40 else 0})
    Segment.objects.create(name="Everybody", rule={"all": []})
    Segment.objects.create(name="Buyers", rule={"field": "n_orders", "op": ">=", "value": 1})
    Segment.objects.create(name="Gone", rule={"field": "gone", "op": "=", "value": 1})
    return Segment.objects.create(name="French", rule=FRENCH)


def test_it_says_when_what_how_and_with_whom(french: Segment) -> None:
    found = insights(french, NOW)
    assert found.said == [
        "They are here most on weekday evenings: that is the best time for 75.0% of them.",
        "75.0% spend most on Kitchen.",
        "50.0% buy mostly below the usual price.",
        "Their chance to order within 30 days is 50.0% on average, that of all shoppers 40.0%.",
    ]
    # That all of them are among everybody says nothing.
    assert (str(found.overlap and found.overlap.segment), found.overlap and found.overlap.n) == ("Buyers", 10)
    assert not found.about


def test_a_large_shop_is_asked_by_its_sample(french: Segment) -> None:
    sampling.draw(size=40)
    found = insights(french, NOW)
    assert found.about
    assert len(found.said) == 4
    assert found.overlap
    # Ten of fifty, from forty of them.
    assert 5 <= found.overlap.n <= 13


def test_of_few_shoppers_nothing_is_said(make_shopper: Any) -> None:
    Profile.objects.create(shopper=make_shopper(country="France"), best_weekday=1, best_hour=20)
    found = insights(Segment.objects.create(name="French", rule=FRENCH), NOW)
    assert (found.said, found.overlap) == ([], None)


def test_the_card_comes_behind_the_page_and_without_script_with_it(
    french: Segment, client_for: Any, manager: Any
) -> None:
    client, know = client_for(manager), reverse("segments:know", args=[french.uuid])
    page = client.get(reverse("segments:detail", args=[french.uuid])).content.decode()
    assert f'hx-get="{know}"' in page
    assert "weekday evenings" not in page
    card = client.get(know, headers={"HX-Request": "true"}).content.decode()
    assert "weekday evenings" in card
    assert "10 are also in" in card
    assert "<html" not in card
    whole = client.get(know).content.decode()
    assert "weekday evenings" in whole
    assert "<html" in whole


def test_the_card_asks_as_often_for_many_segments_as_for_few(french: Segment, client_for: Any, manager: Any) -> None:
    client, know = client_for(manager), reverse("segments:know", args=[french.uuid])

    def n_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(know, headers={"HX-Request": "true"})
        return len(queries)

    n_queries()
    few = n_queries()
    Segment.objects.bulk_create(Segment(name=f"A{n}", rule=FRENCH) for n in range(9))
    assert n_queries() <= few


def test_a_rule_that_is_broken_says_nothing_and_breaks_nothing(client_for: Any, manager: Any, shop: Any) -> None:
    broken = Segment.objects.create(name="Old", rule={"field": "gone", "op": "=", "value": 1})
    know = reverse("segments:know", args=[broken.uuid])
    assert client_for(manager).get(know, headers={"HX-Request": "true"}).content.strip() == b""
    assert "There is no field" in client_for(manager).get(know).content.decode()
