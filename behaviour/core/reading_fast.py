"""Text to columns, a million rows a second: what is sound goes through pyarrow, the rest through the careful way.

A piece of the file is *sound* when any reader understands it alike: UTF-8 without control signs, and every quote at
the edge of a cell or doubled within one. Its records are found by their bytes, so each keeps its line.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from behaviour.core.parsing import (
    LONGEST_CELL,
    LONGEST_RECORD,
    PIECE,
    Block,
    Chunk,
    Row,
    Source,
    as_block,
    careful,
    tidy,
)

# Bytes that the careful way reads before the fast one is tried again.
CAREFUL_BYTES = 32_768
CONTROL = re.compile(b"[\x00-\x08\x0e-\x1f\x7f]")
MARK, UNREADABLE = b"\xef\xbb\xbf", "\ufffd".encode()
NEWLINE, RETURN, SPACE, QUOTE = 10, 13, 32, 34


@dataclass(frozen=True)
class _Sound:
    """Records at the front of a piece: ``size`` bytes, where each begins and ends, on which line of the piece."""

    size: int
    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray
    n_lines: int


def segments(source: Source, delimiter: str, width: int) -> Iterator[Block]:
    """Yield the records that come, in pieces of any size; ``end`` counts within the piece."""
    patience = CAREFUL_BYTES
    while piece := source.peek(PIECE):
        sound = _sound(piece, ord(delimiter), final=source.ends_with(piece))
        block = _parsed(piece, sound, source.line, delimiter, width) if sound else None
        if sound and block is not None:
            source.take(sound.size, sound.n_lines)
        else:
            rows = list(_some(source, delimiter, patience))
            block = as_block(Chunk(rows, len(rows)), width)
        # In a file that is odd throughout, looking for sound pieces is a waste.
        small = sound is None or sound.size < patience
        patience = min(2 * patience, PIECE) if small else CAREFUL_BYTES
        if len(block):
            yield block


def _some(source: Source, delimiter: str, n_bytes: int) -> Iterator[Row]:
    """Yield rows by the careful way until it has read enough; the source stands behind the last of them."""
    before = source.taken
    for row in careful(source, delimiter):
        yield row
        if source.taken - before > n_bytes:
            return


def _sound(piece: bytes, delimiter: int, *, final: bool) -> _Sound | None:
    """Find the records before the first thing that readers understand differently."""
    text = np.frombuffer(piece, dtype=np.uint8)
    limit = _first_odd_byte(piece, text)
    breaks = np.flatnonzero(text == NEWLINE)
    ends = breaks
    quotes = np.flatnonzero(text == QUOTE) if b'"' in piece else np.empty(0, dtype=np.int64)
    if len(quotes):
        limit = min(limit, _first_odd_quote(text, quotes, delimiter))
        ends = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    whole = final and limit >= len(piece) and len(quotes) % 2 == 0
    if whole and piece[-1] != NEWLINE:
        ends = np.append(ends, len(piece))
    ends = ends[ends < limit] if limit < len(piece) else ends
    if not len(ends):
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    lines = np.searchsorted(breaks, starts)
    far = (ends - starts > LONGEST_CELL) | (np.diff(lines, append=lines[-1]) > LONGEST_RECORD)
    far[-1] |= np.searchsorted(breaks, ends[-1]) + 1 - lines[-1] > LONGEST_RECORD
    n = int(far.argmax()) if far.any() else len(ends)
    if n == 0:
        return None
    size = min(int(ends[n - 1]) + 1, len(piece))
    n_lines = int(np.searchsorted(breaks, size))
    return _Sound(size, starts[:n], ends[:n], lines[:n], n_lines)


def _first_odd_byte(piece: bytes, text: np.ndarray) -> int:
    """Return where the first byte lies that is no UTF-8, a control sign, or a line break of its own kind."""
    odd = [len(piece)]
    if piece.startswith(MARK):
        return 0
    if not piece.isascii():
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError as error:
            odd.append(error.start)
        if (at := piece.find(UNREADABLE)) >= 0:
            odd.append(at)
    signs, with_breaks, below_space = (np.count_nonzero(text < limit) for limit in (9, 14, 32))
    if (signs or with_breaks < below_space or b"\x7f" in piece) and (found := CONTROL.search(piece)):
        odd.append(found.start())
    if b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n"):
        returns = np.flatnonzero(text == RETURN)
        odd.append(int(returns[np.append(text, 0)[returns + 1] != NEWLINE][0]))
    return min(odd)


def _first_odd_quote(text: np.ndarray, quotes: np.ndarray, delimiter: int) -> int:
    """Return where the first quote lies that neither opens nor closes a cell nor is doubled within one."""
    opening, closing = quotes[0::2], quotes[1::2]
    last = len(text) - 1
    before = np.where(opening > 0, text[opening - 1], NEWLINE)
    after = np.where(closing < last, text[np.minimum(closing + 1, last)], NEWLINE)
    edges = (delimiter, NEWLINE, QUOTE)
    odd = np.concatenate((opening[~np.isin(before, edges)], closing[~np.isin(after, (*edges, RETURN))]))
    return int(odd.min()) if len(odd) else len(text)


def _parsed(piece: bytes, sound: _Sound, line: int, delimiter: str, width: int) -> Block | None:
    """Let pyarrow read sound records; None when it counts other records than we do."""
    text = np.frombuffer(piece, dtype=np.uint8)
    lengths = sound.ends - sound.starts
    blank = (lengths == 0) | ((lengths == 1) & (text[np.minimum(sound.starts, len(piece) - 1)] == RETURN))
    places = np.flatnonzero(~blank)
    frame, skipped = _arrow(piece[: sound.size], delimiter, width) if len(places) else (_none(width), [])
    if len(frame) + len(skipped) != len(places):
        return None
    lines = sound.lines[places] + line
    ragged = [_record(piece, sound, places[at], int(lines[at]), delimiter) for at in skipped]
    frame = frame.insert_column(0, pl.Series("line", np.delete(lines, skipped), dtype=pl.Int64))
    frame = _without_empty(frame, width)
    good, refused = tidy([row for row in ragged if any(row.cells)], width)
    if good:
        frame = pl.concat([frame, as_block(Chunk(good), width).frame]).sort("line")
    tight = sound.n_lines <= len(sound.starts) and _tight(piece, text[: sound.size], ord(delimiter))
    return Block(frame, refused, len(frame) + len(refused), tight=tight)


def _tight(piece: bytes, text: np.ndarray, delimiter: int) -> bool:
    """Say whether surely no cell begins or ends with white space, where no cell holds a line break.

    Beyond ASCII, or with tabs, nobody looks.
    """
    if not piece.isascii() or any(sign in piece for sign in (b"\t", b"\v", b"\f")):
        return False
    spaces = np.flatnonzero(text == SPACE)
    if not len(spaces):
        return True
    edges = np.zeros(256, dtype=bool)
    edges[[delimiter, NEWLINE, RETURN, QUOTE]] = True
    last = len(text) - 1
    around = text[np.concatenate((np.maximum(spaces - 1, 0), np.minimum(spaces + 1, last)))]
    return bool(spaces[0] > 0 and spaces[-1] < last and not edges[around].any())


def _arrow(text: bytes, delimiter: str, width: int) -> tuple[pl.DataFrame, list[int]]:
    """Return the records with ``width`` cells, and the places of the others."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    skipped: list[int] = []

    def skip(row: arrow.InvalidRow) -> str:
        skipped.append(row.number - 1)
        return "skip"

    names = [f"c{at}" for at in range(width)]
    table = arrow.read_csv(
        pa.BufferReader(text),
        # With threads the rows have no numbers.
        read_options=arrow.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        parse_options=arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
        convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return pl.DataFrame(table), skipped


def _none(width: int) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys((f"c{at}" for at in range(width)), pl.String))


def _record(piece: bytes, sound: _Sound, place: int, line: int, delimiter: str) -> Row:
    """Read one sound record by itself."""
    text = piece[sound.starts[place] : sound.ends[place]].decode("utf-8").removesuffix("\r")
    return Row(line, next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), []))


def _without_empty(frame: pl.DataFrame, width: int) -> pl.DataFrame:
    """Leave out records of which no cell holds anything; they are blank lines."""
    if not (frame["c0"] == "").any():
        return frame
    return frame.filter(pl.any_horizontal(pl.col(f"c{at}") != "" for at in range(width)))
