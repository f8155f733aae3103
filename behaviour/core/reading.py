"""A file opened as a table: its header, what is odd about it, and its records in pieces. The one door to all forms."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO

from behaviour.core import feed, spreadsheet
from behaviour.core.encodings import as_utf8
from behaviour.core.packing import damage_named, unpacked
from behaviour.core.parsing import MOST_COLUMNS, Block, Chunk, Row, Shape, Source, TableError, as_block, careful
from behaviour.core.reading_fast import segments

BATCH = 5000
LONGEST_NAME = 200


@dataclass(frozen=True)
class Opened:
    """An open file.

    header : the name of each column, each another one.
    notes : what a person should know about the header: dicts with ``code`` and details.
    pieces : the records below the header.
    """

    header: list[str]
    notes: list[dict[str, Any]]
    pieces: Iterator[Block]


def open_file(file: BinaryIO, shape: Shape) -> Opened:
    """Open a file of a known shape.

    Raises
    ------
    TableError : it is damaged, has no header, or too many columns.
    """
    with damage_named():
        if shape.form == "csv":
            source = Source(as_utf8(unpacked(file), shape.encoding))
            _skip(source, shape.skip)
            names = next(careful(source, shape.delimiter), Row(1, [])).cells if shape.header else []
            header, notes = _named(names, shape)
            pieces = segments(source, shape.delimiter, len(header))
        else:
            rows = _rows(file, shape)
            names = next(rows, Row(1, [])).cells if shape.header else []
            header, notes = _named(names, shape)
            pieces = _in_batches(rows, len(header))
    return Opened(header, notes, _guarded(pieces))


def _skip(source: Source, n: int) -> None:
    for _line in range(n):
        source.take(len(source.next_line(0)), 1)


def _rows(file: BinaryIO, shape: Shape) -> Iterator[Row]:
    if shape.form == "xml":
        rows = feed.rows(unpacked(file), shape.encoding, shape.names)
        return chain([Row(1, list(shape.names))], rows)
    return (row for row in spreadsheet.rows(file, shape.sheet) if row.line > shape.skip)


def _in_batches(rows: Iterator[Row], width: int) -> Iterator[Block]:
    while some := list(islice(rows, BATCH)):
        yield as_block(Chunk(some, len(some)), width)


def _guarded(pieces: Iterator[Block]) -> Iterator[Block]:
    with damage_named():
        yield from pieces


def _named(cells: list[str], shape: Shape) -> tuple[list[str], list[dict[str, Any]]]:
    """Give every column a name of its own."""
    width = shape.columns or len(cells)
    names = [cell.strip()[:LONGEST_NAME] for cell in cells[:width]]
    names += [""] * (width - len(names))
    if len(names) > MOST_COLUMNS:
        raise TableError("too_many_columns")
    if not names or (shape.header and not any(names)):
        raise TableError("empty")
    notes: list[dict[str, Any]] = []
    if shape.skip and shape.form != "xml":
        notes.append({"code": "lines_above", "n": shape.skip})
    if not shape.header:
        notes.append({"code": "no_header"})
    elif unnamed := sum(not name for name in names):
        notes.append({"code": "columns_unnamed", "n": unnamed})
    twice = [name for name, n in Counter(filter(None, names)).items() if n > 1]
    if twice:
        notes.append({"code": "names_twice", "names": twice})
    if shape.others:
        notes.append({"code": "sheets_left", "sheet": shape.sheet, "names": list(shape.others)})
    if shape.uncounted:
        notes.append({"code": "formulas_uncounted"})
    return _distinct(names), notes


def _distinct(names: list[str]) -> list[str]:
    """Return names of which no two are alike: "price", "price (2)"; "column 3" where there was none."""
    taken: set[str] = set()
    distinct = []
    for at, name in enumerate(names, start=1):
        wanted, n = name or f"column {at}", 1
        own = wanted
        while own in taken or (own != name and own in names):
            n += 1
            own = f"{wanted} ({n})"
        taken.add(own)
        distinct.append(own)
    return distinct
