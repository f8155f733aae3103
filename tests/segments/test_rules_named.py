"""Rules on behaviour: what is refused, how they read, what shoppers have of them; segments that name each other."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from campaigns.models import Campaign, Message
from mailai.errors import InputError, StateError
from segments import builder, rules, services, usage
from segments.models import (
    Cluster,
    Clustering,
    Prediction,
    PredictionRun,
    Profile,
    Segment,
    ShopperList,
    ShopperListMember,
)
from segments.rules.facts import facts
from tests.segments.conftest import NOW

BOUGHT_TWICE = {
    "did": "purchase", "times": {"op": ">=", "n": 2}, "within": {"days": 90}, "where": {"category": ["Mugs"]},
}  # fmt: skip
LOOKED = {
    "sequence": {"first": {"did": "view"}, "then": {"did": "purchase"}, "happened": False, "days": 3,
                 "same_product": True},
    "within": {"days": 30},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"did": "purchse"}, "Did you mean “purchase”"),
        ({"did": None}, "Use one of view"),
        ({"did": "view", "tims": {}}, "Did you mean “times”"),
        ({"dit": "view"}, "Did you mean “did”"),
        ({"did": "view", "times": {"op": ">", "n": 1}}, "Use one of >=, <=, ="),
        ({"did": "view", "times": {"op": ">="}}, "“times” needs “n”"),
        ({"did": "view", "times": {"op": ">=", "n": 0}}, "holds for everybody"),
        ({"did": "view", "times": {"op": "=", "n": 1.5}}, "whole number"),
        ({"did": "view", "times": 3}, "needs an object with op, n"),
        ({"did": "view", "within": {"day": 3}}, "Did you mean “days”"),
        ({"did": "view", "within": {}}, "this one is {}"),
        ({"did": "view", "within": {"from": "2026-01-01"}}, "this one is {from}"),
        ({"did": "view", "within": {"days": 0}}, "must lie between 1"),
        ({"did": "view", "within": {"since": "1 May"}}, "a day such as 2026-01-31"),
        ({"did": "view", "within": {"since": "0001-01-01"}}, "a day such as 2026-01-31"),
        ({"did": "view", "within": {"from": "2026-02-01", "to": "2026-01-01"}}, "must not be after"),
        ({"did": "view", "where": {"catgory": ["Mugs"]}}, "Did you mean “category”"),
        ({"did": "view", "where": {"category": "Mugs"}}, "a list of 1 to 50"),
        ({"did": "view", "where": {"product": ["a\x00"]}}, "text of 1 to 200"),
        ({"did": "view", "where": {"amount": {"op": "!=", "value": 1}}}, "Use one of >="),
        ({"did": "view", "where": {"amount": {"op": "between", "value": [2, 1]}}}, "lower value first"),
        ({"did": "view", "where": {"question": ["Why?"]}}, "“question” can only be asked of survey_answer"),
        ({"did": "survey_answer", "where": {"answer": "Good"}}, "a list of 1 to 50"),
        ({"mail": "open"}, "Did you mean “opened”"),
        ({"mail": "got", "campaign": "spring"}, "needs an id"),
        ({"sequence": {"first": {"did": "view"}}}, "needs “then”"),
        ({"sequence": LOOKED["sequence"] | {"happened": 1}}, "true or false"),
        ({"sequence": LOOKED["sequence"] | {"first": {"did": "view", "times": {}}}}, "does not belong"),
        ({"anniversary": "birthday"}, "Use one of sign_up, first_order"),
        ({"anniversary": "sign_up", "from_days": 9}, "must not be more"),
        ({"segment": 5}, "needs an id"),
        ({"list": "x" * 36}, "needs an id"),
        ({"survey": "taste"}, "one of all, any and not"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_name(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as refused:
        rules.validate(rule)
    assert says in str(refused.value)


def test_the_plain_form_leaves_out_what_goes_without_saying() -> None:
    assert rules.validate({"did": "view", "times": {"op": ">=", "n": 1}, "where": {}}) == {"did": "view"}
    assert rules.validate({"anniversary": "sign_up"}) == {"anniversary": "sign_up", "from_days": 0, "to_days": 7}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (BOUGHT_TWICE, "Shoppers who ordered something of Mugs at least 2 times in the last 90 days."),
        ({"not": BOUGHT_TWICE}, "Shoppers who did not order something of Mugs at least 2 times in the last 90 days."),
        ({"did": "cart", "times": {"op": "=", "n": 0}}, "Shoppers who did not put a product in the cart."),
        (
            {"any": [{"mail": "opened", "within": {"before_days": 9}}, {"field": "n_orders", "op": ">", "value": 1}]},
            "Shoppers who opened an email more than 9 days ago or whose number of orders is more than 1.",
        ),
        (
            LOOKED,
            "Shoppers who looked at a product in the last 30 days and then did not order (the same product) "
            "within 3 days.",
        ),
        (
            {"did": "survey_answer", "where": {"question": ["Why?"], "answer": ["Good", "Bad"]}},
            "Shoppers who answered a survey “Why?” with “Good”, “Bad”.",
        ),
        (
            {"anniversary": "first_order", "to_days": 0},
            "Shoppers whose first order has its anniversary 0 to 0 days from today.",
        ),
        (
            {"field": "days_to_next_order", "op": "between", "value": [1, 7]},
            "Shoppers whose next expected order is between 1 day and 7 days from today.",
        ),
        (
            {"field": "churn_chance", "op": ">=", "value": 0.555},
            "Shoppers whose chance to leave is at least 55.5%.",
        ),
    ],
)
def test_it_reads_as_a_sentence(db: None, rule: dict[str, Any], sentence: str) -> None:
    assert rules.describe(rules.validate(rule)) == sentence


def test_names_stand_in_the_sentence(db: None) -> None:
    named = Segment.objects.create(name="VIPs", rule={"all": []})
    members = ShopperList.objects.create(name="Fair", source="uploaded")
    spring = Campaign.objects.create(name="Spring")
    rule = {
        "all": [
            {"segment": str(named.uuid)}, {"not": {"list": str(members.uuid)}},
            {"mail": "clicked", "campaign": str(spring.uuid)},
        ]
    }  # fmt: skip
    assert rules.describe(rules.validate(rule)) == (
        "Shoppers who are in the segment “VIPs” and are not on the list “Fair” and clicked in the email “Spring”."
    )


def test_facts_say_why_a_shopper_fits(make_shopper: Any, make_product: Any, buy: Any, make_event: Any) -> None:
    mugs, buyer, looker = make_product(category="Mugs"), make_shopper(), make_shopper()
    for days, ref in ((3, "A"), (3, "A"), (9, "B")):
        buy(buyer, days, product=mugs, ref=ref)
    for shopper in (buyer, looker):
        make_event(shopper, "cart")
    make_event(looker, "email_open", at=NOW - timedelta(days=4))
    Profile.objects.create(shopper=looker, last_open_at=NOW - timedelta(days=4), last_cart_at=NOW)
    Profile.objects.create(shopper=buyer, last_cart_at=NOW)
    rule = rules.validate({"any": [BOUGHT_TWICE, {"did": "email_open"}, {"not": {"did": "cart"}}]})
    assert facts(rule, [buyer, looker], now=NOW, currency="GBP") == {
        buyer.pk: "2 orders of Mugs, last Fri 12 Jun",
        looker.pk: "last opened Thu 11 Jun",
    }


def test_facts_say_what_she_answered_not_what_is_asked(make_shopper: Any, make_event: Any) -> None:
    happy, torn = make_shopper(), make_shopper()
    make_event(happy, "survey_answer", question="Recommend us?", answer="9")
    for answer in ("9", "10"):
        make_event(torn, "survey_answer", question="Recommend us?", answer=answer)
    where = {"question": ["Recommend us?"], "answer": ["9", "10"]}
    said = facts(rules.validate({"did": "survey_answer", "where": where}), [happy, torn], now=NOW, currency="GBP")
    assert said[happy.pk].startswith("answered “9”, last ")
    assert said[torn.pk].startswith("Answered a survey 2 times: Recommend us?, 9, 10, last ")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"field": "cluster", "op": "=", "value": 3}, "Group of similar shoppers: Regulars"),
        ({"field": "days_since_last_order", "op": "unknown"}, "Last order: never"),
        ({"not": {"field": "country", "op": "=", "value": "France"}}, "Country: Spain"),
        ({"field": "days_to_next_order", "op": "known"}, "Next order expected: Wed 1 Jul"),
        ({"field": "bought_category", "op": "in", "value": ["Mugs"]}, "1 order of Mugs, last Fri 12 Jun"),
        ({"field": "bought_category", "op": "!=", "value": "Bags"}, "did not order something of Bags"),
        ({"did": "view", "times": {"op": "<=", "n": 2}}, "looked at a product at most 2 times"),
        ({"did": "refund", "times": {"op": "=", "n": 0}}, "did not return a product"),
        ({"not": {"did": "view", "within": {"days": 9}}}, "did not look at a product in the last 9 days"),
        ({"not": {"mail": "clicked"}}, "did not click in an email"),
        ({"mail": "ignored"}, "1 email left unopened, last Sun 14 Jun"),
        ({"anniversary": "sign_up", "from_days": 0, "to_days": 9}, "Sign-up on Mon 17 Jun 2024"),
        ({"segment": "SEGMENT"}, "in the segment “Spaniards”"),
        ({"list": "LIST"}, "on the list “Fair”"),
        ({"not": {"list": "OTHER"}}, "not on the list “Other”"),
        (LOOKED | {"within": {"days": 60}}, "looked at a product in the last 60 days and then did not order"),
        # Of what is asked at will, only what holds is a reason.
        ({"any": [{"field": "n_orders", "op": ">=", "value": 9}, {"list": "LIST"}]}, "on the list “Fair”"),
        ({"any": [{"not": {"did": "view", "within": {"days": 9}}}, {"list": "LIST"}]}, "on the list “Fair” · did"),
    ],
)
def test_every_kind_of_condition_gives_a_reason(
    rule: dict[str, Any], why: str, make_shopper: Any, make_product: Any, make_event: Any, buy: Any
) -> None:
    shopper = make_shopper(country="Spain", signed_up_at=datetime(2024, 6, 17, 12, tzinfo=UTC))
    Profile.objects.create(shopper=shopper, cluster=3, n_orders=1)
    run = PredictionRun.objects.create(as_of=NOW, state="done")
    figures = {one.name: 0 for one in Prediction._meta.fields if not one.null and not one.has_default()}
    figures |= {"shopper": shopper, "run": run, "next_order_on": date(2026, 7, 1)}
    Prediction.objects.create(**figures)
    buy(shopper, 3, product=make_product(category="Mugs"))
    make_event(shopper, "view", at=NOW - timedelta(days=40), product=make_product())
    spring = Campaign.objects.create(name="Spring")
    decision = {"arm": "A", "probability": 1, "draw": 0, "due_at": NOW, "sent_at": NOW - timedelta(days=1)}
    Message.objects.create(campaign=spring, shopper=shopper, state="sent", **decision)
    clustering = Clustering.objects.create(n_clusters=1, criterion="silhouette", n_shoppers=1)
    Cluster.objects.create(clustering=clustering, number=3, size=1, name="Regulars")
    fair, other = (ShopperList.objects.create(name=name, source="uploaded") for name in ("Fair", "Other"))
    ShopperListMember.objects.create(list=fair, shopper=shopper)
    spaniards = Segment.objects.create(name="Spaniards", rule={"field": "country", "op": "=", "value": "Spain"})
    named = json.dumps(rule)
    for word, row in (("SEGMENT", spaniards), ("LIST", fair), ("OTHER", other)):
        named = named.replace(f'"{word}"', f'"{row.uuid}"')
    checked = rules.check(json.loads(named))
    assert shopper in rules.matching(checked, NOW)
    assert facts(checked, [shopper], now=NOW, currency="GBP")[shopper.pk].startswith(why)


def test_mails_are_those_that_left_and_opens_those_of_people(make_shopper: Any) -> None:
    campaign = Campaign.objects.create(name="Spring")
    people = {}
    for state, opened in (("sent", NOW), ("sent", None), ("control", None)):
        one = people[state, opened] = make_shopper()
        decision = {"arm": "A", "probability": 1, "draw": 0, "due_at": NOW}
        sent = NOW if state == "sent" else None
        Message.objects.create(
            campaign=campaign,
            shopper=one,
            state=state,
            sent_at=sent,
            opened_at=opened,
            machine_opened_at=NOW,
            **decision,
        )
    found = lambda mail: set(rules.matching({"mail": mail}, NOW))  # noqa: E731
    assert found("got") == {people["sent", NOW], people["sent", None]}
    assert found("opened") == {people["sent", NOW]}
    assert found("ignored") == {people["sent", None]}


def test_a_list_and_a_segment_are_asked_when_it_matters(make_shopper: Any) -> None:
    listed, other = make_shopper(country="France"), make_shopper(country="Spain")
    members = ShopperList.objects.create(name="Fair", source="uploaded")
    ShopperListMember.objects.create(list=members, shopper=listed)
    named = Segment.objects.create(name="On the list", rule={"list": str(members.uuid)})
    assert list(rules.matching({"not": {"segment": str(named.uuid)}})) == [other]
    for gone in ({"segment": str(uuid4())}, {"list": str(uuid4())}):
        with pytest.raises(InputError, match="any more"):
            rules.matching(gone)


def test_a_circle_of_segments_is_refused_when_it_is_saved(marketer: Any) -> None:
    first, second = (
        services.save_segment(Segment(), name=name, rule={"all": []}, by=marketer) for name in ("First", "Second")
    )
    services.save_segment(second, name="Second", rule={"not": {"segment": str(first.uuid)}}, by=marketer)
    for rule in ({"segment": str(first.uuid)}, {"all": [{"segment": str(second.uuid)}]}):
        with pytest.raises(InputError, match="in a circle: First → "):
            services.save_segment(first, name="First", rule=rule, by=marketer)
    # Written past the door, it is still no endless loop.
    Segment.objects.filter(pk=first.pk).update(rule={"segment": str(second.uuid)})
    with pytest.raises(InputError, match="in a circle"):
        rules.matching({"segment": str(first.uuid)})


def test_what_uses_a_segment_is_said_and_keeps_it(client_for: Any, marketer: Any) -> None:
    used = Segment.objects.create(name="Used", rule={"all": []})
    fair = ShopperList.objects.create(name="Fair", source="uploaded")
    user = Segment.objects.create(
        name="User", rule={"any": [{"segment": str(used.uuid)}, {"not": {"list": str(fair.uuid)}}]}
    )
    Campaign.objects.create(name="Spring", segment=user)
    Campaign.objects.create(name="Old", segment=user, planned_at=NOW)
    assert usage.uses(used).sentence == "This also changes the segments “User”, the campaigns “Spring”."
    assert usage.uses(used).warning == "What you change here also changes the segments “User”, the campaigns “Spring”."
    assert usage.named_by(fair) == ["User"]
    with pytest.raises(StateError, match="used by the rule of “User”"):
        services.delete_segment(used, by=marketer)
    assert Segment.objects.filter(pk=used.pk).exists()
    sent = {"name": "Used", "kind-0": "all"}
    page = client_for(marketer).post(reverse("segments:edit", args=[used.uuid]), sent, follow=True)
    assert "This also changes the segments “User”" in page.content.decode()


@pytest.mark.parametrize("rule", [BOUGHT_TWICE, LOOKED, {"field": "n_orders", "op": "between", "value": [1, 3]}])
def test_the_builder_gives_back_what_it_was_given(db: None, rule: dict[str, Any]) -> None:
    whole = {"all": [{"field": "n_orders", "op": ">=", "value": 1}, {"not": {"any": [rule, rule]}}]}
    assert builder.to_rule(builder.from_rule(whole)) == whole
