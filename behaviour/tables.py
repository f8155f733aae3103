"""An uploaded file on disk, opened as a table: its header, how its columns are read, its rows in chunks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now

from behaviour.core import parsing, values
from behaviour.core.cleaning import Cleaned, Reading, clean_events
from behaviour.core.columns import ONLINE_RETAIL, PRODUCTS, SHOPPERS, Match, recognise
from behaviour.core.masterdata import clean_products, clean_shoppers
from behaviour.core.parsing import Block, Row, Shape, TableError
from behaviour.models import Shop, Upload
from behaviour.pseudonyms import without_addresses

# Rows of one transaction: a chunk ends after SIZE rows, but keeps the lines of an order together up to MOST.
SIZE, MOST = 4000, 5000
SAMPLE_ROWS = 20_000
READ_BYTES = 1 << 20
# Bytes without a line break, and bytes in all, above which a file is no table but a bomb.
LONGEST_LINE, LARGEST_UNPACKED = 2 << 20, 20_000_000_000


@dataclass(frozen=True)
class Table:
    """An open file."""

    header: list[str]
    match: Match
    rows: Iterator[Row]

    def blocks(self) -> Iterator[Block]:
        """Yield the rows in blocks, cut at the same places in every reading."""
        together = self.match.columns.get("order_id")
        for chunk in parsing.chunks(self.rows, size=SIZE, most=MOST, together=together):
            yield parsing.as_block(chunk, len(self.header))


def folder(name: str) -> Path:
    """Return a folder below the storage, made on first use; nobody reaches it by an address."""
    path = Path(settings.MEDIA_ROOT) / name
    path.mkdir(parents=True, exist_ok=True)
    return path


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
        shape = Shape(**written["shape"]) if "shape" in written else parsing.look(file)
        rows = parsing.records(file, shape)
        header = [name.strip() for name in next(rows, Row(1, [])).cells]
        if not any(header):
            raise TableError("empty")
        if len(header) > parsing.MOST_COLUMNS:
            raise TableError("too_many_columns")
        match = recognise(header, written.get("kind", "auto"), written.get("columns") or None)
        yield Table(header, match, rows)


def read_through(upload: Upload) -> None:
    """Read the file to its end, so that a damaged or endless one is refused before anything is loaded.

    Raises
    ------
    TableError : damaged, cut off, or without line breaks; far too large when unpacked.
    """
    size = unbroken = 0
    with stored_file(upload).open("rb") as file:
        try:
            text = parsing.unpacked(file)
            while block := text.read(READ_BYTES):
                size += len(block)
                unbroken = 0 if b"\n" in block or b"\r" in block else unbroken + len(block)
                if unbroken > LONGEST_LINE:
                    raise TableError("endless_line")
                if size > LARGEST_UNPACKED:
                    raise TableError("too_large_unpacked")
        except parsing.DAMAGE as error:
            raise TableError("damaged") from error


def sample_block(upload: Upload, n: int = SAMPLE_ROWS) -> Block:
    """Return the first rows below the header."""
    with open_table(upload) as table:
        return parsing.sample(table.rows, n, len(table.header))


def reading_of(upload: Upload) -> Reading:
    """Return how the cells are to be understood, as stored with the upload."""
    written = upload.mapping
    return Reading(
        zone=written.get("zone") or Shop.current().timezone,
        now=now(),
        day_first=written.get("day_first", True),
        events=written.get("events", {}),
        currency=written.get("currency") or Shop.current().currency,
    )


def guess_day_first(block: Block, match: Match) -> bool:
    """Say how dates with slashes are meant in this file; day first when nothing tells."""
    at = match.columns.get("consent_at" if match.kind == SHOPPERS else "timestamp")
    if at is None:
        return True
    month_first = values.looks_month_first(block.frame[f"c{at}"].to_list())
    return not month_first if month_first is not None else match.layout != ONLINE_RETAIL


def clean(block: Block, table: Table, reading: Reading) -> Cleaned:
    """Clean some rows by what kind of file they come from; no shopper's id is an email address then."""
    return without_addresses(_clean(block, table, reading))


def _clean(block: Block, table: Table, reading: Reading) -> Cleaned:
    if table.match.kind == PRODUCTS:
        return clean_products(block, table.match, reading)
    if table.match.kind == SHOPPERS:
        return clean_shoppers(block, table.match, reading)
    return clean_events(block, table.match, reading)
