"""Bytes to rows: packing, encoding, separator, broken quotes. Every row keeps its line; none is lost silently."""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

import polars as pl
from charset_normalizer import from_bytes

HEAD_BYTES = 256_000
DELIMITERS = ",;\t|"
# A quoted cell may hold line breaks; a quote that is never closed would swallow the file.
LONGEST_RECORD = 50
LONGEST_CELL = 131_072
MOST_COLUMNS = 500
# Characters that a chunk holds at most, so that rows of any width fit into memory.
HEAVIEST = 32_000_000
# Western files decode as many of their neighbours; this is the one that shops in fact use.
WESTERN = "cp1252"
NEIGHBOURS = frozenset(
    {"cp1250", "cp1254", "cp1257", "cp1258", "latin_1", "iso8859_15", "iso8859_9", "hp_roman8", "cp775"}
)
# What reading a damaged or cut-off packing raises.
DAMAGE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, UnicodeError, NotImplementedError)


class TableError(ValueError):
    """The file as a whole can't be read. ``code`` names why; the words are chosen where people read them."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass(frozen=True)
class Shape:
    """How the text of a file is written."""

    encoding: str
    delimiter: str


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
    """

    frame: pl.DataFrame
    refused: list[Row] = field(default_factory=list)
    end: int = 0

    def __len__(self) -> int:
        return len(self.frame) + len(self.refused)

    def rows(self, places: Sequence[int]) -> list[Row]:
        """Return the records at these places of the frame, as they stand in the file."""
        return [Row(line, list(cells)) for line, *cells in self.frame[places].iter_rows()]


def unpacked(file: BinaryIO) -> BinaryIO:
    """Return the stream of the table itself: the file, or the one file in a .gz or .zip."""
    magic = file.read(4)
    file.seek(0)
    if not magic:
        raise TableError("empty")
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _only_member(file)
    return file


def _only_member(file: BinaryIO) -> BinaryIO:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise TableError("damaged") from error
    names = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    if any(info.filename == "[Content_Types].xml" for info in names):
        raise TableError("spreadsheet")
    if len(names) != 1:
        raise TableError("zip_members", n=len(names))
    if names[0].flag_bits & 0x1:
        raise TableError("zip_password")
    try:
        return archive.open(names[0])  # type: ignore[return-value]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise TableError("damaged") from error


def look(file: BinaryIO) -> Shape:
    """Find encoding and separator from the first 256 kB.

    Raises
    ------
    TableError : empty, damaged, or not text.
    """
    try:
        head = unpacked(file).read(HEAD_BYTES)
    except DAMAGE as error:
        raise TableError("damaged") from error
    finally:
        file.seek(0)
    encoding = _encoding(head)
    text = head.decode(encoding, errors="replace").replace("\0", "")
    if not text.strip():
        raise TableError("empty")
    return Shape(encoding, _delimiter(text))


def _encoding(head: bytes) -> str:
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if head.startswith(mark):
            return name
    even, odd = head[:2000:2], head[1:2000:2]
    if odd.count(0) > 0.4 * len(odd) > 0 and not even.count(0):
        return "utf-16-le"
    if sum(byte < 9 or 13 < byte < 27 for byte in head[:4000]) > len(head[:4000]) / 100:
        raise TableError("not_text")
    try:
        # The cut may go through a character.
        head[: len(head) - 4 if len(head) == HEAD_BYTES else None].decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 8 and len(head) == HEAD_BYTES:
            return "utf-8"
    best = from_bytes(head).best()
    if best is None:
        raise TableError("not_text")
    return WESTERN if best.encoding in NEIGHBOURS else best.encoding


def _delimiter(text: str) -> str:
    """Return the separator that splits the first lines most evenly; a comma where none does."""
    lines = [line for line in text.splitlines()[:30] if line.strip()][:20]
    best, most = ",", 0.0
    for sign in DELIMITERS:
        counts = [len(cells) - 1 for cells in _try(lines, sign)]
        if counts and counts[0]:
            even = sum(count == counts[0] for count in counts) / len(counts)
            if even * even * counts[0] ** 0.5 > most:
                best, most = sign, even * even * counts[0] ** 0.5
    return best


def _try(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return [line.split(delimiter) for line in lines]


class _EndlessError(Exception):
    """A quote was opened and not closed for too long."""


class _Lines:
    """Lines of the file; those of the current record are remembered, so that they can be read again."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._again: list[str] = []
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LONGEST_RECORD:
            raise _EndlessError
        line = self._again.pop() if self._again else next(self._text)
        self.taken.append(line)
        self.number += 1
        return line.replace("\0", "")

    def put_back(self) -> str:
        """Keep the first line of the record, give the others back."""
        first, rest = self.taken[0], self.taken[1:]
        self._again.extend(reversed(rest))
        self.number -= len(rest)
        return first


def records(file: BinaryIO, shape: Shape) -> Iterator[Row]:
    """Yield every record of the file, the header first; blank lines are passed over.

    A row whose quotes are broken comes back as one cell with ``broken`` set, and reading goes on with the next line.

    Raises
    ------
    TableError : the packing is damaged.
    """
    text = io.TextIOWrapper(unpacked(file), encoding=shape.encoding, errors="replace", newline="")
    lines = _Lines(iter(text))
    reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
    while True:
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _EndlessError):
            first = lines.put_back().replace("\0", "").rstrip("\r\n")
            cells = _leniently(first, shape.delimiter)
            yield Row(lines.number, cells or [first], "" if cells else "broken_quotes")
            continue
        except DAMAGE as error:
            raise TableError("damaged") from error
        if any(cells):
            yield Row(lines.number - len(lines.taken) + 1, cells)


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


def chunks(rows: Iterator[Row], *, size: int, most: int, together: int | None = None) -> Iterator[Chunk]:
    """Cut records into chunks, at the same places in every reading of the file.

    Parameters
    ----------
    size : int
        Rows after which a chunk ends.
    most : int, >= size
        Rows that it never exceeds.
    together : int or None
        Column whose equal neighbours (the lines of one order) stay in one chunk as far as ``most`` allows.
    """
    chunk, weight = Chunk(), 0
    for row in rows:
        n = len(chunk.rows)
        if n >= most or weight > HEAVIEST or (n >= size and not _same(chunk.rows[-1], row, together)):
            yield chunk
            chunk, weight = Chunk(end=chunk.end), 0
        weight += sum(map(len, row.cells))
        chunk.rows.append(row)
        chunk.end += 1
    if chunk.rows:
        yield chunk


def sample(rows: Iterator[Row], n: int, width: int) -> Block:
    """Return the first ``n`` rows, fewer where they are very wide."""
    return as_block(next(chunks(rows, size=n, most=n), Chunk()), width)


def as_block(chunk: Chunk, width: int) -> Block:
    """Turn rows into columns; those with more or fewer cells than ``width`` are refused.

    Empty cells too many at the end are no harm.
    """
    good, refused = _tidy(chunk.rows, width)
    columns = {f"c{at}": [row.cells[at] for row in good] for at in range(width)}
    schema = {"line": pl.Int64, **dict.fromkeys(columns, pl.String)}
    return Block(pl.DataFrame({"line": [row.line for row in good], **columns}, schema=schema), refused, chunk.end)


def _tidy(rows: Iterable[Row], width: int) -> tuple[list[Row], list[Row]]:
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


def _same(one: Row, other: Row, column: int | None) -> bool:
    if column is None or len(one.cells) <= column or len(other.cells) <= column:
        return False
    return one.cells[column] == other.cells[column]
