"""Import of a large file beside what this database and the usual way do in the same run: `make bench-import`.

SQLite always, PostgreSQL where DATABASE_URL or MAILAI_TEST_POSTGRES names a server. Databases of its own are made and
dropped; nothing of this installation is touched. Each way runs in a process of its own. Options after ARGS=:
--rows, --plain-rows, --repeats, --only sqlite|postgresql.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg

from bench.imports_file import write_file
from mailai.management.commands.up import BEHIND

# Ratio -> the least it may be: rows/s of the import against another way in the same run.
LEAST = {
    "postgresql": {"plain": 6.0, "raw": 0.05},
    "sqlite": {"plain": 4.0, "raw": 0.18},
}
LEAST_AGAIN, MOST_READ, MOST_MB, MOST_PAGE = 0.8, 0.2, 512, 2.0
# Seconds. On SQLite everybody waits once, while the index that the first file did without is built.
MOST_WAIT = {"postgresql": 0.5, "sqlite": 5.0}
NAMES = {
    "ours": "import", "again": "the same file again", "plain": "csv + bulk_create",
    "raw": "raw text, no index", "read": "reading and validating",
}  # fmt: skip


class Place:
    """A database of its own on one kind of server; ``fresh`` empties it."""

    def __init__(self, folder: Path, server: str = "") -> None:
        self.folder, self.server = folder, server
        self.vendor = "postgresql" if server else "sqlite"
        self.name = f"mailai_bench_{os.getpid()}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that works here."""
        address = f"sqlite:///{self.folder / 'bench.sqlite3'}"
        if self.server:
            address = urlsplit(self.server)._replace(path=f"/{self.name}").geturl()
        return os.environ | {
            "MAILAI_DATA_DIR": str(self.folder),
            "DATABASE_URL": address,
            "MAILAI_SECRET_KEY": "bench" * 12,
            "MAILAI_FIELD_KEYS": "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU=",
            "MAILAI_INDEX_KEY": "bench" * 12,
        }

    def start(self, way: str, file: Path, n_rows: int) -> "subprocess.Popen[str]":
        """Begin one way in a process of its own."""
        # As `up` starts the worker that imports.
        behind = BEHIND if way == "ours" else []
        command = [*behind, sys.executable, "-m", "bench.imports_ways", way, str(file), str(n_rows)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]

    def go(self, way: str, file: Path, n_rows: int) -> dict[str, Any]:
        """Go one way and return what came out."""
        return ended(self.start(way, file, n_rows))

    def fresh(self, file: Path) -> None:
        """Make the database anew, from a prepared one after the first time."""
        if self.server:
            first = self._sql(f"SELECT FROM pg_database WHERE datname = '{self.name}_empty'") == 0
            self._sql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            self._sql(f"CREATE DATABASE {self.name}" + ("" if first else f" TEMPLATE {self.name}_empty"))
            if first:
                self.go("prepare", file, 0)
                self._sql(f"CREATE DATABASE {self.name}_empty TEMPLATE {self.name}")
            return
        for path in self.folder.glob("bench.sqlite3*"):
            path.unlink()
        empty = self.folder / "empty.sqlite3"
        if empty.exists():
            shutil.copy(empty, self.folder / "bench.sqlite3")
        else:
            self.go("prepare", file, 0)
            shutil.copy(self.folder / "bench.sqlite3", empty)

    def drop(self) -> None:
        """Leave nothing behind on the server."""
        for name in (self.name, f"{self.name}_empty") if self.server else ():
            self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _sql(self, text: str) -> int:
        with psycopg.connect(self.server, autocommit=True) as connection:
            return connection.execute(text).rowcount  # type: ignore[call-overload, no-any-return]


