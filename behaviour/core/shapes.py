"""How a file is written: form, encoding, separator, and where its header stands. Found by looking at its front."""

import io
import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

from behaviour.core import feed, spreadsheet
from behaviour.core.columns import recognise
from behaviour.core.encodings import as_utf8, encoding_of
from behaviour.core.packing import HEAD_BYTES, head_of, is_workbook, read_through, unpacked
from behaviour.core.parsing import Row, Shape, Source, TableError, careful

DELIMITERS = ",;\t|"
# Records at the front of a file that are looked at for its header.
NEAR = 40
SEPARATOR_LINE = re.compile(r"^\s*\"?sep=(.)\"?\s*$", re.IGNORECASE)
# Numbers, dates, addresses: what stands in rows, not in headers.
DATA = re.compile(r"^[-+(]?\s?[€$£¥]?\s?\d[\d.,:/T Z+-]*\s?[%€$£¥]?\)?$|^\S+@\S+\.\S+$|^https?://")


def look(file: BinaryIO, *, encoding: str = "", delimiter: str = "") -> Shape:
    """Read a file to its end and find out how it is written; a person's choice goes before what is seen.

    Raises
    ------
    TableError : empty, damaged, far too large when unpacked, or no table.
    """
    if is_workbook(file):
        return _workbook(file)
    head = head_of(file)
    is_feed = feed.is_feed(head)
    # A feed may well stand on one line.
    telling = read_through(file, by_lines=not is_feed)
    file.seek(0)
    if is_feed:
        written = feed.encoding_of_feed(head)
        shape = Shape(written, ",", "xml", names=feed.names(unpacked(file), written))
        file.seek(0)
        return shape
    written, unsure = _encoding(head, encoding, telling)
    text = as_utf8(io.BytesIO(head), written).read(HEAD_BYTES * 4)
    if not text.strip():
        raise TableError("empty")
    return _table(text, Shape(written, delimiter, unsure=unsure))


def _encoding(head: bytes, chosen: str, telling: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the encoding; ``telling`` is a later piece with other letters than ASCII, for a front that has none."""
    seen, unsure = ("", ()) if chosen and not head.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) else (
        encoding_of(head, cut=len(head) == HEAD_BYTES)
    )  # fmt: skip
    if not seen:
        return chosen, ()
    if seen == "utf-8" and telling and head.isascii():
        return encoding_of(_between_breaks(telling), cut=True)
    return seen, unsure


def _between_breaks(piece: bytes) -> bytes:
    """Return whole lines only, so that the first character is not half."""
    return piece[piece.find(b"\n") + 1 :] if b"\n" in piece else piece


def _table(text: bytes, shape: Shape) -> Shape:
    first, _, _rest = text.partition(b"\n")
    told = SEPARATOR_LINE.match(first.decode("utf-8", "replace").strip("\r"))
    delimiter = shape.delimiter or (told.group(1) if told else _delimiter(text.decode("utf-8", "replace")))
    source = Source(io.BytesIO(text))
    if told:
        source.take(len(source.next_line(0)), 1)
    records = list(islice(careful(source, delimiter), NEAR))
    return placed(Shape(shape.encoding, delimiter, unsure=shape.unsure), records)


def _workbook(file: BinaryIO) -> Shape:
    names, uncounted = spreadsheet.sheets(file)
    records = list(islice(spreadsheet.rows(file, names[0]), NEAR))
    return placed(Shape(form="xlsx", sheet=names[0], others=tuple(names[1:]), uncounted=uncounted), records)


def placed(shape: Shape, records: list[Row]) -> Shape:
    """Add where the header stands among the first records, or that there is none."""
    rows = [row for row in records if not row.broken and not row.cells[0].lstrip().startswith("#")] or records
    if not rows:
        raise TableError("empty")
    counts = Counter(len(row.cells) for row in rows)
    usual = max(counts, key=lambda width: (counts[width], width))
    header = _header(rows, usual)
    if header is None:
        first = next((row for row in rows if len(row.cells) == usual), rows[0])
        return replace(shape, skip=first.line - 1, header=False, columns=usual)
    width = len(header.cells)
    while width > usual and not header.cells[width - 1].strip():
        width -= 1
    return replace(shape, skip=header.line - 1, header=True, columns=width)


def _header(rows: list[Row], usual: int) -> Row | None:
    """Return the record that names the columns: filled, without numbers or dates, known names before others."""
    likely = [row for row in rows if _names_columns(row.cells, usual)]
    whole = [row for row in likely if len(row.cells) == usual]
    first = rows[0]
    best = max(whole, key=lambda row: (_known(row.cells), -row.line), default=None)
    if first in likely and (best is None or _known(best.cells) < 2 or _known(first.cells) > 0):
        return first
    if best is not None:
        return best if _known(best.cells) or best is whole[0] else whole[0]
    # A name that we know makes a header of a row with an odd one in it.
    return first if _known(first.cells) or len(first.cells) != usual or not _holds_data(first.cells) else None


def _names_columns(cells: list[str], usual: int) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return 2 * len(filled) > usual and not _holds_data(cells)


def _holds_data(cells: list[str]) -> bool:
    return any(DATA.match(cell.strip()) or len(cell) > 200 for cell in cells)


def _known(cells: list[str]) -> int:
    return len(recognise([cell.strip() for cell in cells]).columns)


def _delimiter(text: str) -> str:
    """Return the separator that splits the first lines most evenly; a comma where none does."""
    lines = [line for line in text.splitlines()[:NEAR] if line.strip()]
    best, most = ",", 0.0
    for sign in DELIMITERS:
        counts = [len(row.cells) - 1 for row in careful(Source(io.BytesIO("\n".join(lines).encode())), sign)]
        usual = max(set(counts), key=lambda n: (counts.count(n), n), default=0)
        even = counts.count(usual) / len(counts) if counts else 0
        if usual and even * even * usual**0.5 > most:
            best, most = sign, even * even * usual**0.5
    return best
