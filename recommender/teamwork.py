"""The blocks of a training in a large shop: rows that any worker may take, so that a run is not one process's alone.

Whoever trains the run writes what the blocks share into a file, calls for help, and takes blocks like everybody else
until all are done. A block is known by its run, what it was made from and its first row: whoever takes the run up after
a crash finds those that are done, and uses them if they were made from the very same arrays.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

from mailai.errors import ArtefactError, StateError
from recommender import array_files, queries
from recommender.claimed import MAX_TRIES, Claimed, take_up
from recommender.core.dividing import Arrays, BlockWork, in_turn
from recommender.core.exam_lists import Lists
from recommender.core.item_based import NearestItems
from recommender.core.linear import SolvedItems
from recommender.core.sequence import NextItems
from recommender.models import TrainingBlock, TrainingRun
from recommender.said import PART_FAILED, PART_LEFT

logger = logging.getLogger(__name__)
Call = Callable[[int], object]
WORKS: dict[str, type[BlockWork]] = {cls.name: cls for cls in (Lists, NearestItems, NextItems, SolvedItems)}
# A shop with fewer events is trained by one process: writing the files would take longer than the work.
LARGE_EVENTS = 2_000_000
# So many workers are called at most; more come when the sweep calls again.
MOST_CALLED = 16
# After this long a helper lets other tasks have a turn; it is called again.
BURST_SECONDS = 60.0
PAUSE_SECONDS = 0.2
# After so many pauses whoever waits for others looks whether they are still alive.
PAUSES = 50


def nobody(_run_id: int) -> None:
    """Call nobody: who waits for blocks finds them at the next sweep."""


class Team:
    """Divides the blocks of a claimed run among the workers that come; ``call`` tells them that there is work."""

    def __init__(self, run: TrainingRun, call: Call = nobody) -> None:
        self.run, self.call = run, call

    def __call__(
        self, kind: type[BlockWork], materials: Arrays, blocks: Sequence[slice], beat: Callable[[], None]
    ) -> list[Arrays]:
        """Return the results in the order of the blocks.

        Raises
        ------
        StateError : a block failed three times.
        """
        if len(blocks) < 2:
            return in_turn(kind, materials, blocks, beat)
        name = self.offer(kind, materials, blocks)
        for _helper in range(min(len(blocks) - 1, MOST_CALLED)):
            self.call(self.run.pk)
        mine = _Bench(name, kind(materials))
        while True:
            self._work(mine, beat)
            results = self._results(name)
            if results is not None:
                return results

    def offer(self, kind: type[BlockWork], materials: Arrays, blocks: Sequence[slice]) -> str:
        """Write down what is to be done, unless it is already, and return the file that the blocks share."""
        name = array_files.write(f"{self.run.uuid}", materials)
        rows = [
            TrainingBlock(run=self.run, work=kind.name, materials=name, first=block.start, last=block.stop)
            for block in blocks
        ]
        self._drop_others(name)
        TrainingBlock.objects.bulk_create(rows, ignore_conflicts=True)
        return name

    def _drop_others(self, name: str) -> None:
        """Delete what was begun with other data before a crash, and is not needed any more."""
        others = TrainingBlock.objects.filter(run=self.run).exclude(materials=name)
        shared = set(others.values_list("materials", flat=True))
        others.exclude(state=TrainingRun.State.DONE).delete()
        array_files.delete(shared - set(others.values_list("materials", flat=True)))

    def _work(self, bench: "_Bench", beat: Callable[[], None]) -> None:
        """Take blocks, and wait for those that others have, until all are done."""
        blocks = TrainingBlock.objects.filter(run=self.run, materials=bench.name)
        for turn in count(1):
            while bench.take(self.run, beat):
                pass
            failed = blocks.filter(state=TrainingRun.State.FAILED).first()
            if failed:
                raise StateError(failed.error)
            if not blocks.exclude(state=TrainingRun.State.DONE).exists():
                return
            beat()
            time.sleep(PAUSE_SECONDS)
            if turn % PAUSES == 0:
                take_up_blocks()

    def _results(self, materials: str) -> list[Arrays] | None:
        """Return what the blocks brought; None = some files are damaged, and these blocks wait again."""
        found: list[Arrays] = []
        for block in TrainingBlock.objects.filter(run=self.run, materials=materials).order_by("first"):
            try:
                found.append(array_files.read(block.result))
            except ArtefactError as error:
                logger.warning("Block %s is computed again: %s", block.pk, error)
                TrainingBlock.objects.filter(pk=block.pk).update(state=TrainingRun.State.QUEUED, result="", tries=0)
                return None
        return found


class _Bench:
    """Where one process works on blocks with the same materials."""

    def __init__(self, name: str, work: BlockWork) -> None:
        self.name, self.work = name, work

    def take(self, run: TrainingRun, beat: Callable[[], None] = lambda: None) -> bool:
        """Take one block that waits and do it; False = none waits."""
        waiting = queries.waiting_blocks().filter(run=run, materials=self.name)
        for block in waiting:
            claimed = Claimed(block)
            if claimed.begin():
                self._do(claimed, block, beat)
                return True
        return False

    def _do(self, claimed: Claimed, block: TrainingBlock, beat: Callable[[], None]) -> None:
        def both() -> None:
            with suppress(StateError):
                claimed.beat()
            beat()

        try:
            made = self.work.part(slice(block.first, block.last), both)
        except StateError:
            claimed.give_way()
            raise
        except Exception:
            logger.exception("Block %s of run %s failed", block.pk, block.run.uuid)
            _again(claimed, block)
            return
        result = array_files.write(f"{block.run.uuid}", made)
        try:
            claimed.update(state=TrainingRun.State.DONE, result=result)
        except StateError:
            # Another worker took it over, or the run has ended. Equal results have one file.
            if not TrainingBlock.objects.filter(result=result).exists():
                array_files.delete({result})


def _again(claimed: Claimed, block: TrainingBlock) -> None:
    if block.tries < MAX_TRIES:
        claimed.update(state=TrainingRun.State.QUEUED)
    else:
        claimed.fail(PART_FAILED % {"n": MAX_TRIES})


# The materials that this process works with: never more than one.
_benches: dict[str, _Bench] = {}


def help_with(run_id: int) -> None:
    """Take blocks of a run for a while; without any, or without the file that they share, do nothing."""
    began = time.monotonic()
    while time.monotonic() - began < BURST_SECONDS:
        block = queries.waiting_blocks().filter(run=run_id).select_related("run").first()
        if block is None:
            break
        if block.materials not in _benches:
            _benches.clear()
            try:
                _benches[block.materials] = _Bench(
                    block.materials, WORKS[block.work](array_files.read(block.materials))
                )
            except ArtefactError as error:
                # Another machine without the common storage, or a run that ended just now: others can.
                logger.warning("Can't help with run %s: %s", run_id, error)
                return
        _benches[block.materials].take(block.run)
    if not queries.waiting_blocks().filter(run=run_id).exists():
        _benches.clear()


def take_up_blocks() -> None:
    """Let blocks that dead workers left wait again, and give up those that were left three times."""
    take_up(TrainingBlock, PART_LEFT % {"n": MAX_TRIES})


def tidy(run: TrainingRun) -> None:
    """Delete the blocks of a run that ended, and after the last run of its request what was read for it."""
    blocks = TrainingBlock.objects.filter(run=run)
    array_files.delete({name for pair in blocks.values_list("materials", "result") for name in pair})
    blocks.delete()
    if queries.unfinished_with(run).exists():
        return
    read = TrainingRun.objects.filter(created_at=run.created_at).exclude(reading="")
    array_files.delete(set(read.values_list("reading", flat=True)))
    read.update(reading="")
