"""Behaviour, mails, sequences, anniversaries, segments and lists: compiled to what a plain reading would find."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from behaviour.models import Event, Product, Shop, Shopper
from campaigns.models import Campaign, Message
from mailai.errors import InputError
from segments import rules
from segments.models import Profile, Segment, ShopperList, ShopperListMember
from tests.segments.obvious import fits

CATEGORIES = ["Mugs", "Mugs > Tall", "Lamps"]
KINDS = ["view", "purchase", "cart", "email_open", "refund", "survey_answer"]
QUESTIONS, ANSWERS = ["How was it?", "Why?"], ["Good", "Bad"]
COUNTRIES = ["France", "Spain", ""]
# Days on which clocks change, at midnight in Cairo and Havana; leap days and the days beside them.
MOMENTS = [
    ("Europe/London", datetime(2026, 3, 29, 12, 30, tzinfo=UTC)),
    ("Europe/London", datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),
    ("America/Havana", datetime(2025, 11, 2, 5, 0, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2025, 4, 25, 0, 30, tzinfo=UTC)),
    ("America/New_York", datetime(2024, 2, 29, 3, 0, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(2025, 2, 28, 15, 59, tzinfo=UTC)),
    ("Europe/London", datetime(2028, 2, 28, 23, 59, tzinfo=UTC)),
    ("Pacific/Auckland", datetime(2026, 1, 1, 10, 0, tzinfo=UTC)),
]
CAMPAIGNS = [UUID(int=1), UUID(int=2)]
SEGMENTS = [UUID(int=11), UUID(int=12)]
LIST = UUID(int=21)
# Shifts from a midnight, or from full days back: the edges of windows.
edges = st.sampled_from([0, -1, 1, 3600, -3600, 40_000])
back = st.integers(-1, 4)


@st.composite
def moments(draw: Any, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment at, or a second beside, an edge of some window."""
    if draw(st.booleans()):
        found = now - timedelta(days=draw(back))
    else:
        day = now.astimezone(zone).date() - timedelta(days=draw(back))
        found = datetime.combine(day, time(), zone).astimezone(UTC)
    return found + timedelta(seconds=draw(edges))


