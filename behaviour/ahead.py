"""Two things at once: other threads work on what was fetched, or fetch what comes next, while the caller goes on.

The database answers on one processor, polars and numpy compute on another: both leave Python's lock alone meanwhile.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items while the next one is made on another core."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as other:
        coming = other.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = other.submit(next, items, None)
            yield item


def worked(items: Iterable[Item], work: Callable[[Item], Result], *, threads: int = 1) -> Iterator[Result]:
    """Yield what the work makes of each item, in their order.

    Items are fetched by the caller's own thread, which has the connection to the database; the work must not use it.
    At most one item more than there are threads is held.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
