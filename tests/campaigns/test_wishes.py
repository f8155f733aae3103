"""What a campaign wishes of its picks: the fold-out of the composer, the specification, the check before sending."""

from decimal import Decimal

import pytest
from django.urls import reverse

from behaviour.models import Product
from campaigns import checks, content, planning, rendering, wishes
from campaigns.models import Message
from campaigns.spec import create_campaign
from mailai.accounts.models import AuditEntry
from mailai.errors import InputError

MJML = content.STARTERS[0].mjml


@pytest.fixture
def shelves(ready):
    """Products 0 to 5 at 10 to 15: three mugs, two bags, one without a category; and ten more bags."""
    for n, category in enumerate(["Kitchen > Mugs"] * 3 + ["Bags"] * 2):
        Product.objects.filter(sku=f"p{n}").update(category=category)
    return ready


def save(desk, campaign, **given):
    data = {"mjml": MJML, "save": "1", "picks": "1"} | {f"picks-{name}": value for name, value in given.items()}
    answer = desk.post(reverse("campaigns:content", args=[campaign.uuid]), data)
    campaign.refresh_from_db()
    return answer


def page(desk, campaign):
    return desk.get(reverse("campaigns:content", args=[campaign.uuid]))


def test_what_is_chosen_is_kept_shown_again_and_followed_by_the_preview(desk, shelves, shoppers):
    answer = save(
        desk, shelves, repeats="on", categories=["Kitchen"], not_categories=["Bags"], lowest_price="11",
        highest_price="12.50", per_category="2", rest_mails="3", exploration="0.1",
    )  # fmt: skip
    assert answer.status_code == 302
    assert shelves.filters == {
        "repeats": True, "categories": ["Kitchen"], "not_categories": ["Bags"], "lowest_price": "11",
        "highest_price": "12.50", "per_category": 2, "rest_mails": 3, "exploration": 0.1,
    }  # fmt: skip
    seen = page(desk, shelves)
    asked = ("repeats", "categories", "lowest_price", "per_category", "exploration")
    assert [seen.context["picks"][name].value() for name in asked] == [True, ["Kitchen"], "11", 2, 0.1]
    # Of the mugs at 10, 11 and 12 two are dear enough; at most two of them fit into one mail of three.
    assert seen.context["fitting"] == wishes.Fitting(2, 2)
    assert "only 2 fit" in seen.content.decode()
    shown = rendering.preview(shelves, shelves.variants.get(), shoppers[7]).text
    assert ["Product 1" in shown, "Product 2" in shown, "Product 0" in shown, "Product 3" in shown] == [1, 1, 0, 0]
    assert AuditEntry.objects.filter(action="campaign.content").latest("pk").detail["picks"] == shelves.filters


def test_nothing_chosen_is_nothing_wished_and_zero_tried_out_is_a_wish(desk, shelves, settings):
    settings.MAILAI_EXPLORATION = 20
    save(desk, shelves, lowest_price="", per_category="0", exploration="")
    assert shelves.filters == {}
    assert wishes.filters_of(shelves, draw=True).exploration == 0.2
    save(desk, shelves, exploration="0.0")
    assert shelves.filters == {"exploration": 0.0}
    assert wishes.filters_of(shelves, draw=True).exploration == 0.0
    assert "0% tried out" in page(desk, shelves).content.decode()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"lowest_price": "20", "highest_price": "10"}, "highest_price"), ({"lowest_price": "-1"}, "lowest_price"),
        ({"lowest_price": "cheap"}, "lowest_price"), ({"per_category": "1001"}, "per_category"),
        ({"rest_mails": "1.5"}, "rest_mails"), ({"categories": "Nowhere"}, "categories"),
        ({"exploration": "0.77"}, "exploration"), ({"exploration": "nan"}, "exploration"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_at_the_field_and_nothing_is_stored(desk, shelves, given, field):
    answer = save(desk, shelves, **given)
    assert answer.status_code == 422
    assert list(answer.context["picks"].errors) == [field]
    assert shelves.filters == {}
    assert '<details class="mx-fold mt-3" open>' in answer.content.decode()


def test_a_ready_made_email_leaves_the_wishes_alone(desk, shelves):
    save(desk, shelves, per_category="1")
    desk.post(reverse("campaigns:content", args=[shelves.uuid]), {"starter": content.STARTERS[1].key})
    shelves.refresh_from_db()
    assert shelves.filters == {"per_category": 1}


def test_a_category_that_the_catalogue_lost_is_still_there_to_be_taken_back(desk, shelves):
    save(desk, shelves, categories=["Bags"])
    Product.objects.filter(category="Bags").update(category="Sacks")
    assert ("Bags", "Bags") in page(desk, shelves).context["picks"].fields["categories"].choices
    save(desk, shelves, categories=["Bags"])
    assert shelves.filters == {"categories": ["Bags"]}


def test_too_few_products_that_fit_block_the_sending_and_say_where_to_mend_it(desk, shelves):
    save(desk, shelves, categories=["Bags"])
    rows = checks.review(shelves, planning.audience_fall(shelves))
    assert [row["text"] for row in rows if row["state"] == "bad"] == ["Too few products fit what the picks may be"]
    save(desk, shelves, categories=["Bags", "Kitchen"], per_category="2")
    assert not any(row["state"] == "bad" for row in checks.review(shelves, planning.audience_fall(shelves)))
    review = desk.get(reverse("campaigns:review", args=[shelves.uuid])).content.decode()
    assert "only Bags, Kitchen · at most 2 of a category" in review


def test_a_share_of_a_specification_is_drawn_and_every_chance_logged(shelves, shoppers, settings, make_product):
    settings.MAILAI_EXPLORATION = 0
    for n in range(12):
        make_product(sku=f"more{n}", name=f"More {n}", price=Decimal(9), url=f"https://shop.example/more{n}")
    spec = {"name": "Tried", "rule": {"all": []}, "variants": [{"subject": "Look", "template": "picked_for_you"}]}
    made = create_campaign(spec | {"picks": {"exploration": 1}})
    campaign = type(shelves).objects.get(pk=made.pk)
    assert campaign.filters == {"exploration": 1.0}
    planning.plan_campaign(campaign.pk)
    chances = [pick["probability"] for m in Message.objects.filter(campaign=campaign) for pick in m.picks]
    assert chances
    assert max(chances) < 0.2
    for wrong in (1.5, -0.1, True, "all"):
        with pytest.raises(InputError):
            create_campaign(spec | {"picks": {"exploration": wrong}})


def test_a_copy_wishes_the_same_of_the_same_audience(desk, shelves):
    shelves.filters, shelves.rule = {"per_category": 1}, {"field": "n_orders", "op": ">=", "value": 1}
    shelves.save()
    desk.post(reverse("campaigns:duplicate", args=[shelves.uuid]))
    copy = type(shelves).objects.latest("pk")
    assert (copy.filters, copy.rule) == (shelves.filters, shelves.rule)
