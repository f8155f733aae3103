"""Segments counted in a large shop, beside hand-written SQL of the same run: `make bench-segments`.

Eight questions from narrow to broad, and one of five conditions with an exclusion: the estimate, the exact count, and
the same question in SQL by hand over the raw events. SQLite always, PostgreSQL where DATABASE_URL or
MAILAI_TEST_POSTGRES names a server; databases of its own are made and dropped. Options after ARGS=: --shoppers,
--events, --opens, --repeats, --random, --only sqlite|postgresql.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from bench.imports import Place, ended, places

SIZES = {"sqlite": (200_000, 4_000_000, 1_000_000), "postgresql": (1_000_000, 20_000_000, 5_000_000)}
MOST_ESTIMATE_MS, MOST_EXACT_MS, MOST_RATIO, LEAST_HELD = 100.0, 2000.0, 3.0, 0.95
# In a small shop the milliseconds of making the statement outweigh those of asking it.
ALWAYS_FINE_MS = 10.0


class SegmentPlace(Place):
    """A database with a large shop."""

    def run(self, way: str, options: dict[str, Any]) -> dict[str, Any]:
        """Go one way in a process of its own."""
        command = [sys.executable, "-m", "bench.segments_ways", way, json.dumps(options)]
        process = subprocess.Popen(command, env=self.environment, text=True, stdout=subprocess.PIPE)
        return ended(process)

    def create(self) -> None:
        """Make an empty database."""
        if self.server:
            self._sql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            self._sql(f"CREATE DATABASE {self.name}")


def judged(vendor: str, found: dict[str, Any]) -> list[str]:
    """Return what is beyond its limit."""
    wrong = []
    for one in found["questions"]:
        name = f"{vendor} {one['name']}"
        if one["estimate_ms"] > MOST_ESTIMATE_MS:
            wrong.append(f"{name}: estimate {one['estimate_ms']:.0f} ms > {MOST_ESTIMATE_MS:.0f}")
        if one["exact_ms"] > MOST_EXACT_MS:
            wrong.append(f"{name}: exact {one['exact_ms']:.0f} ms > {MOST_EXACT_MS:.0f}")
        if one["narrow"] and one["exact_ms"] > max(MOST_RATIO * one["by_hand_ms"], ALWAYS_FINE_MS):
            wrong.append(f"{name}: {one['exact_ms'] / one['by_hand_ms']:.1f} x hand-written > {MOST_RATIO:.0f} x")
        if one["count"] != one["by_hand"]:
            wrong.append(f"{name}: {one['count']} shoppers, by hand {one['by_hand']}")
    if found["random"] and found["held"] < LEAST_HELD * found["random"]:
        wrong.append(f"{vendor}: {found['held']} of {found['random']} intervals hold")
    return wrong


def show(vendor: str, made: dict[str, Any], found: dict[str, Any]) -> None:
    """Print a table."""
    print(f"\n{vendor}: {made['shoppers']:,} shoppers, {made['events']:,} events, {made['opens']:,} opens; "
          f"made in {made['seconds']:.0f} s, sample drawn in {made['sample_seconds']:.1f} s")  # fmt: skip
    head = f"{'question':42} {'estimate':>20} {'ms':>6} {'exact':>9} {'ms':>7} {'by hand ms':>10} {'ratio':>6}"
    print(head + f"   limits {MOST_ESTIMATE_MS:.0f} / {MOST_EXACT_MS:.0f} ms, narrow {MOST_RATIO:.0f} x")
    for one in found["questions"]:
        between = f"{one['low']:,}–{one['high']:,}"
        ratio = f"{one['exact_ms'] / one['by_hand_ms']:.2f}{'*' if one['narrow'] else ' '}"
        print(f"{one['name']:42} {between:>20} {one['estimate_ms']:6.1f} {one['count']:9,} {one['exact_ms']:7.1f} "
              f"{one['by_hand_ms']:10.1f} {ratio:>6}")  # fmt: skip
    print(f"* narrow. The interval holds in {found['held']} of {found['random']} random segments.")


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    for name in ("shoppers", "events", "opens"):
        options.add_argument(f"--{name}", type=int, default=0, help="0: the size of this kind of server")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--random", type=int, default=100)
    options.add_argument("--only", choices=["", "sqlite", "postgresql"], default="")
    given = options.parse_args()
    result: dict[str, Any] = {}
    wrong: list[str] = []
    with places(given.only, SegmentPlace) as found:
        for place in found:
            usual = dict(zip(("shoppers", "events", "opens"), SIZES[place.vendor], strict=True))
            place.create()
            made = place.run("fill", {name: getattr(given, name) or size for name, size in usual.items()})
            measured = place.run("measure", {"repeats": given.repeats, "random": given.random})
            show(place.vendor, made, measured)
            wrong += judged(place.vendor, measured)
            result[place.vendor] = made | measured
    for one in wrong:
        print(f"OVER: {one}")
    print(json.dumps(result | {"over": wrong}))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
