"""The builder as a form: what comes back is what went in, and every button does what it says."""

from typing import Any
from uuid import uuid4

import pytest
from django.http import QueryDict

from mailai.errors import InputError
from segments import builder, rules
from segments.builder.inputs import of

UUID = str(uuid4())
LAST = {"within": {"days": 30}}
ORDERS = {"field": "n_orders", "op": ">=", "value": 2}
RULES = [
    {"all": []},
    {"all": [ORDERS]},
    {"any": [ORDERS, {"field": "stage", "op": "in", "value": ["loyal", "new"]}]},
    {"all": [{"not": {"any": [ORDERS, {"field": "country", "op": "unknown"}]}}]},
    {"not": {"field": "monetary", "op": ">", "value": 12.5}},
    {"all": [{"any": [{"not": {"all": [ORDERS, ORDERS]}}, ORDERS]}, ORDERS]},
    {"all": [{"field": "churn_chance", "op": ">=", "value": 0.335}]},
    {"all": [{"field": "order_chance", "op": "between", "value": [0.2, 0.5]}]},
    {"all": [{"field": "days_to_next_order", "op": "between", "value": [-3, 14]}]},
    {"all": [{"field": "cluster", "op": "in", "value": [1, 3]}]},
    {"all": [{"did": "purchase", "times": {"op": ">=", "n": 2}, "within": {"days": 90}}]},
    {"all": [{"did": "cart", "times": {"op": "=", "n": 0}, "within": {"from": "2026-01-01", "to": "2026-01-31"}}]},
    {
        "all": [
            {
                "did": "purchase",
                "within": {"since": "2026-09-01"},
                "where": {
                    "category": ["Coats", "Bags > Packs"],
                    "product": ["A,1", "B2"],
                    "amount": {"op": "between", "value": [5, 12.5]},
                    "country": ["France"],
                },
            }
        ]
    },
    {"all": [{"did": "view", "within": {"before_days": 60}, "where": {"amount": {"op": ">=", "value": 3}}}]},
    {"all": [{"mail": "opened", "times": {"op": "<=", "n": 3}, "campaign": UUID, **LAST}, {"mail": "ignored"}]},
    {
        "all": [
            {
                "sequence": {
                    "first": {"did": "view", "where": {"category": ["Coats"], "country": ["France", "Spain"]}},
                    "then": {"did": "purchase", "where": {"amount": {"op": ">", "value": 20}}},
                    "happened": False,
                    "days": 3,
                    "same_product": True,
                },
                **LAST,
            }
        ]
    },
    {"all": [{"anniversary": "first_order", "from_days": -7, "to_days": 7}]},
    {"all": [{"not": {"segment": UUID}}, {"list": UUID}]},
    {"did": "survey_answer", "where": {"question": ["How was it?"], "answer": ["Good", "So-so"]}},
    {
        "sequence": {
            "first": {"did": "survey_answer", "where": {"answer": ["10"]}},
            "then": {"did": "purchase"},
            "happened": True,
            "days": 3,
            "same_product": False,
        }
    },
]


def sent(tree: dict[str, Any]) -> QueryDict:
    """What a browser sends for the inputs that the page shows."""
    post = QueryDict(mutable=True)

    def write(node: dict[str, Any]) -> None:
        path = node["path"]
        if node.get("is_group"):
            post.appendlist(f"kind-{path}", node["kind"])
            for part in node["parts"]:
                write(part)
            return
        post.appendlist(f"was-{path}", node["what"])
        for name in node["has"]:
            post.appendlist(f"has-{path}", name)
        for control in node["controls"]:
            if control.shape != "word":
                for value in control.values or ([""] if control.shape != "list" else []):
                    post.appendlist(f"{control.name}-{path}", value)

    write(tree)
    return post


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
def test_a_rule_comes_back_from_the_page_as_it_went_in(rule: dict[str, Any], db: None) -> None:
    rule = rules.validate(rule)
    draft = builder.from_rule(rule)
    whole = rule if set(rule) & {"all", "any", "not"} else {"all": [rule]}
    assert builder.to_rule(draft) == whole
    tree = builder.shown(draft, {}, builder.Choices())
    assert builder.to_rule(builder.parse(sent(tree))) == whole


def form(what: str, **given: str | list[str]) -> builder.Node:
    post = QueryDict(mutable=True)
    post["kind-0"] = "all"
    post["what-0.0"] = what
    for name, value in given.items():
        post.setlist(f"{name}-0.0", value if isinstance(value, list) else [value])
    return builder.parse(post)