@st.composite
def anniversary_moments(draw: Any, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment some years ago about the same day, leap days among them."""
    today = now.astimezone(zone).date()
    year = today.year - draw(st.integers(0, 6))
    day = draw(st.sampled_from([date(2024, 2, 29), date(2024, 2, 28), date(2024, 3, 1), today]))
    try:
        day = day.replace(year=year)
    except ValueError:
        day = date(year, 2, 28)
    day += timedelta(days=draw(st.integers(-3, 3)))
    return datetime.combine(day, time(), zone).astimezone(UTC) + timedelta(seconds=draw(edges))


@st.composite
def shops(draw: Any) -> dict[str, Any]:
    zone_name, now = draw(st.sampled_from(MOMENTS))
    zone = ZoneInfo(zone_name)
    event = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(KINDS), "product": st.none() | st.integers(0, 2), "at": moments(zone, now),
            "amount": st.none() | st.sampled_from([Decimal("1.00"), Decimal("2.50"), Decimal(9)]),
            "order_ref": st.sampled_from(["", "", "A", "B"]), "question": st.none() | st.sampled_from(QUESTIONS),
            "answer": st.none() | st.sampled_from(ANSWERS),
        }
    )  # fmt: skip
    message = st.fixed_dictionaries(
        {
            "sent_at": moments(zone, now), "opened_at": st.none() | moments(zone, now),
            "clicked_at": st.none() | moments(zone, now), "state": st.sampled_from(["sent", "sent", "control"]),
        }
    )  # fmt: skip
    person = st.fixed_dictionaries(
        {
            "country": st.sampled_from(COUNTRIES), "signed_up_at": st.none() | anniversary_moments(zone, now),
            "events": st.lists(event, max_size=7), "listed": st.booleans(),
            "messages": st.lists(st.none() | message, min_size=2, max_size=2),
        }
    )  # fmt: skip
    return {"zone": zone_name, "now": now, "people": draw(st.lists(person, min_size=1, max_size=4))}


times = st.fixed_dictionaries({"op": st.sampled_from([">=", "<=", "="]), "n": st.integers(0, 3)})
where = st.fixed_dictionaries(
    {},
    optional={
        "category": st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2),
        "product": st.lists(st.sampled_from(["sku0", "sku1", "none"]), min_size=1, max_size=2),
        "amount": st.sampled_from(
            [{"op": ">=", "value": 2.5}, {"op": "<", "value": 2.5}, {"op": "between", "value": [1, 2.5]}]
        ),
        "country": st.lists(st.sampled_from(COUNTRIES[:2]), min_size=1, max_size=2),
    },
)
answered = st.fixed_dictionaries(
    {},
    optional={
        "question": st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=2),
        "answer": st.lists(st.sampled_from([*ANSWERS, "none"]), min_size=1, max_size=2),
    },
)


@st.composite
def rule_trees(draw: Any, shop: dict[str, Any], *, references: bool = True) -> dict[str, Any]:
    today = shop["now"].astimezone(ZoneInfo(shop["zone"])).date()
    days = st.integers(-1, 4).map(lambda n: (today - timedelta(days=n)).isoformat())
    window = st.one_of(
        st.fixed_dictionaries({"days": st.integers(1, 4)}),
        st.fixed_dictionaries({"before_days": st.integers(1, 4)}),
        st.fixed_dictionaries({"since": days}),
        st.fixed_dictionaries({"from": days, "to": days}),
    )
    action = st.fixed_dictionaries({"did": st.sampled_from(KINDS)}, optional={"where": where})
    optional = {"times": times, "within": window}
    ahead = st.tuples(st.integers(-5, 5), st.integers(0, 6)).map(lambda two: (two[0], two[0] + two[1]))
    leaf = st.one_of(
        st.fixed_dictionaries({"did": st.sampled_from(KINDS)}, optional={"where": where, **optional}),
        st.fixed_dictionaries({"did": st.sampled_from(KINDS)}, optional=optional),
        st.fixed_dictionaries({"did": st.just("survey_answer"), "where": answered}, optional=optional),
        st.fixed_dictionaries(
            {"mail": st.sampled_from(["got", "opened", "clicked", "ignored"])},
            optional={"campaign": st.sampled_from([str(one) for one in CAMPAIGNS]), **optional},
        ),
        st.fixed_dictionaries(
            {
                "sequence": st.fixed_dictionaries(
                    {"first": action, "then": action, "happened": st.booleans(), "days": st.integers(1, 3)},
                    optional={"same_product": st.booleans()},
                )
            },
            optional={"within": window},
        ),
        st.tuples(st.sampled_from(["sign_up", "first_order"]), ahead).map(
            lambda two: {"anniversary": two[0], "from_days": two[1][0], "to_days": two[1][1]}
        ),
        st.just({"list": str(LIST)}),
        st.just({"field": "country", "op": "=", "value": "France"}),
        *([st.sampled_from([{"segment": str(one)} for one in SEGMENTS])] if references else []),
    )
    tree = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=5,
    )
    return draw(tree.filter(can_be_used))


def can_be_used(rule: dict[str, Any]) -> bool:
    try:
        rules.validate(rule)
    except InputError:
        return False
    return True


@st.composite
def cases(draw: Any) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    shop = draw(shops())
    named = [draw(rule_trees(shop, references=False)) for _one in SEGMENTS]
    return shop, named, [draw(rule_trees(shop)) for _turn in range(draw(st.integers(1, 5)))]


@contextmanager
def built(shop: dict[str, Any], named: list[dict[str, Any]]) -> Iterator[None]:
    """Write the shop into the database, profiles made the obvious way too."""
    Shop.objects.update_or_create(pk=1, defaults={"timezone": shop["zone"]})
    products = [Product.objects.create(sku=f"sku{n}", category=name) for n, name in enumerate(CATEGORIES)]
    campaigns = [Campaign.objects.create(uuid=one, name="Spring") for one in CAMPAIGNS]
    members = ShopperList.objects.create(uuid=LIST, name="VIPs", source="uploaded")
    for uuid, rule in zip(SEGMENTS, named, strict=True):
        Segment.objects.create(uuid=uuid, name=str(uuid), rule=rule)
    for number, person in enumerate(shop["people"]):
        shopper = Shopper.objects.create(
            external_id=str(number), country=person["country"], signed_up_at=person["signed_up_at"]
        )
        if person["listed"]:
            ShopperListMember.objects.create(list=members, shopper=shopper)
        for columns in person["events"]:
            product = None if columns["product"] is None else products[columns["product"]]
            Event.objects.create(shopper=shopper, dedupe_key=uuid4(), **columns | {"product": product})
        for campaign, columns in zip(campaigns, person["messages"], strict=True):
            if columns is not None:
                decision = {"arm": "A", "probability": 1, "draw": 0, "due_at": columns["sent_at"]}
                Message.objects.create(campaign=campaign, shopper=shopper, **decision, **columns)
        Profile.objects.create(shopper=shopper, **profile(person["events"], ZoneInfo(shop["zone"])))
    yield


def profile(events: list[dict[str, Any]], zone: ZoneInfo) -> dict[str, Any]:
    at = defaultdict(list)
    for one in events:
        at[one["kind"]].append(one["at"])
    orders = {one["order_ref"] or one["at"].astimezone(zone).date() for one in events if one["kind"] == "purchase"}
    last = {kind: max(found) for kind, found in at.items()}
    return {
        "n_orders": len(orders), "first_order_at": min(at["purchase"], default=None),
        "last_order_at": last.get("purchase"), "last_view_at": last.get("view"), "last_cart_at": last.get("cart"),
        "last_open_at": last.get("email_open"), "last_click_at": last.get("email_click"),
    }  # fmt: skip


class CompiledEqualsObvious(TestCase):
    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases())
    def test_on_random_rules_and_shops(self, case: Any) -> None:
        shop, named, trees = case
        now, zone = shop["now"], ZoneInfo(shop["zone"])
        with built(shop, named):
            everybody = list(Shopper.objects.select_related("profile").order_by("pk"))
            for rule in trees:
                expected = [one.pk for one in everybody if fits(rule, one, now, zone)]
                assert list(rules.matching(rule, now).order_by("pk").values_list("pk", flat=True)) == expected, rule
                assert rules.validate(rules.validate(rule)) == rules.validate(rule)
                assert rules.describe(rules.validate(rule)).endswith(".")


@pytest.mark.django_db
@pytest.mark.sqlite
def test_what_follows_is_looked_up_among_the_events_of_one_shopper() -> None:
    asked = {"first": {"did": "view"}, "then": {"did": "purchase"}, "happened": False, "days": 3, "same_product": True}
    plan = rules.matching(
        rules.validate({"sequence": asked, "within": {"days": 30}}), datetime(2026, 6, 15, tzinfo=UTC)
    ).explain()
    assert "SEARCH V0 USING INDEX event_shopper" in plan
