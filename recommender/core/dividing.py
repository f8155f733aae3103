"""Work that falls into blocks which don't need each other: one process goes through them, or several divide them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

import numpy as np

# Plain arrays by name, so that they can be written to a file and read by another process.
Arrays = dict[str, np.ndarray]


class BlockWork(ABC):
    """One kind of such work, made from the arrays that its blocks have in common (``materials``)."""

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, materials: Arrays) -> None:
        """Get ready; what takes long for all blocks together is done here once."""

    @abstractmethod
    def part(self, block: slice, beat: Callable[[], None]) -> Arrays:
        """Return the result of the rows ``block``; it depends on nothing but these and the materials."""


class Divide(Protocol):
    """Who works on the blocks."""

    def __call__(
        self, kind: type[BlockWork], materials: Arrays, blocks: Sequence[slice], beat: Callable[[], None]
    ) -> list[Arrays]:
        """Return the results in the order of the blocks."""


def in_turn(
    kind: type[BlockWork], materials: Arrays, blocks: Sequence[slice], beat: Callable[[], None]
) -> list[Arrays]:
    """Do one block after the other, here."""
    work = kind(materials)
    return [work.part(block, beat) for block in blocks]


def cut(n: int, step: int) -> list[slice]:
    """Cut 0..n-1 into slices of at most ``step``."""
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
