"""Rows to events, against values worked out by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaviour.core import values
from behaviour.core.cleaning import Cleaned, clean_events
from behaviour.core.columns import recognise
from behaviour.core.masterdata import clean_products, clean_shoppers
from behaviour.core.parsing import Chunk, Row, as_block
from behaviour.core.typed import Reading

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def cleaned(text: str, function: Any = clean_events, **reading: Any) -> Cleaned:
    header, *lines = [line.split(",") for line in text.strip().splitlines()]
    rows = [Row(at, line) for at, line in enumerate(lines, start=2)]
    block = as_block(Chunk(rows, len(rows)), len(header))
    return function(block, recognise(header), Reading(zone="Europe/London", now=NOW, **reading))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234,50 €", 1234.5), ("1,234.50", 1234.5), ("-3", -3), ("(3)", -3), ("£2", 2), ("12,5", 12.5),
        ("1,234", 1234), ("1.234.567", 1234567), ("x", None), ("", None), ("nan", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: str, number: float | None) -> None:
    assert values.number(pl.Series([text, "?"]))[0] == number


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-07-01 12:00:00", "2026-07-01T11:00:00+00:00"),
        ("2026-11-23", "2026-11-23T00:00:00+00:00"),
        ("2026-11-23T06:12:08Z", "2026-11-23T06:12:08+00:00"),
        ("2026-11-23T06:12:08.5+01:00", "2026-11-23T05:12:08.500000+00:00"),
        ("23.11.2026 06:12", "2026-11-23T06:12:00+00:00"),
        ("3/4/2026 8:26", "2026-04-03T07:26:00+00:00"),
        ("2026年11月3日", "2026-11-03T00:00:00+00:00"),
        ("1763874733", "2025-11-23T05:12:13+00:00"),
        ("1763874733123", "2025-11-23T05:12:13.123000+00:00"),
        # The clock skipped this hour, and repeated that one.
        ("2026-03-29 01:30:00", "2026-03-29T01:30:00+00:00"),
        ("2026-10-25 01:30:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_times_are_read_in_the_zone_of_the_shop(text: str, utc: str) -> None:
    read = values.moment(pl.Series([text, "?"]), zone="Europe/London", day_first=True)
    assert read[0] == datetime.fromisoformat(utc)
    assert read[1] is None


def _said_by_zoneinfo(local: datetime, zone: str) -> datetime | None:
    """Return a local time as UTC; one that the clock skipped is moved on by an hour."""
    for hours in (0, 1):
        moved = local + timedelta(hours=hours)
        utc = moved.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moved:
            return utc
    return None


@given(
    st.sampled_from(["UTC", "Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]),
    st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)),
    st.lists(st.integers(0, 4 * 86_400), min_size=1, max_size=20),
)
def test_many_times_are_read_as_each_alone(zone: str, start: datetime, seconds: list[int]) -> None:
    times = [start.replace(microsecond=0) + timedelta(seconds=one) for one in seconds]
    texts = pl.Series("text", [f"{one:%Y-%m-%d %H:%M:%S}" for one in times])
    read = values.moment(texts, zone=zone, day_first=True)
    assert read.to_list() == [_said_by_zoneinfo(one, zone) for one in times]


def test_each_bad_row_has_its_reason_and_line() -> None:
    result = cleaned(
        """
