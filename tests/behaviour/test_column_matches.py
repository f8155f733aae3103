"""What is remembered about files with the same columns, and what the values of a column tell."""

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaviour import column_matches, uploads
from behaviour.core import guessing
from behaviour.core.columns import recognise
from behaviour.core.parsing import Block
from behaviour.models import ColumnMatch, Upload

HEADER = ["who", "what", "did", "when it was"]


def block_of(rows: list[list[str]]) -> Block:
    columns = {f"c{at}": [row[at] for row in rows] for at in range(len(rows[0]))}
    return Block(pl.DataFrame({"line": range(2, len(rows) + 2), **columns}), [], len(rows))


def offered(header: list[str], rows: list[list[str]]) -> dict[str, str]:
    found = guessing.suggestions(block_of(rows), recognise(header))
    return {header[at]: name for at, name in found.items()}


def received(text: str) -> Upload:
    return uploads.receive_upload(io.BytesIO(text.encode()), "a.csv")


def test_values_tell_addresses_dates_events_and_amounts() -> None:
    rows = [["7", "a@web.example", "view", "2026-01-02 10:00", "12.50"], ["8", "", "pv", "2026-01-03 10:00", "3.00"]]
    assert offered(["a", "b", "c", "d", "e"], rows) == {
        "a": "user_id",
        "b": "email",
        "c": "event",
        "d": "timestamp",
        "e": "price",
    }


def test_a_column_of_ids_is_offered_only_when_one_is_left() -> None:
    rows = [["7", "A-1", "view", "2026-01-02"], ["8", "A-2", "cart", "2026-01-03"]]
    assert offered(["a", "item_id", "event", "timestamp"], rows) == {"a": "user_id"}
    assert offered(["a", "b", "event", "timestamp"], rows) == {}


def test_a_field_whose_values_look_otherwise_is_doubtful() -> None:
    match = recognise(["user_id", "item_id", "price", "email", "event", "timestamp"])
    good = [["1", "A", "12.50", "a@web.example", "view", "2026-01-02"]]
    odd = [["1", "A", "cheap", "yes", "view", "yesterday"]]
    assert guessing.doubtful(block_of(good), match) == set()
    assert guessing.doubtful(block_of(odd), match) == {"price", "email", "timestamp"}


@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), min_size=1, max_size=20))
def test_no_value_breaks_the_guess(rows: list[list[str]]) -> None:
    match = recognise(["a", "price", "timestamp"])
    found = guessing.suggestions(block_of(rows), match)
    assert len(set(found.values())) == len(found)
    guessing.doubtful(block_of(rows), match)


def test_the_key_ignores_order_case_and_what_refused_rows_add() -> None:
    key = column_matches.header_key(HEADER)
    assert key == column_matches.header_key([*reversed([name.upper() for name in HEADER]), "line", "Reason"])
    assert key != column_matches.header_key([*HEADER, "price"])


@pytest.mark.django_db
def test_a_decision_is_recalled_with_its_answers_and_cleaning() -> None:
    first = received("who,what,did,when it was\n1,A,zap,03/04/2025\n")
    columns = {"user_id": "who", "item_id": "what", "event": "did", "timestamp": "when it was"}
    uploads.choose_columns(first, {"kind": "events", "columns": columns, "events": {"zap": "cart"}})
    uploads.choose_columns(
        first,
        {"kind": "events", "columns": columns, "events": {"zap": "cart"}, "answers": {"date_order": "month_first"}},
    )
    column_matches.remember(first, HEADER)
    second = received("When it was,did,what,who\n05/06/2025,zap,B,2\n")
    assert column_matches.recall(second)
    assert second.mapping["answers"] == {"date_order": "month_first"}
    assert second.mapping["events"] == {"zap": "cart"}
    assert uploads.match_of(second).columns == {"timestamp": 0, "event": 1, "item_id": 2, "user_id": 3}
    assert second.mapping["remembered"]
    column_matches.forget(second)
    assert not ColumnMatch.objects.exists()
    assert not column_matches.recall(received("who,what,did,when it was\n1,A,zap,03/04/2025\n"))


@pytest.mark.django_db
def test_nothing_is_remembered_where_nothing_was_decided() -> None:
    column_matches.remember(received("user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n"), ["user_id"])
    assert not ColumnMatch.objects.exists()


@pytest.mark.django_db
def test_a_match_that_fits_no_longer_is_passed_over() -> None:
    upload: Any = received("who,what,did,when it was\n1,A,zap,2025-04-03\n")
    ColumnMatch.objects.create(
        header_key=column_matches.header_key(HEADER),
        kind="events",
        choices={"columns": {"gone_field": "who"}, "events": {}, "answers": {}},
    )
    assert not column_matches.recall(upload)
    assert "remembered" not in upload.mapping
