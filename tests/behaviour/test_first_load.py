"""The first large file does without one index while it is loaded; whatever happens, it stands afterwards."""

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import connection

from behaviour import first_load, late_indexes, loading, merging, removal, tables, tasks
from behaviour.loading import EventLoader
from behaviour.models import Event, Merge, Shopper, Upload
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


def test_a_file_about_people_leaves_it_alone(seen: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    stood, join = [], merging.join
    monkeypatch.setattr(merging, "join", lambda *args, **options: (stood.append(stands()), join(*args, **options))[1])
    rows = [f",{n % 7}@mail.example,i{n},view,2026-01-01 10:{n:02}:00" for n in range(20)]
    rows += [f"u{n},{n}@mail.example,i{n},view,2026-01-02 10:{n:02}:00" for n in range(7)]
    imported("user_id,email,item_id,event,timestamp\n" + "\n".join(rows) + "\n")
    assert all(stood)
    assert all(seen)
    assert Merge.objects.count() == 7
    imported("user_id,email\nu9,nine@mail.example\n")
    assert stands()


@pytest.mark.django_db(transaction=True)
def test_who_reads_events_for_long_is_not_in_the_way(seen: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_indexes, "LONGEST_WAIT", "100ms")
    with closing(connection.copy()) as backup, backup.cursor() as cursor:
        # On SQLite nobody waits for readers.
        waits = connection.vendor == "postgresql"
        if waits:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM behaviour_event")
        assert imported(data(1)).state == Upload.State.DONE
    assert seen == [waits] * 4
    assert Event.objects.count() == N_ROWS


@pytest.mark.django_db(transaction=True)
def test_two_build_it_one_after_the_other(seen: list[bool]) -> None:
    broken(EventLoader.write)
    assert not stands()

    def build() -> None:
        first_load.end()
        connection.close()

    # SQLite has one writer.
    n_beside = 4 if connection.vendor == "postgresql" else 0
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(build) for _turn in range(n_beside)]:
            done.result()
    first_load.end()
    assert stands()


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


def test_the_removal_of_a_broken_import_builds_it_too(seen: list[bool]) -> None:
    upload = broken(EventLoader.write)
    removal.undo_upload(upload)
    assert stands()
    assert not Shopper.everything.exists()


def test_the_sweep_leaves_a_running_import_alone(seen: list[bool]) -> None:
    upload = broken(EventLoader.write)
    Upload.objects.filter(pk=upload.pk).update(state=Upload.State.IMPORTING)
    first_load.mend()
    assert not stands()
