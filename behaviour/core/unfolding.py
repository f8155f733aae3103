"""Exports with a row for each order and a column for each of its products, to a row for each product.

WooCommerce's "Order Export & Order Import" (WebToffee) writes ``line_item_1``, ``line_item_2``, … as wide as the
largest order. Everything behind this door counts, judges and refuses lines of orders, as in every other file.
"""

import re
from collections.abc import Iterator, Sequence

import polars as pl

from behaviour.core.layouts.base import plain
from behaviour.core.layouts.woocommerce import LINE_ITEM, WIDE
from behaviour.core.parsing import Block, Row

# The same again, cell by cell, where the extension was told so.
FOLDED = re.compile(r"(line_item_\d+|Product Item \d+ (Name|id|SKU|Quantity|Total|Subtotal))", re.IGNORECASE)
ITEM = re.compile(r"line_item_\d+", re.IGNORECASE)


def unfold(header: Sequence[str], pieces: Iterator[Block]) -> tuple[list[str], Iterator[Block]]:
    """Return header and records with one product in each, all of an order's with its line; other files unchanged.

    An order without products stays one record. A record that can't be read keeps its cells beside each other.
    """
    items = [at for at, name in enumerate(header) if ITEM.fullmatch(name.strip())]
    kept = [at for at, name in enumerate(header) if not FOLDED.fullmatch(name.strip())]
    names = [*(header[at] for at in kept), LINE_ITEM]
    if not items or plain(LINE_ITEM) in {plain(name) for name in header} or not WIDE.fits(names):
        return list(header), pieces
    return names, (_unfolded(piece, kept, items) for piece in pieces)


def _unfolded(piece: Block, kept: Sequence[int], items: Sequence[int]) -> Block:
    cells = pl.concat_list(pl.col(f"c{at}") for at in items)
    filled = cells.list.eval(pl.element().filter(pl.element().str.strip_chars() != ""))
    # A row that explodes from an empty list is lost.
    filled = pl.when(filled.list.len() > 0).then(filled).otherwise(pl.lit([""]))
    renamed = [pl.col(f"c{at}").alias(f"c{place}") for place, at in enumerate(kept)]
    frame = piece.frame.select("line", *renamed, filled.alias(f"c{len(kept)}"))
    return Block(frame.explode(f"c{len(kept)}"), [_beside(row, kept, items) for row in piece.refused], piece.end)


def _beside(row: Row, kept: Sequence[int], items: Sequence[int]) -> Row:
    cells = [row.cells[at] for at in kept if at < len(row.cells)]
    cells += [""] * (len(kept) - len(cells))
    return row._replace(
        cells=[*cells, "; ".join(row.cells[at] for at in items if at < len(row.cells) and row.cells[at])]
    )
