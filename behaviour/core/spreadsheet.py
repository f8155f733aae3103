"""Rows of an .xlsx as text. Its size is found out before it is opened: a small file can unpack to a terabyte."""

import datetime
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from behaviour.core.packing import archive_of, damage_named
from behaviour.core.parsing import BAD, Row, TableError

# A cell costs about 100 bytes of memory while the sheet is read.
MOST_CELLS, LARGEST_UNPACKED, MOST_TEXT = 3_000_000, 300_000_000, 300_000_000
PIECE = 1 << 20
DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
CELL = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{0,7})["']""")
SHARED = re.compile(rb"""\bt\s*=\s*["']s["'][^>]*>\s*<(?:\w+:)?v>\s*(\d{1,9})""")
SHARED_TEXTS, SHARED_END = re.compile(rb"<(\w+:)?sst\b"), re.compile(rb"</(\w+:)?si>|<(\w+:)?si\s*/>")
# A cell with a formula and no result, as programs write it that do not calculate; an empty text is a result. The counts
# keep the search linear whatever the file holds.
UNCOUNTED = re.compile(
    rb"""<c\b(?![^<>]{0,200}\bt=["']str["'])[^<>]{0,200}>\s{0,9}<f\b[^<>]{0,200}(?:/>|>[^<]{0,8192}</f>)"""
    rb"""\s{0,9}(?:<v\s?/>|<v></v>)?\s{0,9}</c>"""
)
XML = (".xml", ".rels", ".vml")
Value = str | float | bool | datetime.date | datetime.time | datetime.timedelta


def sheets(file: BinaryIO) -> tuple[list[str], bool]:
    """Return the names of the sheets that hold rows, in their order, and whether formulas lack their results.

    Raises
    ------
    TableError : damaged, locked, too large, or made to unpack without end.
    """
    uncounted = _refuse_large(file)
    with _opened(file) as workbook:
        names = [name for name in workbook.sheet_names if workbook.get_sheet_by_name(name).height]
    if not names:
        raise TableError("empty")
    return names, uncounted


def rows(file: BinaryIO, sheet: str) -> Iterator[Row]:
    """Yield the rows of a sheet that are not blank; dates are written as 2026-11-23 06:12:08.

    That the workbook is not too large, ``sheets`` has found out.
    """
    with _opened(file) as workbook:
        table = workbook.get_sheet_by_name(sheet)
    for line, values in enumerate(table.iter_rows(), start=1):
        cells = [as_text(value) for value in values]
        if any(cells):
            yield Row(line, cells, "bad_bytes" if BAD.search("\n".join(cells)) else "")


@contextmanager
def _opened(file: BinaryIO) -> Iterator["CalamineWorkbook"]:  # type: ignore[name-defined]  # noqa: F821 imported within
    import python_calamine

    file.seek(0)
    with damage_named(python_calamine.CalamineError):
        try:
            yield python_calamine.load_workbook(file)
        except python_calamine.PasswordError as error:
            raise TableError("zip_password") from error


def as_text(value: Value) -> str:
    """Return the value of a cell as people would write it into a CSV."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        # Spreadsheets keep times as fractions of a day: 08:26 may come as 08:25:59.999999.
        return (value + datetime.timedelta(milliseconds=0.5)).replace(microsecond=0).isoformat(" ")
    return str(value)


def _refuse_large(file: BinaryIO) -> bool:
    """Refuse a workbook whose cells would not fit into memory; return whether formulas in it lack their results.

    The reader lays out every cell between the first and the last, and writes a shared text into each cell that names
    it: both are added up from the packed XML first, a megabyte at a time.
    """
    archive = archive_of(file)
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > LARGEST_UNPACKED:
        raise TableError("spreadsheet_large")
    with damage_named():
        # A sheet may lie under any name, so every member is looked at.
        lengths = _lengths(archive)
        uncounted = [_measure(archive, info.filename, lengths) for info in infos]
    return any(uncounted)


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield a member piece by piece; entities are refused, and XML that can't be measured."""
    with archive.open(name) as member:
        tail = b""
        while piece := member.read(PIECE):
            if name.lower().endswith(XML):
                if DOCTYPE.search(tail + piece):
                    raise TableError("xml_entities")
                if b"\0" in piece:
                    raise TableError("damaged")
            yield piece
            tail = piece[-32:]


def _lengths(archive: zipfile.ZipFile) -> np.ndarray:
    """Return how long each shared text is, its markup included."""
    ends = [np.zeros(1, dtype=np.int64)]
    for name in archive.namelist():
        before, text = int(ends[-1][-1]), b""
        for n, piece in enumerate(_pieces(archive, name)):
            if n == 0 and not SHARED_TEXTS.search(piece[:2000]):
                break
            text += piece
            if len(text) > 2 * PIECE:
                raise TableError("spreadsheet_large")
            found = [match.end() for match in SHARED_END.finditer(text)]
            if found:
                ends.append(np.array(found, dtype=np.int64) + before)
                before, text = before + found[-1], text[found[-1] :]
    return np.diff(np.concatenate(ends))


def _measure(archive: zipfile.ZipFile, name: str, lengths: np.ndarray) -> bool:
    """Refuse a sheet with too many places between its first and last cell, or too much text in them.

    Returns whether a formula lacks its result.
    """
    uncounted = False
    wide = high = cells = 0
    text = 0
    tail = b""
    for piece in _pieces(archive, name):
        block = tail + piece
        uncounted = uncounted or UNCOUNTED.search(block) is not None
        cut = block.rfind(b"<", 0, max(len(block) - 200, 0))
        block, tail = (block[:cut], block[cut:]) if cut > 0 else (block, b"")
        cells += block.count(b"<c") + block.count(b":c")
        wide, high = _reach(block, wide, high)
        texts = np.array([int(at) for at in SHARED.findall(block)], dtype=np.int64)
        text += int(lengths[texts[texts < len(lengths)]].sum())
        if max(wide * high, cells) > MOST_CELLS or text > MOST_TEXT:
            raise TableError("spreadsheet_large")
    wide, high = _reach(tail, wide, high)
    if wide * high > MOST_CELLS:
        raise TableError("spreadsheet_large")
    return uncounted


def _reach(block: bytes, wide: int, high: int) -> tuple[int, int]:
    """Return the last column and row that are named in a piece of a sheet, or before it."""
    found = CELL.findall(block)
    columns = (_number(column) for column in {column for column, _row in found})
    rows = (int(row or 0) for row in {row for _column, row in found})
    return max([wide, *columns]), max([high, *rows])


def _number(column: bytes) -> int:
    """Return the number of a column: A = 1, Z = 26, AA = 27."""
    n = 0
    for letter in column.upper():
        n = n * 26 + letter - 64
    return n
