"""A file that names shoppers: kept on disk until it is read, its columns, and which of them names shoppers."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from behaviour import naming, tables
from behaviour.core import columns, parsing, reading, shapes
from behaviour.core.parsing import Block, Shape, TableError
from behaviour.upload_words import problem_text
from mailai.errors import InputError
from mailai.ui import numbers

# Names of each column that are looked up to find out which one names shoppers; values that a person sees.
TRIED, SHOWN = 200, 3
# Columns that are tried: each costs a few queries.
MOST_TRIED = 40
OWN_NAMES = frozenset({"pseudonym", "shopper", "id", "编号"})
DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Kept:
    """A file on disk and how it is read; ``column`` is the place of the one that names shoppers, where that is sure."""

    stored_as: str
    size: int
    shape: Shape
    header: list[str]
    samples: list[list[str]]
    column: int | None

    def stored(self) -> dict[str, Any]:
        """Return what is noted beside the list until it is read; samples as they may be shown."""
        shown = [[naming.shown(text) for text in texts[:SHOWN]] for texts in self.samples]
        return {
            "stored_as": self.stored_as, "size": self.size, "shape": self.shape.stored(), "header": self.header,
            "samples": shown, "tries": 0,
        }  # fmt: skip


def keep(file: BinaryIO) -> Kept:
    """Keep a file under a name of our own and find out how it is written and which column names shoppers.

    Raises
    ------
    InputError : it is no table, or holds no rows; nothing of it is kept then.
    """
    stored_as = f"{uuid.uuid4()}.bin"
    path = path_of(stored_as)
    try:
        _sha256, size = tables.store(file, path)
        with path.open("rb") as stored:
            return _looked(stored, stored_as, size)
    except TableError as error:
        path.unlink(missing_ok=True)
        raise InputError(problem_text(error)) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def path_of(stored_as: str) -> Path:
    """Return where a kept file lies; nobody reaches it by an address."""
    return tables.folder("lists") / stored_as


def drop(stored_as: str) -> None:
    """Delete a kept file."""
    if stored_as:
        path_of(stored_as).unlink(missing_ok=True)


@contextmanager
def pieces(kept: dict[str, Any]) -> Iterator[Iterator[Block]]:
    """Open a kept file and give its records in pieces of about a megabyte.

    Raises
    ------
    TableError : it is damaged. FileNotFoundError : it is gone.
    """
    with path_of(kept["stored_as"]).open("rb") as file:
        yield reading.open_file(file, Shape.of(kept["shape"])).pieces


def place_of(header: list[str], column: str) -> int:
    """Return where a column stands; InputError when the file has none of that name."""
    if column not in header:
        named = numbers.listed(f"“{name}”" for name in header[:20])
        raise InputError(_("The file has no column “%(name)s”. It has: %(names)s.") % {"name": column, "names": named})
    return header.index(column)


def _looked(file: BinaryIO, stored_as: str, size: int) -> Kept:
    shape = shapes.look(file)
    header, block = _front(file, shape)
    if shape.header and not _is_header(header):
        shape = replace(shape, header=False, columns=len(header))
        header, block = _front(file, shape)
    if not len(block):
        raise TableError("no_rows")
    samples = [_names(block, at) for at in range(len(header))]
    return Kept(stored_as, size, shape, header, samples, _naming_column(header, samples))


def _front(file: BinaryIO, shape: Shape) -> tuple[list[str], Block]:
    file.seek(0)
    opened = reading.open_file(file, shape)
    return opened.header, next(opened.pieces, parsing.as_block(parsing.Chunk(), len(opened.header)))


def _names(block: Block, at: int) -> list[str]:
    cells = block.frame[f"c{at}"].str.strip_chars()
    return cells.filter(cells != "").unique(maintain_order=True).head(TRIED).to_list()


def _is_header(header: list[str]) -> bool:
    """Say whether a first row names its columns; ids without a header above them look like names."""
    if any(_known(name) for name in header):
        return True
    if any(naming.looks_like_name(name) for name in header) or (len(header) == 1 and DIGIT.search(header[0])):
        return False
    return not naming.ids_named(header)


def _known(name: str) -> str:
    """Return which of the ways to name somebody a header stands for."""
    if columns.plain(name) in OWN_NAMES:
        return "own"
    return next(iter({"user_id", "email"} & set(columns.recognise([name], columns.SHOPPERS).columns)), "")


def _naming_column(header: list[str], samples: list[list[str]]) -> int | None:
    """Return the column that names shoppers: the one whose first values are found in the shop most often.

    Where nobody is found, the only column, or the only one whose name or values tell it; None where a person must say.
    """
    likely = [at for at, name in enumerate(header) if _known(name) or _tells(samples[at])]
    tried = (likely + [at for at in range(len(header)) if at not in likely])[:MOST_TRIED]
    found = {at: len(naming.ids_named(samples[at])) / len(samples[at]) for at in tried if samples[at]}
    best = max(found, key=lambda at: (found[at], -tried.index(at)), default=None)
    if best is not None and found[best]:
        # A number that happens to be the id of somebody is no sign: the column must say so itself, or mostly fit.
        if best in likely or found[best] > 1 / 2 or len(header) == 1:
            return best
        return None
    if len(header) == 1:
        return 0
    return likely[0] if len(likely) == 1 else None


def _tells(names: list[str]) -> bool:
    return bool(names) and sum(map(naming.looks_like_name, names)) > len(names) / 2
