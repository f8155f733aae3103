"""Imports in processes of their own: killed, stopped, without a database or a disk. What is left must be right."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as installed

from bench.imports import Place
from bench.imports_file import write_file

N_ROWS, N_BAD = 12_000, 12
# Small blocks and a pause after each: slow enough to be met at any moment.
CHILD = """
import sys
import django
django.setup()
from django.core.management import call_command
from behaviour import first_load, importing, loading, tables, turns
first_load.FEWEST_BYTES = 0
tables.SIZE, tables.MOST = 400, 500
turns.BREATH_SECONDS = dict.fromkeys(turns.BREATH_SECONDS, {breath})
{more}
call_command(*sys.argv[1:])
"""
ROWS = "SELECT dedupe_key, kind, at, quantity, amount FROM behaviour_event ORDER BY dedupe_key"
INDEXES = {
    "": "SELECT name FROM sqlite_master WHERE type = 'index' AND name = 'event_shopper'",
    "server": "SELECT indexname FROM pg_indexes WHERE indexname = 'event_shopper'",
}
COUNTS = "SELECT rows_read, loaded, duplicates, rejected, fixed FROM behaviour_upload WHERE state = 'done'"
VISIBLE = """
from behaviour.models import Event, Product, Shopper
print(*(model.objects.count() for model in (Event, Shopper, Product)))
"""
CANCEL = """
from behaviour.models import Upload
from behaviour.removal import cancel_upload
cancel_upload(Upload.objects.get())
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of its own, on the kind of server that the other tests use."""
    database = installed.DATABASES["default"]
    server = ""
    if "postgresql" in database["ENGINE"]:
        server = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/postgres".format(**database)
    place = Place(tmp_path_factory.mktemp("place"), server)
    yield place
    place.drop()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "events.csv"
    write_file(path, N_ROWS)
    return path


@pytest.fixture(scope="module")
def undisturbed(place: Place, file: Path) -> tuple[Any, Any]:
    """What an import that nobody disturbs leaves: its rows and its counts."""
    place.fresh(file)
    assert finished(upload(place, file, breath=0))["loaded"] == N_ROWS - N_BAD
    return asked(place, ROWS), asked(place, COUNTS)


def begun(place: Place, *arguments: str, breath: float = 0.0, more: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD.format(breath=breath, more=more), *arguments]
    environment = place.environment | {"DJANGO_SETTINGS_MODULE": "mailai.settings"}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def upload(place: Place, file: Path, *, breath: float = 0.15, more: str = "") -> "subprocess.Popen[str]":
    return begun(place, "upload", str(file), "--yes", "--json", breath=breath, more=more)


def finished(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert out, err
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


@contextmanager
def connected(place: Place) -> Iterator[Any]:
    if place.server:
        with psycopg.connect(place.environment["DATABASE_URL"], autocommit=True) as connection:
            yield connection
    else:
        with closing(sqlite3.connect(place.folder / "bench.sqlite3", timeout=20, isolation_level=None)) as file:
            yield file


def asked(place: Place, sql: str) -> list[tuple[Any, ...]]:
    with connected(place) as connection:
        return list(connection.execute(sql).fetchall())


def done(place: Place, sql: str) -> None:
    with connected(place) as connection:
        connection.execute(sql)


def until(holds: Callable[[], bool], seconds: float = 180) -> float:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it took too long"
        time.sleep(0.02)
    return time.monotonic() - started


def rows_read(place: Place) -> int:
    rows = asked(place, "SELECT rows_read FROM behaviour_upload ORDER BY id DESC")
    return int(rows[0][0]) if rows else 0


def reached(place: Place, share: float, process: "subprocess.Popen[str]") -> None:
    def so_far() -> bool:
        assert process.poll() is None, process.communicate()
        return rows_read(place) >= share * N_ROWS

    until(so_far)


def indexed(place: Place) -> bool:
    return bool(asked(place, INDEXES["server" if place.server else ""]))


def visible(place: Place) -> str:
    return begun(place, "shell", "-c", VISIBLE, "-v", "0").communicate(timeout=180)[0].strip()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_killed_and_called_again_it_leaves_what_an_undisturbed_import_leaves(
    place: Place, file: Path, undisturbed: tuple[Any, Any], share: float
) -> None:
    place.fresh(file)
    process = upload(place, file, breath=0.3)
    reached(place, share, process)
    process.kill()
    process.communicate()
    assert visible(place) == "0 0 0", "nobody sees half an import"
    assert not indexed(place), "the first file is loaded without the index that would slow it down"
    again = finished(upload(place, file, breath=0))
    assert again["loaded"] + again["duplicates"] + again["rejected"] == again["rows_read"] == N_ROWS
    assert (asked(place, ROWS), asked(place, COUNTS)) == undisturbed
    assert indexed(place)
    assert finished(upload(place, file, breath=0))["loaded"] == 0, "the whole file once more adds nothing"


def test_a_running_import_stops_within_five_seconds_and_frees_its_space(place: Place, file: Path) -> None:
    place.fresh(file)
    process = upload(place, file)
    reached(place, 0.3, process)
    begun(place, "shell", "-c", CANCEL, "-v", "0").communicate(timeout=180)
    stopped_after = until(lambda: process.poll() is not None)
    assert stopped_after < 5
    assert "stopped" in finished(process)["error"]
    for table in ("event", "shopper", "product"):
        assert asked(place, f"SELECT count(*) FROM behaviour_{table}") == [(0,)]
    assert not list((place.folder / "files" / "uploads").iterdir())


def test_a_second_import_waits_for_the_first(
    place: Place, file: Path, tmp_path: Path, undisturbed: tuple[Any, Any]
) -> None:
    place.fresh(file)
    first = upload(place, file)
    reached(place, 0.1, first)
    other = tmp_path / "other.csv"
    other.write_text("user_id,item_id,event,timestamp\nu1,sku-1,view,2026-01-01 10:00:00\n")
    second = upload(place, other, breath=0)
    assert finished(first)["loaded"] == N_ROWS - N_BAD
    assert finished(second)["loaded"] == 1
    assert len(asked(place, ROWS)) == len(undisturbed[0]) + 1


def test_a_database_that_is_gone_for_a_while_is_waited_for(
    place: Place, file: Path, undisturbed: tuple[Any, Any]
) -> None:
    place.fresh(file)
    # On SQLite somebody holds the only write lock for longer than a connection waits; PostgreSQL is shut to us.
    more = (
        "from django.db import connection\nconnection.settings_dict['OPTIONS']['timeout'] = 0.2"
        if not place.server
        else ""
    )
    process = upload(place, file, breath=0.05, more=more)
    reached(place, 0.2, process)
    with shut(place):
        time.sleep(4)
    assert finished(process)["loaded"] == N_ROWS - N_BAD
    assert (asked(place, ROWS), asked(place, COUNTS)) == undisturbed


@contextmanager
def shut(place: Place) -> Iterator[None]:
    if not place.server:
        with connected(place) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    with psycopg.connect(place.server, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {place.name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [place.name])
        yield
        connection.execute(f"ALTER DATABASE {place.name} ALLOW_CONNECTIONS true")


FULL_DATABASE = """
from django.db import connection
connection.cursor().execute(
    "PRAGMA max_page_count=%d" % (connection.cursor().execute("PRAGMA page_count").fetchone()[0] + 150)
)
"""
# A server has no quota that a test could set: from some row on it says what it says when its disk is full.
FULL_SERVER = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON behaviour_event FOR EACH ROW WHEN (NEW.id > 5000)
    EXECUTE FUNCTION full_disk();
"""
ROOM_AGAIN = "DROP TRIGGER full_disk ON behaviour_event; DROP FUNCTION full_disk()"
FULL_DISK = """
import errno
from behaviour.rejects import RejectsFile
whole = RejectsFile.add
def no_space(self, refused):
    if self.size > 300:
        raise OSError(errno.ENOSPC, "No space left on device")
    whole(self, refused)
RejectsFile.add = no_space
"""


@pytest.mark.parametrize("fault", [FULL_DATABASE, FULL_DISK])
def test_without_space_the_import_fails_clearly_and_goes_on_later(
    place: Place, file: Path, undisturbed: tuple[Any, Any], fault: str
) -> None:
    place.fresh(file)
    full_server = bool(place.server) and fault == FULL_DATABASE
    if full_server:
        done(place, FULL_SERVER)
    answer = finished(upload(place, file, breath=0, more="" if full_server else fault))
    assert "no space left" in answer["error"]
    assert asked(place, "SELECT state, hidden FROM behaviour_upload")[0][0] == "failed"
    assert visible(place) == "0 0 0"
    if full_server:
        done(place, ROOM_AGAIN)
    assert finished(upload(place, file, breath=0))["loaded"] == N_ROWS - N_BAD
    assert (asked(place, ROWS), asked(place, COUNTS)) == undisturbed