user_id,item_id,event,timestamp,quantity,price
1,A,view,2026-11-01 10:00:00,,
1,A,view,2026-11-01 10:00:00,,
,A,view,2026-11-01 10:00:00,,
1,,purchase,2026-11-01 10:00:00,1,2
1,A,teleport,2026-11-01 10:00:00,,
1,A,purchase,31.02.2026 10:00,1,2
1,A,purchase,2027-11-01 10:00:00,1,2
1,A,purchase,2026-11-01 10:00:00,many,2
1,A,purchase,2026-11-01 10:00:00,1,-2
1,A,purchase
1,A,transaction,01.11.2026 10:00,2,"€1.50"
1,A,purchase,2026-11-02 10:00:00,-2,1.5
""".replace('"', "")
    )
    assert [(row.line, code) for row, code in result.refused] == [
        (11, "too_few_cells"), (4, "no_shopper"), (5, "no_product"), (6, "unknown_event"), (7, "time_unreadable"),
        (8, "time_out_of_range"), (9, "quantity_unreadable"), (10, "price_out_of_range"),
    ]  # fmt: skip
    assert result.frame["kind"].to_list() == ["view", "purchase", "refund"]
    assert result.frame["cents"].to_list() == [None, 300, 300]
    assert (result.repeated, result.fixed) == (1, 2)
    assert result.findings == {
        "number_tidied": 1, "date_format": 1, "became_refund": 1,
    }  # fmt: skip


def test_a_decided_event_name_is_used() -> None:
    text = "user_id,item_id,event,timestamp\n1,A,teleport,2026-11-01 10:00:00"
    assert cleaned(text, events={"Teleport": "cart"}).frame["kind"].to_list() == ["cart"]


def test_a_file_without_a_clock_keeps_the_order() -> None:
    result = cleaned("user_id,item_id,event,position\n1,A,purchase,0\n1,B,purchase,2\n1,C,purchase,x")
    first, second = result.frame["at"].to_list()
    assert (second - first).days == 2
    assert result.findings == {"no_clock": 2}
    assert [code for _row, code in result.refused] == ["time_unreadable"]


def test_ratings_need_stars_and_own_keys_make_events_one() -> None:
    result = cleaned("""
user_id,item_id,event,timestamp,rating,dedupe_key
1,A,rating,2026-11-01 10:00:00,4,
1,B,rating,2026-11-01 10:00:00,,
1,A,view,2026-11-01 10:00:00,,k1
1,A,view,2026-11-02 10:00:00,,k1
""")
    assert result.frame["cents"].to_list() == [400, None]
    assert result.repeated == 1
    assert [code for _row, code in result.refused] == ["rating_unreadable"]


def test_products_and_shoppers_are_judged() -> None:
    products = cleaned(
        "item_id,name,price,stock,url\nA,Cup,2.5,3,\nB,Cup,x,,\nC,Cup,1,,ftp://x\nA,Mug,3,,", clean_products
    )
    assert products.frame.select("item_id", "name", "cents").rows() == [("A", "Mug", 300)]
    assert [code for _row, code in products.refused] == ["price_unreadable", "address_unreadable"]
    people = cleaned("user_id,email,consent\n1,Elena@Mail.example,yes\n2,elena@,no\n3,,perhaps\n,,yes", clean_shoppers)
    assert people.frame.select("user_id", "email", "consent").rows() == [("1", "elena@mail.example", True)]
    assert [code for _row, code in people.refused] == ["email_invalid", "consent_unreadable", "no_shopper"]


def test_an_amount_in_another_currency_is_left_out_and_counted() -> None:
    text = """
user_id,item_id,event,timestamp,price,currency,rating
1,A,purchase,2026-11-01 10:00:00,10,gbp,
1,B,purchase,2026-11-01 10:00:00,10,£,
1,C,purchase,2026-11-01 10:00:00,10,,
1,D,purchase,2026-11-01 10:00:00,10,JPY,
1,E,rating,2026-11-01 10:00:00,10,JPY,4
1,F,view,2026-11-01 10:00:00,,JPY,
"""
    result = cleaned(text, currency="GBP")
    assert result.frame["cents"].to_list() == [1000, 1000, 1000, None, 400, None]
    assert result.frame["each"].to_list() == [10, 10, 10, None, None, None]
    assert result.findings == {"other_currency": 2}
    assert result.refused == []
    assert cleaned(text, currency="JPY").findings == {"other_currency": 2}
