"""Rules that a person may switch, machines, filled cells and addresses, against values worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from behaviour.core import addresses, filling, robots
from behaviour.core.cleaning import Cleaned, clean_events
from behaviour.core.columns import EVENTS, recognise
from behaviour.core.masterdata import clean_shoppers
from behaviour.core.parsing import Block, Chunk, Row, as_block
from behaviour.core.robots import MOST_A_MINUTE, RobotWatch
from behaviour.core.rules import RULES, Found
from behaviour.core.scouting import Scout, limits
from behaviour.core.typed import Reading

READING = Reading(zone="Europe/London", now=datetime(2026, 11, 24, tzinfo=UTC))
HEADER = ["user_id", "item_id", "event", "timestamp", "order_id", "quantity", "price", "email", "first_name", "country"]


def block_of(lines: list[list[str]], first_line: int = 2) -> Block:
    rows = [Row(at, line) for at, line in enumerate(lines, start=first_line)]
    return as_block(Chunk(rows, len(rows)), len(HEADER))


def row(**cells: str) -> list[str]:
    usual = {"user_id": "1", "item_id": "A", "event": "view", "timestamp": "2026-11-01 10:00:00"}
    return [{**usual, **cells}.get(name, "") for name in HEADER]


def cleaned(lines: list[list[str]], **how: Any) -> Cleaned:
    return clean_events(block_of(lines), recognise(HEADER), replace(READING, **how))


def scouted(lines: list[list[str]], size: int = 1000, **how: Any) -> Reading:
    reading = replace(READING, **how)
    scout = Scout(recognise(HEADER), reading)
    for start in range(0, len(lines), size):
        scout.add(block_of(lines[start : start + size]))
    return replace(reading, found=scout.finish())


def codes(result: Cleaned) -> list[str]:
    return [code for _row, code in result.refused]


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"event": "purchase", "item_id": "POST"}, "not_a_product"),
        ({"event": "purchase", "item_id": "gift-wrap"}, "not_a_product"),
        ({"email": "test+7@shop.de"}, "test_shopper"),
        ({"first_name": "Test"}, "test_shopper"),
        ({"user_id": "tester"}, "test_shopper"),
        ({"timestamp": "2030-01-01 10:00:00"}, "time_out_of_range"),
        ({"event": "purchase", "price": "-3"}, "price_out_of_range"),
    ],
)
def test_a_rule_refuses_until_it_is_switched_off(cells: dict[str, str], code: str) -> None:
    assert codes(cleaned([row(**cells)])) == [code]
    without = cleaned([row(**cells)], rules={code: False})
    assert codes(without) == []
    assert len(without.frame) == 1


def test_a_price_beyond_all_limits_is_left_out_where_its_rule_is_off() -> None:
    result = cleaned([row(event="purchase", price="-3")], rules={"price_out_of_range": False})
    assert result.frame["cents"].to_list() == [None]
    assert result.findings["price_left_out"] == 1


def test_further_non_products_are_named_by_a_person() -> None:
    lines = [row(event="purchase", item_id="9", price="1"), row(event="purchase", item_id="Donation", price="1")]
    assert codes(cleaned(lines, non_products=("donation",))) == ["not_a_product"]


def test_returns_never_exceed_the_order_beside_them() -> None:
    order = {"order_id": "O1", "price": "5"}
    result = cleaned(
        [
            row(event="purchase", quantity="2", **order),
            row(event="refund", quantity="1", **order),
            row(event="refund", quantity="3", timestamp="2026-11-02 10:00:00", **order),
            row(event="refund", quantity="1", order_id="O9", price="5"),
        ]
    )
    assert result.frame["quantity"].to_list() == [2, 1, 3, 1], "the import nets, when all rows are there"
    assert result.foreseen == {"refund_with_order": 2, "refund_apart": 1, "refund_netted": 1}


def views(user: str, n: int, start: datetime, step: timedelta) -> list[list[str]]:
    return [row(user_id=user, item_id=f"{at}", timestamp=f"{start + at * step:%Y-%m-%d %H:%M:%S}") for at in range(n)]


@pytest.mark.parametrize("size", [7, 150, 1000])
def test_a_machine_is_found_over_the_borders_of_blocks(size: int) -> None:
    start = datetime(2026, 11, 1, 10)
    machine = views("robot", MOST_A_MINUTE + 1, start, timedelta(milliseconds=200))
    person = views("person", MOST_A_MINUTE, start, timedelta(milliseconds=200))
    bought = [row(user_id="robot", event="purchase", price="3", timestamp="2026-11-01 10:05:00")]
    lines = [line for pair in zip(machine, [*person, *bought], strict=True) for line in pair]
    reading = scouted(lines, size)
    result = clean_events(block_of(lines), recognise(HEADER), reading)
    assert codes(result) == ["robot"] * (MOST_A_MINUTE + 1)
    assert result.frame["user_id"].unique().sort().to_list() == ["person", "robot"], "what a machine bought counts"
    assert not scouted(lines, rules={"robot": False}).found.robots


def test_thousands_of_views_a_day_are_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "MOST_A_DAY", 9)
    watch = RobotWatch()
    at = pl.Series([datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in range(10)]).cast(pl.Datetime("us", "UTC"))
    watch.add(pl.DataFrame({"user_id": ["busy"] * 10, "at": at}))
    watch.add(pl.DataFrame({"user_id": ["calm"] * 9, "at": at.head(9)}))
    assert len(watch.robots()) == 1


def test_what_is_far_above_the_usual_is_marked_or_refused_when_asked() -> None:
    lines = [row(event="purchase", user_id=f"{n}", price="2.00", quantity="1") for n in range(9)]
    lines += [row(event="purchase", user_id="x", price="20.01", quantity="11")]
    reading = scouted(lines)
    assert reading.found.usual == {"A": (20.0, 10.0)}
    assert clean_events(block_of(lines), recognise(HEADER), reading).findings == {
        "price_outlier": 1, "quantity_outlier": 1,
    }  # fmt: skip
    strict = replace(reading, rules={"outlier": True})
    assert codes(clean_events(block_of(lines), recognise(HEADER), strict)) == ["outlier"]
    assert limits(pl.DataFrame({"item_id": ["A"] * 7, "price": [1.0] * 7}), "price") == {}, "too few to tell"


@pytest.mark.parametrize(("way", "filled"), [("mean", 3.0), ("median", 2.0), ("most_frequent", 1.0)])
def test_empty_prices_are_filled_as_allowed_and_counted(way: str, filled: float) -> None:
    prices = ["1", "1", "2", "3", "8", "", "10", ""]
    items = ["A"] * 6 + ["B", "B"]
    lines = [
        row(event="purchase", user_id=f"{n}", item_id=item, price=price)
        for n, (item, price) in enumerate(zip(items, prices, strict=True))
    ]
    reading = scouted(lines, fill={"price": way})
    result = clean_events(block_of(lines), recognise(HEADER), reading)
    assert result.frame["each"][5] == filled
    assert result.frame["cents"][5] == filled * 100
    assert result.findings["filled_price"] == 2
    whole = {"mean": 4.1667, "median": 2.5, "most_frequent": 1.0}[way]
    assert result.frame["each"][7] == whole, "one price of a product tells nothing"
    assert result.examples["filled_price"] == (7, "", f"{filled:g}")
    silent = cleaned(lines)
    assert silent.frame["each"][5] is None
    assert silent.frame["key"].to_list() == result.frame["key"].to_list(), "the row stays the same row"


def test_an_empty_country_takes_the_most_frequent() -> None:
    assert filling.most_frequent(pl.Series(["DE", "", "FR", "DE"])) == "DE"
    lines = [row(event="purchase", user_id=f"{n}", country=country) for n, country in enumerate(["DE", "", "FR", "DE"])]
    result = clean_events(block_of(lines), recognise(HEADER), scouted(lines, fill={"country": "most_frequent"}))
    assert result.frame["country"].to_list() == ["DE", "DE", "FR", "DE"]
    assert result.findings == {"filled_country": 1}


@pytest.mark.parametrize(
    ("address", "valid", "meant"),
    [
        ("elena@gmial.com", True, "elena@gmail.com"),
        ("elena@hotmial.com", True, "elena@hotmail.com"),
        ("elena@gmail.com", True, ""),
        ("elena@mail.com", True, ""),
        ("elena@gmx.at", True, ""),
        ("elena@mail.example", True, ""),
        ("o'neil@shop.ie", True, ""),
        ("ü@exämple.de", True, ""),
        ("elena@", False, ""),
        ("elena..novak@gmail.com", False, ""),
        ("elena@-shop.de", False, ""),
        ("e@x.de@y.de", False, ""),
        ("", False, ""),
    ],
)
def test_addresses_are_judged_and_likely_errors_named(address: str, valid: bool, meant: str) -> None:
    texts = pl.Series([address, "plain@shop.de"])
    assert addresses.is_valid(texts).to_list() == [valid, True]
    assert addresses.corrected(texts).to_list() == [meant, ""]


def test_addresses_are_marked_and_mended_only_when_allowed() -> None:
    header = ["user_id", "email"]
    lines = [["1", "Elena@gmial.com"], ["2", "info@shop.de"], ["3", "x@mailinator.com"], ["4", "a@example.com"]]
    block = as_block(Chunk([Row(at, line) for at, line in enumerate(lines, 2)], 4), 2)
    plain = clean_shoppers(block, recognise(header), READING)
    assert plain.frame["email"][0] == "elena@gmial.com"
    assert plain.findings == {
        "email_case": 1, "email_typo": 1, "email_role": 1, "email_disposable": 1, "email_reserved": 1,
    }  # fmt: skip
    mended = clean_shoppers(block, recognise(header), replace(READING, rules={"email_typo_fixed": True}))
    assert mended.frame["email"][0] == "elena@gmail.com"
    assert mended.findings["email_typo_fixed"] == 1


def test_what_was_put_right_is_shown_by_one_example() -> None:
    result = cleaned([row(event="purchase", timestamp="23.11.2026 06:12", price="€1,50")])
    assert result.examples == {"date_format": (2, "23.11.2026 06:12", "2026-11-23 06:12:00 UTC"),
                               "number_tidied": (2, "€1,50", "1.5")}  # fmt: skip


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["1", "2", "test", ""]),
            "item_id": st.sampled_from(["A", "B", "POST", ""]),
            "event": st.sampled_from(["view", "purchase", "zap"]),
            "timestamp": st.sampled_from(["2026-11-01 10:00:00", "01.11.2026", "2031-01-01", "never"]),
            "quantity": st.sampled_from(["", "1", "-2", "x", "900"]),
            "price": st.sampled_from(["", "1", "-1", "1e99", "€5"]),
            "email": st.sampled_from(["", "a@gmial.com", "test@shop.de"]),
        }
    ),
    max_size=12,
)
SWITCHES = st.dictionaries(st.sampled_from([rule.code for rule in RULES if EVENTS in rule.kinds]), st.booleans())


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, switches=SWITCHES, fill=st.dictionaries(st.just("price"), st.sampled_from(["mean", "median"])))
def test_every_row_is_accounted_for_once_under_any_rules(
    rows: list[dict[str, str]], switches: dict[str, bool], fill: dict[str, str]
) -> None:
    lines = [row(**cells) for cells in rows]
    result = clean_events(block_of(lines), recognise(HEADER), scouted(lines, rules=switches, fill=fill))
    assert len(result.frame) + result.repeated + len(result.refused) == len(lines)
    refused = [one.line for one, _code in result.refused]
    kept = [at + 2 for at in result.frame["row"].to_list()]
    assert len({*refused, *kept}) == len(refused) + len(kept)
    assert not {code for code, on in switches.items() if not on} & set(codes(result))


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, size=st.integers(1, 12), fill=st.dictionaries(st.just("price"), st.sampled_from(["mean"])))
def test_blocks_of_any_size_are_judged_alike(rows: list[dict[str, str]], size: int, fill: dict[str, str]) -> None:
    lines = [row(**cells) for cells in rows]
    whole, cut = scouted(lines, fill=fill), scouted(lines, size, fill=fill)
    assert whole.found == cut.found
    one = clean_events(block_of(lines), recognise(HEADER), whole)
    kept, refused = set(), []
    for start in range(0, len(lines), size):
        part = clean_events(block_of(lines[start : start + size], start + 2), recognise(HEADER), cut)
        kept |= set(part.frame.select("key", "cents", "quantity").rows())
        refused += [(bad.line, code) for bad, code in part.refused]
    assert kept == set(one.frame.select("key", "cents", "quantity").rows())
    assert sorted(refused) == sorted((bad.line, code) for bad, code in one.refused)


def test_what_was_found_is_kept_as_json() -> None:
    found = Found((5, 2**63 + 1), {"A": (2.5, None)}, {"price": {"": 1.0}})
    assert Found.of(found.stored()) == found
