"""Bytes to rows: whatever comes in, every line is accounted for."""

import gzip
import io
import zipfile
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaviour.core.columns import recognise
from behaviour.core.encodings import as_utf8
from behaviour.core.packing import unpacked
from behaviour.core.parsing import Chunk, Row, Source, TableError, as_block, careful
from behaviour.core.reading_blocks import blocks
from behaviour.core.shapes import look


def read(data: bytes) -> list[Row]:
    file = io.BytesIO(data)
    shape = look(file)
    return list(careful(Source(as_utf8(unpacked(file), shape.encoding)), shape.delimiter))


def cells(data: bytes) -> list[list[str]]:
    return [row.cells for row in read(data)]


def packed(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


PLAIN = "user_id,item_id\n1,Tässchen\n2,杯子\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        gzip.compress(PLAIN.encode(), mtime=0),
        packed(("orders.csv", PLAIN.encode())),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", ";").encode(),
    ],
)
def test_packing_encoding_and_separator_do_not_matter(data: bytes) -> None:
    assert cells(data) == [["user_id", "item_id"], ["1", "Tässchen"], ["2", "杯子"]]


def test_gb18030_and_western_files_are_read() -> None:
    chinese = "用户id,商品名称,价格\n" + "1001,保温杯蓝色大号,12.90\n1002,户外帐篷双人,399.00\n" * 20
    assert cells(chinese.encode("gb18030"))[1] == ["1001", "保温杯蓝色大号", "12.90"]
    western = "user_id,name\n" + "1,Käse für Ämter\n2,Crème brûlée\n" * 20
    assert cells(western.encode("cp1252"))[1] == ["1", "Käse für Ämter"]


def test_an_unclosed_quote_costs_one_row_only() -> None:
    rows = read(b'a,b\n1,"x\n2,y\n3,"two\nlines"\n4,"HI" SIGN\n')
    assert [(row.line, row.broken) for row in rows] == [
        (1, ""), (2, "broken_quotes"), (3, ""), (4, ""), (6, "")
    ]  # fmt: skip
    assert rows[3].cells == ["3", "two\nlines"]
    assert rows[4].cells == ["4", "HI SIGN"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\x06\0\0\0" * 3, "picture"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:20], "damaged"),
        (packed(("a.csv", b"x"), ("b.csv", b"y")), "zip_members"),
        (packed(("[Content_Types].xml", b"x"), ("word/document.xml", b"y")), "spreadsheet"),
        (b"PK\x03\x04nonsense", "damaged"),
    ],
)
def test_what_is_no_table_is_named(data: bytes, code: str) -> None:
    with pytest.raises(TableError) as error:
        read(data)
    assert error.value.code == code


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        rows = read(data)
    except TableError:
        return
    assert [row.line for row in rows] == sorted(row.line for row in rows)


@given(st.text(alphabet='ab,"\n\r;', min_size=1, max_size=60))
def test_no_text_is_lost_to_quotes(text: str) -> None:
    rows = list(careful(Source(io.BytesIO(text.encode())), ","))
    assert sum(cell.count("a") for row in rows for cell in row.cells) == text.count("a")


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 9))
def test_blocks_hold_every_row_once_and_keep_orders_together(orders: list[int], piece: int) -> None:
    rows = [Row(at, [str(order)]) for at, order in enumerate(orders)]
    pieces = [as_block(Chunk(rows[at : at + piece]), 1) for at in range(0, len(rows), piece)]
    cut = list(blocks(iter(pieces), size=5, most=1000, together=0))
    assert [row for block in cut for row in block.rows(range(len(block.frame)))] == rows
    assert [block.end for block in cut] == [*accumulate(map(len, cut))]
    edges = [block.frame["c0"].to_list() for block in cut]
    assert all(one[-1] != two[0] for one, two in pairwise(edges))
    assert all(len(block) <= 7 for block in blocks(iter(pieces), size=5, most=7, together=0))


@pytest.mark.parametrize(
    ("header", "kind", "layout"),
    [
        ("user_id,item_id,event,timestamp", "events", "generic"),
        (
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
            "orders",
            "online_retail",
        ),
        ("用户ID,商品ID,行为类型,时间戳", "events", "generic"),
        ("visitorid,itemid,event,timestamp,transactionid", "events", "generic"),
        ("Order ID,Customer ID,SKU,Qty,Unit Price,Order Date", "orders", "generic"),
        ("item_id,name,price", "products", "generic"),
        ("id,email,first_name,consent", "shoppers", "generic"),
    ],
)
def test_headers_are_recognised(header: str, kind: str, layout: str) -> None:
    match = recognise(header.split(","))
    assert (match.kind, match.layout, match.complete) == (kind, layout, True)


def test_a_persons_choice_goes_before_the_guess() -> None:
    match = recognise(["a", "sku", "when"], "orders", {"user_id": "a", "timestamp": "when", "item_id": "sku"})
    assert match.columns == {"user_id": 0, "item_id": 1, "timestamp": 2}
    assert recognise(["x", "y"]).missing


def test_wide_rows_make_small_blocks() -> None:
    rows = [Row(at, ["x" * 2_000_000] * 5) for at in range(8)]
    cut = list(blocks((as_block(Chunk([row]), 5) for row in rows), size=4000, most=5000))
    assert [row for block in cut for row in block.rows(range(len(block.frame)))] == rows
    assert [len(block) for block in cut] == [4, 4]
