"""Files that are odd, broken or mean harm: each has its answer, in seconds and with little memory."""

import gzip
import io
import time
import tracemalloc
import zipfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from behaviour.core import shapes, spreadsheet
from behaviour.core.parsing import Block, Row, Shape, TableError
from behaviour.core.reading import Opened, open_file
from behaviour.core.reading_blocks import blocks

EVENTS = "user_id,item_id,event,timestamp\n"
ROWS = EVENTS + "1,A,view,2026-01-01\n2,B,view,2026-01-02\n"


def opened(data: bytes | str, **chosen: Any) -> Opened:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return open_file(file, Shape.of(shapes.look(file, **chosen).stored()))


def read(data: bytes | str, **chosen: Any) -> tuple[list[str], list[list[str]], list[tuple[int, str]]]:
    """Return the header, the good cells, and line and reason of what is refused."""
    table = opened(data, **chosen)
    found: list[Block] = list(blocks(table.pieces, size=100, most=120))
    good = [row.cells for block in found for row in block.rows(range(len(block.frame)))]
    return table.header, good, [(row.line, row.broken) for block in found for row in block.refused]


def zipped(members: dict[str, bytes], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TIES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(*sheets: str, shared: str = "", head: str = "") -> bytes:
    """Return a small .xlsx of these rows of XML; style 1 is a date with its time."""
    names = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in range(1, len(sheets) + 1))
    ties = "".join(
        f'<Relationship Id="r{n}" Type="{TIES}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    members = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{TIES}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{TIES}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{rels}">{ties}<Relationship Id="s" '
        f'Type="{TIES}/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="t" Type="{TIES}/styles" '
        'Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/>'
        "</cellXfs></styleSheet>",
        "xl/sharedStrings.xml": f'{head}<sst xmlns="{SHEET}">{shared}</sst>',
    }
    for n, rows in enumerate(sheets, start=1):
        members[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>'
    return zipped({name: text.encode() for name, text in members.items()})


def cells(row: int, *texts: str) -> str:
    return f'<row r="{row}">' + "".join(
        f'<c r="{chr(65 + at)}{row}" t="inlineStr"><is><t>{text}</t></is></c>' for at, text in enumerate(texts)
    ) + "</row>"  # fmt: skip


HEADER = cells(1, "user_id", "item_id", "event", "timestamp")


def test_a_spreadsheet_is_read_with_its_dates() -> None:
    row = '<row r="3"><c r="A3"><v>17850</v></c><c r="B3" t="s"><v>0</v></c><c r="C3" t="b"><v>1</v></c>' \
        '<c r="D3" s="1"><v>46349.2584259259</v></c></row>'  # fmt: skip
    data = workbook("", HEADER + row + cells(4, "2", "B", "=1+1", "2026-01-02"), shared="<si><t>SKU, 1</t></si>")
    table = opened(data)
    assert table.notes == []
    assert read(data) == (
        ["user_id", "item_id", "event", "timestamp"],
        [["17850", "SKU, 1", "yes", "2026-11-23 06:12:08"], ["2", "B", "=1+1", "2026-01-02"]],
        [],
    )


def test_rows_of_a_spreadsheet_keep_their_numbers() -> None:
    header, rows = HEADER.replace("1", "3"), cells(4, "1", "A", "view", "x") + cells(7, "2", "B")
    table = opened(workbook(header + rows))
    (block,) = table.pieces
    assert (table.header[0], block.frame["line"].to_list()) == ("user_id", [4, 7])


def test_the_first_sheet_with_rows_is_read_and_the_others_named() -> None:
    table = opened(workbook("", HEADER + cells(2, "1", "A", "view", "2026-01-01"), cells(1, "x")))
    assert table.notes == [{"code": "sheets_left", "sheet": "S2", "names": ["S3"]}]


FEED = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
<item><g:id>SKU-1</g:id><title>Bottle &amp; cup</title><g:price>12.90 GBP</g:price>
<g:additional_image_link>https://a/1.png</g:additional_image_link>
<g:additional_image_link>https://a/2.png</g:additional_image_link></item>
<item><g:id>SKU-2</g:id><title><![CDATA[<b>Tent</b>]]></title><g:shipping>
  <g:country>GB</g:country> <g:price>5.00</g:price></g:shipping></item>
</channel></rss>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_a_product_feed_is_read(encoding: str) -> None:
    header, good, refused = read(FEED.encode(encoding))
    assert header == ["id", "title", "price", "additional_image_link", "shipping"]
    assert good == [
        ["SKU-1", "Bottle & cup", "12.90 GBP", "https://a/1.png,https://a/2.png", ""],
        ["SKU-2", "<b>Tent</b>", "", "", "GB:5.00"],
    ]
    assert refused == []


def test_an_atom_feed_is_read_and_its_own_ids_do_not_hide_googles() -> None:
    feed = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
    <entry><id>urn:1</id><g:id>A</g:id><title>Mug</title><link href="https://a/1"/></entry></feed>"""
    assert read(gzip.compress(feed.encode()))[:2] == (["id", "title", "link"], [["A", "Mug", "https://a/1"]])


@pytest.mark.parametrize(
    ("above", "skip"),
    [
        ("Sales report\n\n", 2),
        ("# made by the shop\n# on 2026-11-23\n", 2),
        ("sep=,\n", 1),
        ("Report,,,\nPeriod,2026-01-01,2026-02-01,\n\n", 3),
        ("\n\n", 2),
        ("", 0),
    ],
)
def test_lines_above_the_header_are_passed_over_and_told(above: str, skip: int) -> None:
    table = opened(above + ROWS)
    assert table.header == ["user_id", "item_id", "event", "timestamp"]
    assert table.notes == ([{"code": "lines_above", "n": skip}] if skip else [])
    assert [block.frame["line"].to_list() for block in table.pieces] == [[skip + 2, skip + 3]]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_each_separator_is_found_also_beside_others(sign: str) -> None:
    rows = [
        ["user_id", "item_id", "name", "price"],
        ["1", "A", "red, blue; green", "1,50"],
        ["2", "B", "x | y", "2,75"],
    ]
    text = "\n".join(sign.join(f'"{cell}"' if sign in cell else cell for cell in row) for row in rows)
    assert read(text)[1] == rows[1:]


def test_a_chosen_separator_and_encoding_go_before_what_is_seen() -> None:
    assert read("a;b,c\n1;2,3\n", delimiter=",")[0] == ["a;b", "c"]
    assert read("user_id,name\n1,Ł\n".encode("cp1250"), encoding="cp1250")[1] == [["1", "Ł"]]


def test_names_are_made_distinct_and_missing_ones_numbered() -> None:
    table = opened("user_id,price,price,,price (2)\n1,2,3,4,5\n")
    assert table.header == ["user_id", "price", "price (3)", "column 4", "price (2)"]
    assert table.notes == [{"code": "columns_unnamed", "n": 1}, {"code": "names_twice", "names": ["price"]}]


def test_a_file_without_a_header_loses_no_row() -> None:
    table = opened("1,2268318,2520377,pv,1511544070\n1,2333346,2520771,pv,1511561733\n")
    assert table.header == [f"column {n}" for n in range(1, 6)]
    assert table.notes == [{"code": "no_header"}]
    assert sum(len(block) for block in table.pieces) == 2


def test_columns_beyond_the_rows_are_no_columns() -> None:
    assert read("a,b,,\nx,y\nz,w\n") == (["a", "b"], [["x", "y"], ["z", "w"]], [])


@pytest.mark.parametrize("last", ["Total,12", "Total,,,", "Summe:,,,", "合计,,,3", ",,Grand total,9", "TOTAL"])
def test_a_sum_below_the_rows_is_refused_with_its_reason(last: str) -> None:
    assert read(ROWS + last + "\n")[2] == [(4, "summary_line")]


def test_a_product_called_total_is_no_sum() -> None:
    assert read(ROWS + "Total,A,view,2026-01-01\n")[2] == []


def test_rows_of_other_lengths_are_refused_and_formulas_are_text() -> None:
    _, good, refused = read(EVENTS + "1,A\n1,A,view,2026-01-01,,\n1,A,view,2026-01-01,x\n=cmd|' /C'!A0,+1,-1,@x\n")
    assert refused == [(2, "too_few_cells"), (4, "too_many_cells")]
    assert good == [["1", "A", "view", "2026-01-01"], ["=cmd|' /C'!A0", "+1", "-1", "@x"]]


def test_damaged_bytes_cost_their_rows_only() -> None:
    _, good, refused = read(
        ROWS.replace("A", "杯子").encode() + b"3,\xff\xfe,view,2026-01-01\n4,\0,view,x\n5,\x1b,view,x\n6,C,view,x\n"
    )
    assert [row[0] for row in good] == ["1", "2", "6"]
    assert refused == [(4, "bad_bytes"), (5, "bad_bytes"), (6, "bad_bytes")]


def test_letters_that_come_late_still_tell_the_encoding() -> None:
    rows = b"1,A,view,2026-01-01\n" * 20_000 + "2,Größe für Käse,view,x\n".encode("cp1252")
    assert shapes.look(io.BytesIO(EVENTS.encode() + rows)).encoding == "cp1252"


def test_a_feed_may_stand_on_one_line() -> None:
    item = "<item><id>{}</id><title>" + "x" * 300 + "</title></item>"
    feed = "<rss><channel>" + "".join(item.format(n) for n in range(9000)) + "</channel></rss>"
    assert len(read(feed)[1]) == 9000


def test_an_unclosed_quote_costs_its_line() -> None:
    lines = "".join(f"{n},A,view,2026-01-01\n" for n in range(3000))
    _, good, refused = read(EVENTS + '0,"A,view,2026-01-01\n' + lines)
    assert (len(good), refused) == (3000, [(2, "broken_quotes")])


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4
ENTITIES = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<rss><channel><item><id>&b;</id></item></channel></rss>"""


def wide(n: int) -> str:
    return ",".join(f"c{at}" for at in range(n)) + "\n" + ",".join(["1"] * n) + "\n"


def huge_sheet() -> bytes:
    return workbook(HEADER + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def shared_bomb() -> bytes:
    many = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 2000))
    return workbook(HEADER + many, shared=f"<si><t>{'x' * 400_000}</t></si>")


