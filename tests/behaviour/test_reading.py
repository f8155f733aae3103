"""The fast way and the careful way read every file alike; every form comes out as the same table."""

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from behaviour.core import parsing, reading_fast
from behaviour.core.parsing import Block, Chunk, Row, Source, as_block, careful
from behaviour.core.reading_fast import segments

CELL = st.one_of(
    st.text(alphabet="ab1 é杯", max_size=4),
    st.sampled_from(['"x"', '"a,b"', '"two\nlines"', '"two\r\nlines"', '"say ""hi"""', '""', "NULL", "-", "é"]),
    st.sampled_from(['"', 'a"b', '"a"b', '"open', "\0", "\x07", "\ufffd", "\ufeff", "\r", '"\r"']),
)
LINE = st.one_of(
    st.lists(CELL, min_size=1, max_size=4).map(",".join),
    st.lists(CELL, min_size=3, max_size=3).map(",".join),
    st.sampled_from(["", " ", ",,", ",,,", ",,,,x", "a,b,c,,", '""', "1,2,3"]),
)
TEXT = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n", "\n", "\r"])), max_size=30).map(
    lambda lines: "".join(line + end for line, end in lines)
)
BYTES = st.one_of(
    TEXT.map(str.encode),
    st.tuples(TEXT, st.sampled_from([b"\xff", b"\xe6\x9d", b"\xc3"]), st.integers(0, 200)).map(
        lambda parts: parts[0].encode()[: parts[2]] + parts[1] + parts[0].encode()[parts[2] :]
    ),
)


def joined(blocks: list[Block], width: int) -> tuple[pl.DataFrame, list[Row]]:
    frame = pl.concat([as_block(Chunk(), width).frame, *(block.frame for block in blocks)])
    return frame, [row for block in blocks for row in block.refused]


def both(data: bytes, width: int, delimiter: str = ",") -> tuple[Any, Any]:
    fast = list(segments(Source(io.BytesIO(data)), delimiter, width))
    rows = list(careful(Source(io.BytesIO(data)), delimiter))
    return joined(fast, width), joined([as_block(Chunk(rows), width)], width)


def assert_alike(data: bytes, width: int) -> None:
    (fast, refused), (slow, slow_refused) = both(data, width)
    assert fast.equals(slow), (fast, slow)
    assert refused == slow_refused
    lines = sorted([*fast["line"], *(row.line for row in refused)])
    assert len(set(lines)) == len(lines)


@given(BYTES, st.integers(1, 4), st.sampled_from([7, 23, 64, 1 << 20]))
@example(b'a,b,c\n1,"x\n2,y,z\n', 3, 1 << 20)
@example(b"\xef\xbb\xbfa,b,c\n", 3, 1 << 20)
@settings(max_examples=400)
def test_both_ways_read_any_text_alike(data: bytes, width: int, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_fast, "PIECE", piece)
        patch.setattr(parsing, "PIECE", piece)
        assert_alike(data, width)


@given(st.integers(1, 60), st.integers(45, 60))
@settings(max_examples=30)
def test_long_records_are_read_alike(before: int, lines: int) -> None:
    data = b"a,b\n" * before + b'1,"' + b"x\n" * lines + b'"\n' + b"c,d\n" * 3
    assert_alike(data, 2)
    assert_alike(data + b'1,"' + b"x" * 140_000 + b'"\n2,y\n', 2)


def test_refused_rows_and_blank_lines_leave_the_numbers_right() -> None:
    data = b'1,2\n\n3\n4,"5\n5"\n,\n6,7,8\n9,10,,\n\n11,12'
    (fast, refused), _ = both(data, 2)
    assert fast.rows() == [(1, "1", "2"), (4, "4", "5\n5"), (8, "9", "10"), (10, "11", "12")]
    assert refused == [Row(3, ["3"], "too_few_cells"), Row(7, ["6", "7", "8"], "too_many_cells")]


def test_bytes_that_are_no_text_cost_their_row_only() -> None:
    data = b"a,b\n1,\xff\n2,x\n3,\0\n4,\x1b[0m\n5,y\n"
    (fast, refused), (slow, _) = both(data, 2)
    assert fast["c0"].to_list() == slow["c0"].to_list() == ["a", "2", "5"]
    assert [(row.line, row.broken) for row in refused] == [(2, "bad_bytes"), (4, "bad_bytes"), (5, "bad_bytes")]
