"""Text to records, carefully: every record keeps its line; none is lost silently. This is the slow, exact way."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, NamedTuple

import polars as pl

# A quoted cell may hold line breaks; a quote that is never closed would swallow the file.
LONGEST_RECORD = 50
LONGEST_CELL = 131_072
MOST_COLUMNS = 500
PIECE, LIKELY_LINE = 1 << 20, 1000
# What no text holds: control signs, and the sign that stands for bytes that could not be read.
BAD = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffd]")
LINE_BREAK = re.compile(rb"[\r\n]")


class TableError(ValueError):
    """The file as a whole can't be read. ``code`` names why; the words are chosen where people read them."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass(frozen=True)
class Shape:
    """How a file is written.

    form : "csv", "xlsx" or "xml".
    skip : lines (of a spreadsheet: rows) above the header.
    header : the first row holds names; else the columns are numbered.
    sheet, others : which sheet of a spreadsheet is read, and which ones are not.
    columns : how many there are; 0 = as many as the header has names.
    names : of the columns of an XML feed.
    unsure : other encodings that fit as well.
    uncounted : formulas of a spreadsheet lack their results, and are read as empty.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    form: str = "csv"
    skip: int = 0
    header: bool = True
    sheet: str = ""
    columns: int = 0
    names: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    uncounted: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Shape":
        """Return the shape that was kept as JSON."""
        values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in stored.items()}
        return cls(**values)

    def stored(self) -> dict[str, Any]:
        """Return the shape as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Row(NamedTuple):
    """One record. ``broken`` names why its cells can't be trusted; line counts from 1, the header."""

    line: int
    cells: list[str]
    broken: str = ""


@dataclass
class Chunk:
    """Some records after another. ``end`` is how many records of the file came up to here."""

    rows: list[Row] = field(default_factory=list)
    end: int = 0


@dataclass
class Block:
    """Some records after another, as columns.

    frame : ``line`` (counts from 1, the header) and one text column ``c0``, ``c1``, … for each column of the header,
        never null, "" = empty, edges as they are in the file.
    refused : records whose cells can't be trusted; ``broken`` says why.
    end : records of the file up to here, refused ones included.
    tight : surely no cell has a space at its edges.
    """

    frame: pl.DataFrame
    refused: list[Row] = field(default_factory=list)
    end: int = 0
    tight: bool = False

    def __len__(self) -> int:
        return len(self.frame) + len(self.refused)

    def rows(self, places: Sequence[int]) -> list[Row]:
        """Return the records at these places of the frame, as they stand in the file."""
        return [Row(line, list(cells)) for line, *cells in self.frame[places].iter_rows()]


class Source:
    """A stream of UTF-8 bytes, taken from the front.

    line : number of the line that comes next.
    taken : bytes so far.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0
        self.line = 1
        self.taken = 0
        self.ended = False

    def peek(self, size: int) -> bytes:
        """Return up to ``size`` bytes that come next; fewer only at the end of the file."""
        self._hold(size)
        return self._held[self._at : self._at + size]

    def _hold(self, size: int) -> None:
        while len(self._held) - self._at < size and not self.ended:
            more = self._stream.read(max(size, PIECE))
            self.ended = not more
            self._held = self._held[self._at :] + more
            self._at = 0

    def take(self, size: int, lines: int) -> None:
        """Pass over bytes that were peeked at, and the lines in them."""
        self._at += size
        self.taken += size
        self.line += lines

    def ends_with(self, piece: bytes) -> bool:
        """Say whether nothing comes after what was peeked at."""
        return self.ended and len(self._held) - self._at == len(piece)

    def next_line(self, offset: int) -> bytes:
        """Return the line that begins ``offset`` bytes from here with its line break; empty at the end."""
        size = offset + LIKELY_LINE
        while True:
            self._hold(size)
            found = LINE_BREAK.search(self._held, self._at + offset)
            # Whether a \n follows the \r, only the next byte tells.
            if found and (found.end() < len(self._held) or self.ended or found.group() == b"\n"):
                end = found.end() + (self._held[found.start() : found.end() + 1] == b"\r\n")
                return self._held[self._at + offset : end]
            if self.ended:
                return self._held[self._at + offset :]
            size *= 2


class _EndlessError(Exception):
    """A quote was opened and not closed for too long."""


class _Lines:
    """The lines of one record after another; they are taken from the source when the record is settled."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sizes: list[int] = []
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LONGEST_RECORD:
            raise _EndlessError
        line = self._source.next_line(sum(self._sizes))
        if not line:
            raise StopIteration
        self._sizes.append(len(line))
        self.taken.append(line.decode("utf-8", "replace").replace("\0", "\ufffd"))
        return self.taken[-1]

    def settle(self, n: int | None = None) -> None:
        """Take the first ``n`` lines of the record (all of them) from the source; the others come again."""
        sizes = self._sizes[:n]
        self._source.take(sum(sizes), len(sizes))
        self._sizes.clear()
        self.taken.clear()


def careful(source: Source, delimiter: str) -> Iterator[Row]:
    """Yield record after record; blank lines are passed over. Between two, the source stands behind the first.

    A record whose quotes are broken comes back as one cell with ``broken`` set, and reading goes on with the next line.
    """
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        at = source.line
        try:
            cells = next(reader)
            text = "".join(lines.taken)
            lines.settle()
        except StopIteration:
            return
        except (csv.Error, _EndlessError):
            text = lines.taken[0].rstrip("\r\n")
            lines.settle(1)
            cells = _leniently(text, delimiter)
            if not cells:
                yield Row(at, [text], "broken_quotes")
                continue
        if any(cells):
            yield Row(at, cells, "bad_bytes" if BAD.search(text) else "")


def _leniently(line: str, delimiter: str) -> list[str]:
    """Read a line whose quotes are within its cells ('"HELLO" SIGN'); nothing when a quote swallows a separator."""
    cells = line.split(delimiter)
    if line.count('"') % 2 or any(len(cell) > LONGEST_CELL for cell in cells):
        return []
    try:
        read = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return read if len(read) == len(cells) else []


def as_block(chunk: Chunk, width: int) -> Block:
    """Turn rows into columns; those with more or fewer cells than ``width`` are refused.

    Empty cells too many at the end are no harm.
    """
    good, refused = tidy(chunk.rows, width)
    columns = {f"c{at}": [row.cells[at] for row in good] for at in range(width)}
    schema = {"line": pl.Int64, **dict.fromkeys(columns, pl.String)}
    return Block(pl.DataFrame({"line": [row.line for row in good], **columns}, schema=schema), refused, chunk.end)


def tidy(rows: Iterable[Row], width: int) -> tuple[list[Row], list[Row]]:
    """Part the rows that have a cell for each column from those that are refused."""
    good, refused = [], []
    for row in rows:
        if row.broken:
            refused.append(row)
        elif len(row.cells) == width or (len(row.cells) > width and not any(row.cells[width:])):
            good.append(row)
        else:
            reason = "too_many_cells" if len(row.cells) > width else "too_few_cells"
            refused.append(row._replace(broken=reason))
    return good, refused
