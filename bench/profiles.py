"""Profiles of a whole shop beside plain SQL of ten columns in the same run: `make bench-profiles`.

PostgreSQL where DATABASE_URL or MAILAI_TEST_POSTGRES names a server, SQLite always; databases of its own are made and
dropped. By default 1,000,000 shoppers with 20,000,000 events and 5,000,000 opens on PostgreSQL, a fifth of that on
SQLite. Options after ARGS=: --shoppers, --products, --events, --opens (the same for both), --touched, --only.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.imports import Place, ended, places

SIZES = {
    "postgresql": {"shoppers": 1_000_000, "products": 50_000, "events": 20_000_000, "opens": 5_000_000},
    "sqlite": {"shoppers": 200_000, "products": 50_000, "events": 4_000_000, "opens": 1_000_000},
}
MOST_PLAIN, MOST_MB, MOST_INCREMENTAL_SECONDS, MOST_WAIT = 3.0, 1024, 60, 0.3
NAMES = {
    "prepare": "make_shop", "plain": "plain SQL, ten columns", "full": "all profiles, the first time",
    "again": "all again, nothing changed", "tomorrow": "the first refresh of the next day",
    "incremental": "after an upload",
}  # fmt: skip


class Shop(Place):
    """A database with a made shop."""

    options: dict[str, Any]

    def start(self, way: str, _file: Path, _n_rows: int) -> "subprocess.Popen[str]":
        """Begin one way in a process of its own."""
        given = json.dumps(self.options | {"folder": str(self.folder)})
        command = [sys.executable, "-m", "bench.profiles_ways", way, given]
        return subprocess.Popen(command, env=self.environment, text=True, stdout=subprocess.PIPE)

    def one(self, way: str) -> dict[str, Any]:
        """Go one way and return what came out."""
        found = self.go(way, self.folder, 0)
        print(f"{NAMES.get(way, way):36} {found.get('seconds', 0):9.1f} {found['peak_mb']:8}", flush=True)
        return found

    def beside(self, way: str) -> tuple[dict[str, Any], float]:
        """Go one way while somebody else writes; return what came out and the longest wait."""
        stop = self.folder / "stop"
        stop.unlink(missing_ok=True)
        other = self.start("others", self.folder, 0)
        assert other.stdout is not None
        other.stdout.readline()
        try:
            found = self.one(way)
        finally:
            stop.touch()
        return found, ended(other)["longest_wait"]


def measured(place: Shop) -> dict[str, Any]:
    """Make the shop and go every way."""
    print(f"\n{place.vendor}: {place.options}\n{'':36} {'seconds':>9} {'peak MB':>8}", flush=True)
    if place.server:
        place._sql(f"CREATE DATABASE {place.name}")
    found = {way: place.one(way) for way in ("prepare", "plain", "full", "again")}
    place.one("touch")
    found["incremental"], wait = place.beside("incremental")
    found["tomorrow"], wait_all = place.beside("tomorrow")
    assert found["full"]["shoppers"] == place.options["shoppers"], "everybody has a profile"
    peak = max(found[way]["peak_mb"] for way in ("full", "again", "tomorrow", "incremental"))
    seconds = {way: one["seconds"] for way, one in found.items()}
    limits = [
        ("all profiles / plain SQL", seconds["full"] / seconds["plain"], MOST_PLAIN),
        ("next day / plain SQL", seconds["tomorrow"] / seconds["plain"], MOST_PLAIN),
        ("after an upload, s", seconds["incremental"], MOST_INCREMENTAL_SECONDS),
        ("peak memory of the process, MB", peak, MOST_MB),
        ("longest wait of another writer, s", max(wait, wait_all), MOST_WAIT),
    ]
    rows = [{"what": what, "is": round(value, 3), "limit": limit, "holds": value <= limit}
            for what, value, limit in limits]  # fmt: skip
    for row in rows:
        print(f"  {row['what']:46} {row['is']:9.3f}  <= {row['limit']:<6g} {'ok' if row['holds'] else 'OVER'}")
    counts = {"read_after_upload": found["incremental"]["shoppers"]}
    return {**place.options, **counts, "seconds": seconds, "limits": rows}


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    for name in SIZES["sqlite"]:
        options.add_argument(f"--{name}", type=int)
    options.add_argument("--touched", type=int, default=15_000)
    options.add_argument("--only", choices=["", "sqlite", "postgresql"], default="")
    given = vars(options.parse_args())
    result: dict[str, Any] = {"touched": given["touched"]}
    with places(given["only"], Shop) as found:
        for place in found:
            sizes = {name: n if given[name] is None else given[name] for name, n in SIZES[place.vendor].items()}
            place.options = sizes | {"touched": given["touched"]}
            result[place.vendor] = measured(place)
    print(json.dumps(result))
    return int(any(not row["holds"] for place in found for row in result[place.vendor]["limits"]))


if __name__ == "__main__":
    sys.exit(main())
