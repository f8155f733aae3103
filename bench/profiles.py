"""Profiles of a whole shop beside plain SQL of ten columns in the same run: `make bench-profiles`.

PostgreSQL where DATABASE_URL or MAILAI_TEST_POSTGRES names a server, SQLite always; databases of its own are made and
dropped. By default 1,000,000 shoppers with 20,000,000 events and 5,000,000 opens on PostgreSQL, a fifth of that on
SQLite. Options after ARGS=: --shoppers, --products, --events, --opens (the same for both), --touched, --only, --keep.
"""

import argparse
import json
import statistics
import sys
from typing import Any

from bench.imports import ended
from bench.shop import ShopPlace, add_options, shop_places

MOST_PLAIN, MOST_MB, MOST_INCREMENTAL_SECONDS, MOST_WAIT = 3.0, 1024, 60, 0.3
NAMES = {
    "plain": "plain SQL, ten columns", "full": "all profiles, the first time",
    "again": "all again, nothing changed", "tomorrow": "the first refresh of the next day",
    "incremental": "after an upload",
}  # fmt: skip


WAYS = "bench.profiles_ways"


def one(place: ShopPlace, way: str, **options: Any) -> dict[str, Any]:
    """Go one way and return what came out."""
    found = place.run(WAYS, way, options)
    print(f"{NAMES.get(way, way):36} {found.get('seconds', 0):9.1f} {found['peak_mb']:8}", flush=True)
    return found


def beside(place: ShopPlace, way: str) -> tuple[dict[str, Any], float]:
    """Go one way while somebody else writes; return what came out and the longest wait."""
    stop = place.folder / "stop"
    stop.unlink(missing_ok=True)
    other = place.launch(WAYS, "others", {"stop": str(stop)})
    assert other.stdout is not None
    other.stdout.readline()
    try:
        found = one(place, way)
    finally:
        stop.touch()
    return found, ended(other)["longest_wait"]


def measured(place: ShopPlace, touched: int) -> dict[str, Any]:
    """Make the shop and go every way."""
    print(f"\n{place.vendor}: {place.sizes}\n{'':36} {'seconds':>9} {'peak MB':>8}", flush=True)
    place.make()
    # What all is compared with is done before, between and after: the speed of a machine changes within minutes.
    plain = [one(place, "plain")]
    found = {way: one(place, way) for way in ("full", "again")}
    plain.append(one(place, "plain"))
    one(place, "touch", touched=touched)
    found["incremental"], wait = beside(place, "incremental")
    found["tomorrow"], wait_all = beside(place, "tomorrow")
    plain.append(one(place, "plain"))
    assert found["full"]["shoppers"] == place.sizes["shoppers"], "everybody has a profile"
    peak = max(found[way]["peak_mb"] for way in ("full", "again", "tomorrow", "incremental"))
    seconds = {way: one["seconds"] for way, one in found.items()}
    seconds["plain"] = statistics.median(one["seconds"] for one in plain)
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
    return {**place.sizes, **counts, "seconds": seconds, "limits": rows}


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    add_options(options)
    options.add_argument("--touched", type=int, default=15_000)
    given = options.parse_args()
    result: dict[str, Any] = {"touched": given.touched}
    with shop_places(given) as found:
        for place in found:
            result[place.vendor] = measured(place, given.touched)
    print(json.dumps(result))
    return int(any(not row["holds"] for place in found for row in result[place.vendor]["limits"]))


if __name__ == "__main__":
    sys.exit(main())