def only(draft: builder.Node) -> dict[str, Any]:
    return builder.to_rule(draft)["all"][0]


def test_another_behaviour_keeps_how_often_and_when() -> None:
    asked = {"often": ">=", "n": "3", "when": "days", "n_days": "14", "category": "Coats"}
    assert only(form("did:view", was="did:purchase", **asked)) == {
        "did": "view", "times": {"op": ">=", "n": 3}, "within": {"days": 14}, "where": {"category": ["Coats"]},
    }  # fmt: skip
    assert only(form("mail:opened", was="did:purchase", **asked)) == {
        "mail": "opened", "times": {"op": ">=", "n": 3}, "within": {"days": 14},
    }  # fmt: skip


def test_another_field_starts_afresh() -> None:
    changed = form("field:stage", was="field:n_orders", op=">=", value="2")
    assert only(changed) == {"field": "stage", "op": "=", "value": "lead"}
    with pytest.raises(InputError, match="needs a value"):
        builder.to_rule(form("field:monetary", was="field:stage", op="=", value="loyal"))


@pytest.mark.parametrize("what", ["nonsense", "field:gone", "did:sing", "", "kind"])
def test_what_nobody_can_ask_is_left_out(what: str) -> None:
    assert builder.to_rule(form(what)) == {"all": []}


@pytest.mark.parametrize("value", ["abc", "nan", "inf", "1e400", "1.5"])
def test_a_number_must_be_one(value: str) -> None:
    for what, name in (("field:n_orders", "value"), ("did:purchase", "n_days"), ("field:order_chance", "value")):
        draft = form(what, op=">=", when="days", often="once", **{name: value})
        if what == "field:order_chance" and value == "1.5":
            assert only(draft)["value"] == 0.015
            continue
        with pytest.raises(InputError):
            builder.to_rule(draft)


def test_several_makes_a_list_and_more_adds_a_filter(db: None) -> None:
    draft = form("did:purchase", often="once", when="", category=["…"], more="amount")
    (node,) = draft.parts
    shapes = {control.name: control.shape for control in of(node.what, node.given, builder.Choices())}
    assert shapes["category"] == "list"
    assert shapes["amount"] == "number"
    again = builder.parse(sent(builder.shown(draft, {}, builder.Choices())))
    assert again.parts[0].given["has"] == node.given["has"]
    assert only(again) == {"did": "purchase"}


def test_buttons_add_move_and_remove() -> None:
    draft = builder.from_rule({"all": [{"field": name, "op": ">=", "value": 1} for name in ("n_orders", "monetary")]})
    whats = lambda node: [part.what.removeprefix("field:") or part.kind for part in node.parts]  # noqa: E731
    assert whats(builder.changed(draft, "up:0.1")) == ["monetary", "n_orders"]
    assert whats(builder.changed(draft, "down:0.0")) == ["n_orders", "monetary"]
    assert whats(builder.changed(draft, "down:0.1")) == ["n_orders", "monetary"]
    assert whats(builder.changed(draft, "remove:0.0")) == ["monetary"]
    assert whats(builder.changed(draft, "remove:0")) == ["monetary"]
    assert whats(builder.changed(draft, "explode:0.0")) == ["monetary"]
    assert whats(builder.changed(draft, "add-not:0")) == ["monetary", "not"]
    assert whats(builder.changed(draft, "add-group:0.1")) == ["monetary", "not"]
    assert whats(draft.parts[1]) == ["did:purchase", "any"]
    assert whats(builder.changed(draft, "often:nonsense")) == ["monetary", "not"]


@pytest.mark.parametrize("key", sorted(builder.OFTEN))
def test_each_suggestion_is_a_condition_that_can_be_asked(key: str, db: None) -> None:
    draft = builder.changed(builder.blank(), f"often:{key}")
    if builder.OFTEN[key].open:
        with pytest.raises(InputError, match="needs a value"):
            builder.to_rule(draft)
    else:
        assert rules.matching(builder.to_rule(draft)).count() == 0
    tree = builder.shown(draft, {}, builder.Choices())
    assert sum(control.focus for control in tree["parts"][0]["controls"]) == 1


def test_forecasts_are_suggested_once_there_are_any(db: None) -> None:
    assert "leaves" not in dict(builder.suggested())
