"""A thread works while the next item is fetched; order and errors stay."""

import threading
from collections.abc import Iterator

import pytest

from behaviour.ahead import worked


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(worked(range(50), lambda n: n * n, threads=2)) == [n * n for n in range(50)]
    assert list(worked([], lambda n: n)) == []


def test_items_are_fetched_here_and_worked_on_elsewhere() -> None:
    fetched: set[int] = set()

    def items() -> Iterator[int]:
        for number in range(5):
            fetched.add(threading.get_ident())
            yield number

    assert threading.get_ident() not in set(worked(items(), lambda _n: threading.get_ident()))
    assert fetched == {threading.get_ident()}


def test_few_items_are_held_at_once() -> None:
    fetched = []

    def items() -> Iterator[int]:
        for number in range(20):
            fetched.append(number)
            yield number

    for done, _result in enumerate(worked(items(), lambda n: n, threads=2), start=1):
        assert len(fetched) - done <= 2


def test_an_error_of_the_work_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(worked([1, 0, 2], lambda n: 1 // n))
