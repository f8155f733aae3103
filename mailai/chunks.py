"""Rows in lists of so many, for work that is done a part at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Row = TypeVar("Row")


def chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield the rows in lists of ``size``, the last as long as what is left."""
    left = iter(rows)
    while part := list(islice(left, size)):
        yield part
