"""Rules: refused with a useful sentence, described in words, and compiled to what a plain reading would find."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from behaviour.models import ConsentState, Event, Product, Shopper
from mailai.errors import InputError
from segments import queries, rules
from segments.fields import BOUGHT, CHOICE, FIELDS, MONEY, OPERATORS, TEXT, Field
from segments.models import Prediction, PredictionRun, Profile, Segment
from tests.segments.conftest import NOW
from tests.segments.obvious import fits

ZONE = ZoneInfo("Europe/London")
DOCS = Path(__file__).parents[2] / "docs"


def leaf(field: str = "n_orders", op: str = ">=", value: Any = 1) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (leaf("n_order"), "Did you mean “n_orders”"),
        (leaf("xyzzy"), "Use one of n_orders"),
        (leaf(["n_orders"]), "There is no field"),
        (leaf(op="~"), "can't be compared with “~”"),
        (leaf(op=[]), "can't be compared"),
        (leaf(value="2"), "needs a number"),
        (leaf(value=True), "needs a number"),
        (leaf(value=1.5), "whole number"),
        (leaf(value=float("nan")), "must lie between"),
        (leaf(value=float("inf")), "must lie between"),
        (leaf(value=10**400), "must lie between"),
        (leaf("days_since_last_order", value=-1), "must lie between 0"),
        (leaf("stage", "=", "gone"), "Use one of lead, new"),
        (leaf("stage", "=", "loyl"), "Did you mean “loyal”"),
        (leaf("order_chance", value=50), "must lie between 0 and 1"),
        (leaf(op="between", value=3), "needs two values"),
        (leaf(op="between", value=[3, 2]), "lower value first"),
        (leaf("stage", "in", []), "a list of 1 to 50"),
        (leaf("stage", "in", "loyal"), "a list of 1 to 50"),
        (leaf("country", "=", ""), "needs a value"),
        (leaf("country", "=", "x" * 201), "text of 1 to 200"),
        (leaf("country", "=", "a\x00"), "text of 1 to 200"),
        (leaf("country", "=", "a\ud800"), "text of 1 to 200"),
        ({"field": "country", "op": "known", "value": "x"}, "must not have: value"),
        ({"field": "n_orders", "op": "=", "value": 1, "sql": "x"}, "must not have: sql"),
        ({"field": "n_orders", "op": "="}, "needs a value"),
        ({"and": []}, "one of all, any and not"),
        ({}, "one of all, any and not"),
        ({"all": [], "any": []}, "one of all, any and not"),
        ({"all": {}}, "needs a list"),
        ({"any": []}, "at least one condition"),
        ([], "A rule is an object"),
        (None, "A rule is an object"),
        ({"not": None}, "A rule is an object"),
        ({"all": [leaf()] * 50}, "more than 50 parts"),
        ({"not": {"not": {"not": {"not": {"not": {"not": leaf()}}}}}}, "more than 5 deep"),
    ],
)
def test_a_wrong_rule_says_what_to_mend(rule: Any, says: str) -> None:
    with pytest.raises(InputError) as refused:
        rules.validate(rule)
    assert says in str(refused.value)


def test_the_schema_in_docs_is_the_one_of_the_code() -> None:
    written = json.loads((DOCS / "segment-rule.schema.json").read_text())
    assert written == json.loads(json.dumps(rules.schema())), "write json.dumps(segments.rules.schema(), indent=2)"


def test_every_field_and_comparison_is_documented() -> None:
    page = (DOCS / "segments.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in page] == []
    assert [op for ops in OPERATORS.values() for op in ops if op not in page] == []


def test_a_rule_reads_as_a_sentence() -> None:
    rule = {
        "all": [
            leaf(value=2),
            leaf("days_since_last_order", ">", 60),
            {"any": [leaf("country", "in", ["France", "Spain"]), leaf("stage", "=", "loyal")]},
            {"not": leaf("bought_category", "=", "Mugs")},
        ]
    }
    assert rules.describe(rules.validate(rule)) == (
        "Shoppers whose number of orders is at least 2 and last order was more than 60 days ago and "
        "(country is one of France, Spain or stage is Loyal) and not (shopping includes Mugs)."
    )
    assert rules.describe({"all": []}) == "All shoppers."


def test_every_field_and_comparison_can_be_described_and_compiled(db: None) -> None:
    with translation.override("en"):
        for field in FIELDS.values():
            for op in OPERATORS[field.kind]:
                rule = {"field": field.name, "op": op} | (
                    {} if op in ("known", "unknown") else {"value": a_value(field, op)}
                )
                assert rules.describe(rules.validate(rule)).startswith("Shoppers whose ")
                assert rules.matching(rule).count() == 0


def a_value(field: Field, op: str) -> Any:
    one = field.choices[0][0] if field.choices else "x" if field.kind in (TEXT, BOUGHT) else 1
    return [one, one] if op == "between" else [one] if op in ("in", "not_in") else one


def test_days_are_full_days(make_shopper: Any) -> None:
    shopper = make_shopper(signed_up_at=NOW - timedelta(days=3, hours=23))
    found = {
        op: [n for n in range(6) if rules.matching(leaf("days_since_sign_up", op, n), NOW).exists()]
        for op in ("=", "!=", ">=", ">", "<=", "<")
    }
    assert shopper.pk
    assert found == {"=": [3], "!=": [0, 1, 2, 4, 5], ">=": [0, 1, 2, 3], ">": [0, 1, 2], "<=": [3, 4, 5], "<": [4, 5]}


def test_a_category_holds_what_is_below_it(make_shopper: Any, make_product: Any, buy: Any) -> None:
    buyer = make_shopper()
    buy(buyer, 3, product=make_product(category="Kitchen > Mugs"))
    assert list(rules.matching(leaf("bought_category", "=", "Kitchen"))) == [buyer]
    assert not rules.matching(leaf("bought_category", "=", "kitchen")).exists()
    assert not rules.matching(leaf("bought_category", "=", "Kitchen > Mu")).exists()
    assert not rules.matching(leaf("bought_category", "!=", "Kitchen")).exists()


def test_reach_counts_each_shopper_once_and_says_why_not(make_shopper: Any) -> None:
    make_shopper("a@shop.example")
    make_shopper("b@shop.example", marketing="withdrawn")
    make_shopper()
    reach = queries.reach({"all": []})
    assert (reach.count, reach.mailable, reach.excluded) == (3, 1, {"no_consent": 1, "no_address": 1})


def test_sizes_of_many_kinds_of_rules_come_from_one_query(
    make_shopper: Any, make_product: Any, buy: Any, django_assert_num_queries: Any
) -> None:
    buyer = make_shopper("a@shop.example", country="France")
    make_shopper(country="France")
    buy(buyer, 3, product=make_product(category="Mugs"))
    trees = [
        {"all": []},
        leaf("country", "=", "France"),
        leaf("bought_category", "=", "Mugs"),
        {"not": leaf("bought_category", "in", ["Mugs", "Lamps"])},
        {"any": [leaf("bought_category", "=", "Mugs"), leaf("n_orders", ">", 3)]},
        {"not": {"all": []}},
    ]
    segments = [Segment.objects.create(name=str(number), rule=rule) for number, rule in enumerate(trees)]
    with django_assert_num_queries(1):
        sizes = queries.sizes(segments)
    assert [(sizes[one.pk].count, sizes[one.pk].mailable) for one in segments] == [
        (2, 1), (2, 1), (1, 1), (1, 0), (1, 1), (0, 0)
    ]  # fmt: skip
    parts = {str(number): rule for number, rule in enumerate(trees)}
    assert list(queries.counts_alone(parts).values()) == [2, 2, 1, 1, 1, 0]


# ---------- the slow, obvious way: tests.segments.obvious


TEXTS = ["", "Mugs", "mugs", "Mugs > Tall", "Mugs >", "Mugs >!", "Mugs > %", "M_gs", "Größe"]
moments = st.none() | st.builds(
    lambda days, seconds: NOW - timedelta(days=days, seconds=seconds),
    st.integers(-2, 5),
    st.sampled_from([0, 1, -1, 500]),
)
counts = st.integers(0, 4)
scores = st.none() | st.integers(1, 5)
money = st.decimals(-5, 5, places=2)
chances = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
shoppers = st.fixed_dictionaries(
    {
        "country": st.sampled_from(TEXTS),
        "locale": st.sampled_from([text[:10] for text in TEXTS]),
        "marketing": st.sampled_from(ConsentState.values),
        "signed_up_at": moments,
    }
)
profile_rows = st.none() | st.fixed_dictionaries(
    {
        "n_orders": counts, "n_orders_90d": counts, "n_orders_365d": counts, "n_products": counts,
        "monetary": money, "monetary_365d": money, "average_basket": st.none() | money,
        "order_gap_days": st.none() | st.sampled_from([0.5, 1.0, 2.5]),
        "recency_score": scores, "frequency_score": scores, "monetary_score": scores,
        "stage": st.sampled_from(Profile.Stage.values), "favourite_category": st.sampled_from(TEXTS),
        "n_opens_90d": counts, "n_clicks_90d": counts, "first_order_at": moments, "last_order_at": moments,
        "last_event_at": moments, "last_open_at": moments, "last_click_at": moments, "last_view_at": moments,
        "cluster": scores, "best_weekday": st.none() | st.integers(0, 6), "best_hour": scores, "price_band": scores,
        "discount_share": chances, "fatigue": chances, "engagement": scores, "favourite_brand": st.sampled_from(TEXTS),
    }
)  # fmt: skip
prediction_rows = st.none() | st.fixed_dictionaries(
    {
        "order_chance": chances.filter(lambda one: one is not None), "spend_365d": st.sampled_from([0.0, 2.5]),
        "value_percentile": counts, "next_category": st.sampled_from(TEXTS),
        "next_order_on": st.none() | st.integers(-2, 6).map(lambda days: (NOW + timedelta(days=days)).date()),
    }
)  # fmt: skip
OTHERS = {
    field.name: 0
    for field in Prediction._meta.get_fields()
    if field.name.startswith(("orders_", "spend_", "order_", "churn_", "value_")) and not getattr(field, "null", True)
}
bought = st.lists(st.sampled_from([text for text in TEXTS if text]), max_size=2)


@st.composite
def conditions(draw: Any) -> dict[str, Any]:
    field = FIELDS[draw(st.sampled_from(sorted(FIELDS)))]
    op = draw(st.sampled_from(OPERATORS[field.kind]))
    if op in ("known", "unknown"):
        return {"field": field.name, "op": op}
    one = {
        CHOICE: st.sampled_from([key for key, _label in field.choices] or ["-"]),
        TEXT: st.sampled_from(TEXTS[1:]),
        BOUGHT: st.sampled_from(TEXTS[1:]),
        MONEY: st.integers(-5, 5) | st.sampled_from([0.01, -0.5, 2.25]),
        "decimal": st.sampled_from([0, 0.5, 1, 2.5]),
        "share": st.sampled_from([0, 0.25, 0.5, 1]),
        "ahead": st.integers(-2, 6),
    }.get(field.kind, st.integers(int(max(field.low, 0)), 5))
    if op == "between":
        return {"field": field.name, "op": op, "value": sorted(draw(st.tuples(one, one)))}
    several = st.lists(one, min_size=1, max_size=3)
    return {"field": field.name, "op": op, "value": draw(several if op in ("in", "not_in") else one)}


rule_trees = st.recursive(
    conditions() | st.just({"all": []}),
    lambda inner: (
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3))
        | st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=8,
)


def can_be_used(rule: dict[str, Any]) -> bool:
    try:
        rules.validate(rule)
    except InputError:
        return False
    return True


class CompiledEqualsObvious(TestCase):
    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.tuples(shoppers, profile_rows, bought, prediction_rows), min_size=1, max_size=6),
        st.lists(rule_trees.filter(can_be_used), min_size=1, max_size=6),
    )
    def test_on_random_rules_and_shops(self, people: list[Any], trees: list[Any]) -> None:
        products = {name: Product.objects.create(sku=name, category=name) for name in TEXTS[1:]}
        run = PredictionRun.objects.create(as_of=NOW)
        for number, (columns, profile, categories, prediction) in enumerate(people):
            shopper = Shopper.objects.create(external_id=str(number), **columns)
            if profile is not None:
                Profile.objects.create(shopper=shopper, **profile)
            if prediction is not None:
                Prediction.objects.create(shopper=shopper, run=run, **OTHERS | prediction)
            for name in categories:
                Event.objects.create(
                    shopper=shopper, kind="purchase", at=NOW, product=products[name], dedupe_key=uuid4()
                )
        everybody = list(Shopper.objects.select_related("profile", "prediction").order_by("pk"))
        for rule in trees:
            expected = [one.pk for one in everybody if fits(rule, one, NOW, ZONE)]
            assert list(rules.matching(rule, NOW).order_by("pk").values_list("pk", flat=True)) == expected, rule
            assert rules.validate(rules.validate(rule)) == rules.validate(rule)
            assert rules.describe(rules.validate(rule)).endswith(".")
