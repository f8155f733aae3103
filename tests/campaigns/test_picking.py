"""Picks between the plan and the moment of sending."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from behaviour.models import Product
from campaigns import delivery, inbox, picking, planning, wishes
from campaigns.models import InboxMail, Message
from recommender.filters import Filters
from recommender.services import top_products


@pytest.fixture
def planned(shoppers, inbox, make_campaign, make_product):
    """A campaign of three picks, with more products than anybody needs."""
    for n in range(6, 12):
        make_product(sku=f"p{n}", name=f"Product {n}", price=Decimal("10.00") + n, url=f"https://shop.example/p{n}")
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    return campaign


def picks_of(shopper):
    return Message.objects.get(shopper=shopper).picks


def products_of(picks):
    return [pick["product"] for pick in picks]


def text_of(shopper):
    return inbox.part(inbox.parsed(InboxMail.objects.get(shopper=shopper)), "plain")


def test_the_plan_keeps_spare_picks_with_probability_and_price(planned, shoppers):
    message = Message.objects.get(shopper=shoppers[0])
    assert (len(message.picks), len(message.spare_picks)) == (3, picking.SPARE)
    prices = dict(Product.objects.values_list("pk", "price"))
    for pick in [*message.picks, *message.spare_picks]:
        assert pick["probability"] == 1.0
        assert pick["price"] == str(prices[pick["product"]])
        assert "changed" not in pick


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stock": 0}, "sold_out"), ({"active": False}, "inactive"), ({"image": ""}, "no_picture"),
        ({"image_state": "missing"}, "no_picture"), (None, "deleted"),
    ],
)  # fmt: skip
def test_what_can_not_be_shown_any_more_gives_way_to_the_next_pick(planned, shoppers, change, why):
    before = Message.objects.get(shopper=shoppers[0])
    gone = Product.objects.get(pk=before.picks[1]["product"])
    if change is None:
        gone.delete()
    else:
        Product.objects.filter(pk=gone.pk).update(**change)
    delivery.send_due(planned.pk)
    after = Message.objects.get(shopper=shoppers[0])
    planned_for_her = products_of(before.picks)
    next_one = before.spare_picks[0]["product"]
    assert products_of(after.picks) == [planned_for_her[0], planned_for_her[2], next_one]
    assert after.picks[2]["changed"] == {"instead_of": before.picks[1]["product"], "why": why}
    assert all("changed" not in pick for pick in after.picks[:2])
    assert after.spare_picks == []
    assert Product.objects.get(pk=next_one).name in text_of(shoppers[0])
    assert f"{gone.name}\n" not in text_of(shoppers[0])


def test_another_price_is_shown_and_logged(planned, shoppers):
    before = picks_of(shoppers[0])
    Product.objects.filter(pk=before[0]["product"]).update(price=Decimal("77.50"))
    delivery.send_due(planned.pk)
    after = picks_of(shoppers[0])
    assert products_of(after) == products_of(before)
    assert (after[0]["price"], after[0]["changed"]) == ("77.50", {"price_was": before[0]["price"]})
    assert "77.50" in text_of(shoppers[0])
    assert before[0]["price"] not in text_of(shoppers[0])


def test_a_price_beyond_the_wishes_of_the_campaign_gives_way_too(shoppers, inbox, make_campaign, products):
    campaign = make_campaign(inbox, filters={"highest_price": "15"})
    planning.plan_campaign(campaign.pk)
    before = picks_of(shoppers[0])
    Product.objects.filter(pk=before[0]["product"]).update(price=Decimal("16.00"))
    delivery.send_due(campaign.pk)
    after = picks_of(shoppers[0])
    assert before[0]["product"] not in products_of(after)
    assert after[-1]["changed"] == {"instead_of": before[0]["product"], "why": "unwanted"}


def test_what_she_bought_since_the_plan_is_not_offered(planned, shoppers, make_event):
    before = picks_of(shoppers[0])
    make_event(shoppers[0], product=Product.objects.get(pk=before[0]["product"]))
    delivery.send_due(planned.pk)
    after = picks_of(shoppers[0])
    assert before[0]["product"] not in products_of(after)
    assert after[-1]["changed"]["why"] == "bought"


def test_fresh_picks_follow_when_the_spare_ones_are_gone_too(planned, shoppers):
    before = Message.objects.get(shopper=shoppers[0])
    gone = products_of([before.picks[0], *before.spare_picks])
    Product.objects.filter(pk__in=gone).update(stock=0)
    delivery.send_due(planned.pk)
    after = picks_of(shoppers[0])
    assert len(set(products_of(after))) == 3
    assert not set(products_of(after)) & set(gone)
    assert after[-1]["changed"] == {"instead_of": gone[0], "why": "sold_out"}


def test_nothing_changed_is_nothing_said(planned, shoppers):
    before = picks_of(shoppers[0])
    delivery.send_due(planned.pk)
    assert picks_of(shoppers[0]) == before


def test_the_last_mails_say_what_was_shown(planned, shoppers):
    one, other = shoppers[0].pk, shoppers[1].pk
    at = timezone.now() + timedelta(minutes=1)
    assert picking.shown_products([one], 1, at).shape == (0, 2)
    delivery.send_due(planned.pk)
    shown = picking.shown_products([one, other], 1, at)
    assert sorted(map(tuple, shown.tolist())) == sorted(
        (shopper.pk, product) for shopper in shoppers[:2] for product in products_of(picks_of(shopper))
    )
    assert len(picking.shown_products([one], 1, at - timedelta(hours=1))) == 0
    picks = top_products([one], 3, filters=Filters(rest_mails=1))[one]
    assert not {pick.product_id for pick in picks} & set(products_of(picks_of(shoppers[0])))


def test_only_so_many_of_the_newest_mails_count(planned, shoppers, inbox, make_campaign):
    delivery.send_due(planned.pk)
    first = set(products_of(picks_of(shoppers[0])))
    second = make_campaign(inbox, filters={"rest_mails": 1})
    planning.plan_campaign(second.pk)
    delivery.send_due(second.pk)
    newest = Message.objects.get(shopper=shoppers[0], campaign=second)
    assert not first & set(products_of(newest.picks))
    at = timezone.now() + timedelta(minutes=1)
    for n_mails, shown in ((1, set(products_of(newest.picks))), (2, first | set(products_of(newest.picks)))):
        assert {
            product for _shopper, product in picking.shown_products([shoppers[0].pk], n_mails, at).tolist()
        } == shown


def test_draws_of_a_campaign_are_its_own_and_their_probabilities_logged(shoppers, inbox, make_campaign, settings):
    settings.MAILAI_EXPLORATION = 50
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    campaign.refresh_from_db()
    filters = wishes.filters_of(campaign, draw=True)
    assert (filters.exploration, filters.decision) == (0.5, campaign.seed)
    for message in Message.objects.all():
        again = top_products([message.shopper_id], 3 + picking.SPARE, filters=filters)[message.shopper_id]
        assert [(one["product"], one["probability"]) for one in message.picks] == [
            (pick.product_id, pytest.approx(pick.probability)) for pick in again[:3]
        ]
        # Five products are left to each: the best one half and a fifth of the other half, the others a fifth of it.
        assert message.picks[0]["probability"] in (pytest.approx(0.6), pytest.approx(0.1))
    assert wishes.filters_of(campaign).exploration == 0.0
