"""An uploaded file on disk, opened as a table: its header, how its columns are read, its rows in chunks."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connection

from behaviour.core import parsing, reading, reading_blocks, shapes, unfolding
from behaviour.core.cleaning import Cleaned, clean_events
from behaviour.core.columns import PRODUCTS, SHOPPERS, Match, recognise
from behaviour.core.masterdata import clean_products, clean_shoppers
from behaviour.core.parsing import Block, Chunk, Shape, TableError
from behaviour.core.rules import Found
from behaviour.core.typed import Reading
from behaviour.models import Shop, Upload

# A block ends after SIZE records, but keeps the lines of an order together up to MOST.
# PostgreSQL fills its indexes better with large ones; in SQLite's process they stand beside the database's own cache.
SIZE, MOST = (80_000, 85_000) if connection.vendor == "postgresql" else (35_000, 38_000)
SAMPLE_ROWS = 20_000
LARGEST, PIECE = 2_000_000_000, 1 << 20


@dataclass(frozen=True)
class Table:
    """An open file.

    notes : what is odd about its header, as ``core.reading.Opened`` says.
    position : says how many bytes of the stored file were read.
    """

    header: list[str]
    match: Match
    pieces: Iterator[Block]
    notes: list[dict[str, Any]] = field(default_factory=list)
    position: Callable[[], int] = int

    def blocks(self) -> Iterator[Block]:
        """Yield the records in blocks, cut at the same places in every reading."""
        together = self.match.columns.get("order_id")
        return reading_blocks.blocks(self.pieces, size=SIZE, most=MOST, together=together)


def folder(name: str) -> Path:
    """Return a folder below the storage, made on first use; nobody reaches it by an address."""
    path = Path(settings.MEDIA_ROOT) / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def store(file: BinaryIO, path: Path) -> tuple[str, int]:
    """Keep what somebody sent, for this account alone, and return its SHA-256 and its size; TableError if too large."""
    digest, size = hashlib.sha256(), 0
    path.touch(mode=0o600)
    with path.open("wb") as out:
        while piece := file.read(PIECE):
            size += len(piece)
            if size > LARGEST:
                raise TableError("too_large")
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest(), size


def stored_file(upload: Upload) -> Path:
    """Return where the original file lies."""
    return folder("uploads") / upload.stored_as


@contextmanager
def open_table(upload: Upload) -> Iterator[Table]:
    """Open the file of an upload.

    Raises
    ------
    TableError : it is no table.
    """
    written = upload.mapping
    with stored_file(upload).open("rb") as file:
        shape = Shape.of(written["shape"]) if "shape" in written else shapes.look(file)
        opened = reading.open_file(file, shape)
        header, pieces = unfolding.unfold(opened.header, opened.pieces)
        match = recognise(header, written.get("kind", "auto"), written.get("columns") or None, file=upload.filename)
        yield Table(header, match, pieces, opened.notes, file.tell)


def look(upload: Upload, *, encoding: str = "", delimiter: str = "") -> Shape:
    """Read the stored file to its end and find out how it is written; a person's choice goes before what is seen.

    Raises
    ------
    TableError : it is no table, damaged, or far too large when unpacked.
    """
    with stored_file(upload).open("rb") as file:
        return shapes.look(file, encoding=encoding, delimiter=delimiter)


def sample_block(upload: Upload) -> Block:
    """Return the first records below the header, fewer where they are very wide."""
    with open_table(upload) as table:
        found = reading_blocks.blocks(table.pieces, size=SAMPLE_ROWS, most=SAMPLE_ROWS)
        return next(found, parsing.as_block(Chunk(), len(table.header)))


def reading_of(upload: Upload) -> Reading:
    """Return how the cells are to be understood, as stored with the upload."""
    written = upload.mapping
    return Reading(
        zone=written.get("zone") or Shop.current().timezone,
        # A second reading judges as the first one did.
        now=upload.created_at,
        day_first=written.get("day_first", True),
        events=written.get("events", {}),
        currency=written.get("currency") or Shop.current().currency,
        decimal=written.get("decimal", ""),
        rules=upload.cleaning.get("rules", {}),
        fill=upload.cleaning.get("fill", {}),
        non_products=tuple(upload.cleaning.get("non_products", ())),
        found=Found.of(upload.cleaning.get("found", {})),
    )


def clean(block: Block, table: Table, how: Reading) -> Cleaned:
    """Clean some rows by what kind of file they come from; pure, so that it may run beside the database's work."""
    if table.match.kind == PRODUCTS:
        return clean_products(block, table.match, how)
    if table.match.kind == SHOPPERS:
        return clean_shoppers(block, table.match, how)
    return clean_events(block, table.match, how)