def hidden_sheet() -> bytes:
    """Return a workbook whose sheet lies under the name of a picture."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(huge_sheet())) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            moved = old.read(name).replace(b"worksheets/sheet1.xml", b"media/a.png")
            new.writestr(name.replace("worksheets/sheet1.xml", "media/a.png"), moved)
    return out.getvalue()


def zip_bomb() -> bytes:
    return zipped({"a.csv": EVENTS.encode() + b"1,A,view,2026-01-01\n" * 6_000_000})


def gzip_bomb() -> bytes:
    return gzip.compress(EVENTS.encode() + b"1,A,view,2026-01-01\n" * 6_000_000)


def xlsx_bomb() -> bytes:
    data = io.BytesIO(workbook(HEADER))
    with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.xml", b" " * 150_000_000)
    return data.getvalue()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: b"", "empty"),
        (lambda: b"\n \n\n", "empty"),
        (lambda: PNG, "picture"),
        (lambda: zipped({"a.csv": PNG}), "picture"),
        (lambda: b"%PDF-1.7\n%\xe2\xe3", "pdf"),
        (lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>", "web_page"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_spreadsheet"),
        (lambda: bytes(range(256)) * 50, "not_text"),
        (lambda: zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), "spreadsheet"),
        (lambda: zipped({"a.csv": b"x", "b.csv": b"y"}), "zip_members"),
        (lambda: zipped({"../../etc/a.csv": ROWS.encode()}), "zip_path"),
        (lambda: zipped({"/a.csv": ROWS.encode()}), "zip_path"),
        (lambda: zipped({"a.csv.gz": gzip.compress(ROWS.encode())}), "packed_twice"),
        (lambda: gzip.compress(gzip.compress(ROWS.encode())), "packed_twice"),
        (lambda: gzip.compress(ROWS.encode() * 99)[:-20], "damaged"),
        (lambda: zipped({"a.csv": ROWS.encode()})[:-40], "damaged"),
        (lambda: workbook(HEADER)[:-40], "damaged"),
        (zip_bomb, "bomb"),
        (gzip_bomb, "bomb"),
        (xlsx_bomb, "bomb"),
        (huge_sheet, "spreadsheet_large"),
        (hidden_sheet, "spreadsheet_large"),
        (shared_bomb, "spreadsheet_large"),
        (lambda: workbook(HEADER, head='<!DOCTYPE x [<!ENTITY a "b">]>'), "xml_entities"),
        (lambda: workbook(""), "empty"),
        (lambda: ENTITIES.encode(), "xml_entities"),
        (lambda: ENTITIES.encode("utf-16"), "xml_entities"),
        (lambda: b'<!DOCTYPE rss SYSTEM "file:///etc/passwd"><rss/>', "xml_entities"),
        (lambda: b'<?xml version="1.0"?><!DOCTYPE rss SYSTEM "file:///etc/passwd"><rss/>', "xml_entities"),
        (lambda: b"<rss><channel><item><id>1</id></channel></rss>", "xml_broken"),
        (lambda: b"<rss>" + b"<a>" * 5000, "xml_broken"),
        (lambda: b"<rss><item><id>" + b"x\n" * 1_000_000 + b"</id></item></rss>", "endless_item"),
        (lambda: b"<rss><channel/></rss>", "no_items"),
        (lambda: wide(10_007).encode(), "too_many_columns"),
        (lambda: EVENTS.encode() + b"1," + b"a" * (20 << 20) + b",view,2026-01-01\n", "endless_line"),
        (lambda: EVENTS.encode() + b'"' + b"a" * (20 << 20), "endless_line"),
        (lambda: "id,имя\n1,".encode("koi8-r") + bytes(range(128, 160)) * 40, "encoding_unknown"),
    ],
)
def test_what_is_no_table_is_refused_in_time(make: Any, code: str) -> None:
    data = make()
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(TableError) as error:
        read(data)
    seconds, memory = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.value.code == code
    # Only our own time counts, the machine may be busy; a bomb would take minutes and gigabytes.
    assert seconds < 20
    assert memory < 120_000_000


def test_two_million_quotes_are_read_in_time() -> None:
    start = time.process_time()
    line = '1,A,"' + '"' * 1_999_998 + ",2026-01-01\n"
    _, good, refused = read(ROWS + line + "5,A,view,2026-01-01\n")
    assert (len(good), refused) == (3, [(4, "broken_quotes")])
    assert read(EVENTS + '1,"",view,""""\n' * 100_000)[1][-1] == ["1", "", "view", '"']
    assert read(EVENTS + '1,"\n' * 100_000)[1] == []
    assert time.process_time() - start < 30


def test_a_cell_of_a_megabyte_is_refused() -> None:
    assert read(ROWS + f"3,{'a' * 1_000_000},view,2026-01-01\n4,A,view,x\n")[2] == [(4, "broken_quotes")]


def test_a_workbook_with_many_cells_is_refused_before_it_is_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MOST_CELLS", 7)
    with pytest.raises(TableError, match="spreadsheet_large"):
        read(workbook(HEADER + cells(2, "1", "A", "view", "x")))


def test_a_row_keeps_its_text_for_the_file_of_refused_rows() -> None:
    found = list(opened(EVENTS + '1,"A\n2,B,view,2026-01-01\n').pieces)
    assert [row for block in found for row in block.refused] == [Row(2, ['1,"A'], "broken_quotes")]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([workbook(HEADER + cells(2, "1", "A", "view", "x")), FEED.encode(), gzip.compress(ROWS.encode())]),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=6)), min_size=1, max_size=5),
)
def test_any_damage_is_named(data: bytes, damage: list[tuple[int, bytes]]) -> None:
    for at, piece in damage:
        data = data[: at % len(data)] + piece + data[at % len(data) + len(piece) // 2 :] or b"x"
    with suppress(TableError):
        read(data)