def ended(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for a way's end and return its figures."""
    out = process.communicate()[0]
    if process.returncode:
        raise SystemExit(process.returncode)
    result = json.loads(out.splitlines()[-1])
    return result | ({"speed": result["rows"] / result["seconds"]} if "rows" in result else {})


def one_round(place: Place, file: Path, n_rows: int, n_plain: int) -> dict[str, Any]:
    """Go every way once."""
    found = {}
    for way in ("plain", "raw", "ours"):
        if way != "raw":
            place.fresh(file)
        found[way] = place.go(way, file, n_plain if way == "plain" else n_rows)
    found["again"] = place.go("ours", file, n_rows)
    found["read"] = place.go("read", file, n_rows)
    assert found["again"]["loaded"] == 0, "the same file again must load nothing"
    for way in ("ours", "again"):
        assert found[way]["rows_read"] == n_rows == sum(found[way][k] for k in ("loaded", "duplicates", "rejected"))
    return found


def beside_others(place: Place, file: Path, n_rows: int) -> dict[str, Any]:
    """Import once more while somebody else writes and opens pages."""
    place.fresh(file)
    stop = place.folder / "stop"
    stop.unlink(missing_ok=True)
    others = place.start("others", file, n_rows)
    assert others.stdout is not None
    assert others.stdin is not None
    others.stdout.readline()
    others.stdin.write("go\n")
    others.stdin.flush()
    try:
        place.go("ours", file, n_rows)
    finally:
        stop.touch()
    return ended(others)


def judged(place: Place, rounds: list[dict[str, Any]], others: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every figure that has a limit: what it is, the limit, whether it holds; medians over the rounds."""

    def ratio(one: str, other: str) -> float:
        return statistics.median(found[one]["speed"] / found[other]["speed"] for found in rounds)

    peak = max(found[way]["peak_mb"] for found in rounds for way in ("ours", "again"))
    rows = [
        *((f"import / {NAMES[way]}", ratio("ours", way), ">=", least) for way, least in LEAST[place.vendor].items()),
        ("again / import", ratio("again", "ours"), ">=", LEAST_AGAIN),
        ("reading and validating: share of the import's time", ratio("ours", "read"), "<=", MOST_READ),
        ("peak memory of the importing process, MB", peak, "<=", MOST_MB),
        ("longest wait of another writer, s", others["longest_wait"], "<=", MOST_WAIT[place.vendor]),
        ("page time while importing / in calm", others["page_ms"] / others["calm_page_ms"], "<=", MOST_PAGE),
    ]
    return [
        {"what": what, "is": round(value, 3), "limit": f"{sign} {limit:g}",
         "holds": value >= limit if sign == ">=" else value <= limit}
        for what, value, sign, limit in rows
    ]  # fmt: skip


def report(place: Place, rounds: list[dict[str, Any]], others: dict[str, Any]) -> dict[str, Any]:
    """Print the tables of one database and return their figures."""
    print(f"\n{place.vendor}: rows/s (median of {len(rounds)}), seconds, peak MB of the process")
    speeds = {}
    for way, name in NAMES.items():
        speed, seconds = (statistics.median(found[way][k] for found in rounds) for k in ("speed", "seconds"))
        speeds[way] = round(speed)
        note = f"  ({rounds[0][way]['way']})" if "way" in rounds[0][way] else ""
        print(f"{name:26} {speed:12,.0f} {seconds:9.1f} {max(found[way]['peak_mb'] for found in rounds):8}{note}")
    limits = judged(place, rounds, others)
    for row in limits:
        print(f"  {row['what']:56} {row['is']:9.3f}  {row['limit']:>8}  {'ok' if row['holds'] else 'OVER'}")
    return {"rows_per_second": speeds, "limits": limits, "others": others}


AnyPlace = TypeVar("AnyPlace", bound=Place)


@contextmanager
def places(only: str, kind: type[AnyPlace]) -> Iterator[list[AnyPlace]]:
    """Yield the databases to try; their files and tables go afterwards."""
    server = os.environ.get("MAILAI_TEST_POSTGRES") or os.environ.get("DATABASE_URL", "")
    server = server if server.startswith("postgres") else ""
    with tempfile.TemporaryDirectory(prefix="mailai-bench-") as folder:
        made = [kind(Path(folder, "sqlite"))] + ([kind(Path(folder, "postgresql"), server)] if server else [])
        made = [place for place in made if only in ("", place.vendor)]
        for place in made:
            place.folder.mkdir()
        try:
            yield made
        finally:
            for place in made:
                place.drop()


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=3_000_000)
    # The usual way slows down as its table grows: fewer rows flatter it.
    options.add_argument("--plain-rows", type=int, default=300_000)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", choices=["", "sqlite", "postgresql"], default="")
    given = options.parse_args()
    result: dict[str, Any] = {"rows": given.rows, "plain_rows": given.plain_rows, "repeats": given.repeats}
    with places(given.only, Place) as found, tempfile.TemporaryDirectory(prefix="mailai-bench-") as folder:
        file = Path(folder, "events.csv")
        write_file(file, given.rows)
        for place in found:
            rounds = []
            for _repeat in range(given.repeats):
                rounds.append(one_round(place, file, given.rows, min(given.plain_rows, given.rows)))
            result[place.vendor] = report(place, rounds, beside_others(place, file, given.rows))
    print(json.dumps(result))
    return int(any(not row["holds"] for place in found for row in result[place.vendor]["limits"]))


if __name__ == "__main__":
    sys.exit(main())
