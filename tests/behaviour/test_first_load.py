"""The first large file does without one index while it is loaded; whatever happens, it stands afterwards."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from behaviour import first_load, loading, removal, tables, tasks
from behaviour.loading import EventLoader
from behaviour.models import Event, Upload
from tests.behaviour.test_uploads import imported

pytestmark = pytest.mark.django_db
HEADER = "user_id,item_id,event,timestamp\n"
N_ROWS = 40


def data(day: int) -> str:
    return HEADER + "".join(f"u{n % 7},i{n},view,2026-01-{day:02} 10:{n:02}:00\n" for n in range(N_ROWS))


def stands() -> bool:
    with connection.cursor() as cursor:
        return "event_shopper" in connection.introspection.get_constraints(cursor, Event._meta.db_table)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Blocks of ten rows, each file is large; whether the index stood at each write."""
    monkeypatch.setattr(first_load, "FEWEST_BYTES", 0)
    monkeypatch.setattr(tables, "SIZE", 10)
    monkeypatch.setattr(tables, "MOST", 10)
    monkeypatch.setattr(loading, "SMALLEST", 10)
    seen, write = [], EventLoader.write

    def noted(self: EventLoader, part: Any) -> int:
        seen.append(stands())
        return write(self, part)

    monkeypatch.setattr(EventLoader, "write", noted)
    return seen


def test_only_the_first_file_does_without_it(seen: list[bool]) -> None:
    imported(data(1))
    assert seen == [False] * 4
    assert stands()
    imported(data(2))
    assert seen[4:] == [True] * 4
    assert Event.objects.count() == 2 * N_ROWS


def test_a_small_file_is_loaded_with_it(seen: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_load, "FEWEST_BYTES", 1_000_000)
    imported(data(1))
    assert seen == [True] * 4


def test_beyond_so_many_rows_it_is_built_on_the_way(seen: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_load, "MOST_ROWS", 20)
    imported(data(1))
    assert seen == [False, False, True, True]


def broken(write: Callable[..., int]) -> Upload:
    def full(self: EventLoader, part: Any) -> int:
        if Event.everything.exists():
            raise OSError(errno.ENOSPC, "no space")
        return write(self, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventLoader, "write", full)
        return imported(data(1))


def test_the_sweep_builds_what_a_broken_import_left_out(seen: list[bool]) -> None:
    upload = broken(EventLoader.write)
    assert upload.state == Upload.State.FAILED
    assert not stands()
    tasks.sweep_uploads()
    assert stands()
    removal.undo_upload(upload)
    assert not Event.everything.exists()


def test_the_sweep_leaves_a_running_import_alone(seen: list[bool]) -> None:
    upload = broken(EventLoader.write)
    Upload.objects.filter(pk=upload.pk).update(state=Upload.State.IMPORTING)
    first_load.mend()
    assert not stands()
