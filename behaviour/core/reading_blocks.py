"""Pieces to blocks: always cut at the same places, the lines of an order kept together."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from behaviour.core.parsing import Block, Row

# Bytes of cells that a block holds at most, so that rows of any width fit into memory.
HEAVIEST = 32_000_000
# A report may end in its sum.
SUMMARY = re.compile(
    r"^\W*(grand |sub)?(totals?|sum|summe|gesamt\w*|somme|suma|totale|insgesamt|合计|总计|小计|总和|合計|小計)\b\W*$",
    re.IGNORECASE,
)
SUMMARY_ROWS = 3


def blocks(pieces: Iterator[Block], *, size: int, most: int, together: int | None = None) -> Iterator[Block]:
    """Cut records into blocks.

    Parameters
    ----------
    size : records after which a block ends.
    most : >= size; records that it never exceeds.
    together : column whose equal neighbours (the lines of one order) stay in one block as far as ``most`` allows.
    """
    held: list[Block] = []
    done = 0
    for piece in pieces:
        held.append(piece)
        while sum(map(len, held)) > most:
            block, held = _first(held, size, most, together)
            done += len(block)
            yield _counted(block, done)
        if sum(piece.frame.estimated_size() for piece in held) > HEAVIEST:
            block, held = _joined(held), []
            done += len(block)
            yield _counted(block, done)
    while held:
        block, held = _first(held, size, most, together)
        block = block if held else without_summary(block)
        done += len(block)
        yield _counted(block, done)


def _counted(block: Block, end: int) -> Block:
    return replace(block, frame=block.frame.rechunk(), end=end)


def _joined(held: list[Block]) -> Block:
    frame = pl.concat([piece.frame for piece in held])
    return Block(frame, [row for piece in held for row in piece.refused], tight=all(piece.tight for piece in held))


def _first(held: list[Block], size: int, most: int, together: int | None) -> tuple[Block, list[Block]]:
    """Return the records up to the first cut, and the rest."""
    whole = _joined(held)
    if len(whole) <= size:
        return whole, []
    good = whole.frame["line"].to_numpy()
    lines = np.sort(np.concatenate((good, np.array([row.line for row in whole.refused], dtype=np.int64))))
    at = _cut(whole, lines, size, most, together)
    # A record that holds several lines of an order is never cut.
    at = int(np.searchsorted(lines, lines[at - 1], side="right"))
    if at >= len(lines):
        return whole, []
    border = int(lines[at])
    n = int(np.searchsorted(good, border))
    front = replace(whole, frame=whole.frame[:n], refused=[row for row in whole.refused if row.line < border])
    rest = replace(whole, frame=whole.frame[n:], refused=[row for row in whole.refused if row.line >= border])
    return front, [rest]


def _cut(whole: Block, lines: np.ndarray, size: int, most: int, together: int | None) -> int:
    """Return before which record to cut."""
    if together is None:
        return size
    near = [int(line) for line in lines[size - 1 : most + 1]]
    between = whole.frame.filter(pl.col("line").is_between(near[0], near[-1]))
    orders = dict(between.select("line", f"c{together}").iter_rows())
    orders |= {row.line: row.cells[together] for row in whole.refused if len(row.cells) > together}
    for at, (one, other) in enumerate(pairwise(near), start=size):
        if at >= most or one not in orders or other not in orders or orders[one] != orders[other]:
            return at
    return min(most, len(lines))


def without_summary(block: Block) -> Block:
    """Refuse the sum below the last record: "Total", and little else."""
    refused = [_summary(row) for row in block.refused]
    tail = block.frame[-SUMMARY_ROWS:]
    width = tail.width - 1
    sums = [
        Row(line, list(cells), "summary_line")
        for line, *cells in tail.iter_rows()
        if width > 1 and _is_summary(list(cells)) and sum(map(bool, cells)) <= max(width // 2, 1)
    ]
    if not sums:
        return replace(block, refused=refused)
    lines = [row.line for row in sums]
    return replace(block, frame=block.frame.filter(~pl.col("line").is_in(lines)), refused=sorted([*refused, *sums]))


def _summary(row: Row) -> Row:
    ragged = row.broken in ("too_few_cells", "too_many_cells")
    return row._replace(broken="summary_line") if ragged and _is_summary(row.cells) else row


def _is_summary(cells: list[str]) -> bool:
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    return bool(SUMMARY.match(first))
