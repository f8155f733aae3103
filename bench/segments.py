"""Segments counted in a large shop, beside hand-written SQL of the same run: `make bench-segments`.

Eight questions from narrow to broad, and one of five conditions with an exclusion: the estimate, the exact count, and
the same question in SQL by hand over the raw events; then the pages of segments and shoppers. SQLite always, PostgreSQL
where DATABASE_URL or MAILAI_TEST_POSTGRES names a server; databases of its own are made and dropped. Options after
ARGS=: --shoppers, --products, --events, --opens, --repeats, --random, --only sqlite|postgresql, --keep FOLDER.
"""

import argparse
import sys
from typing import Any

from bench.shop import add_options, finished, shop_places

WAYS, PAGES = "bench.segments_ways", "bench.segments_pages"
MOST_ESTIMATE_MS, MOST_EXACT_MS, MOST_RATIO, LEAST_HELD = 100.0, 2000.0, 3.0, 0.95
# Lists have a limit of our own: one that is narrowed by a segment asks all of it.
MOST_PAGE_MS, MOST_LIST_MS = 250.0, 500.0
LISTS = ("segments, ", "shoppers")
# In a small shop the milliseconds of making the statement outweigh those of asking it.
ALWAYS_FINE_MS = 10.0


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
    for one in found["pages"]:
        most = MOST_LIST_MS if one["name"].startswith(LISTS) else MOST_PAGE_MS
        if one["ms"] > most:
            wrong.append(f"{vendor} {one['name']}: {one['ms']:.0f} ms > {most:.0f}")
        if one["grows"]:
            wrong.append(f"{vendor} {one['name']}: {one['grows']} more queries where there is more to show")
    if found["random"] and found["held"] < LEAST_HELD * found["random"]:
        wrong.append(f"{vendor}: {found['held']} of {found['random']} intervals hold")
    return wrong


def show(vendor: str, made: dict[str, Any], found: dict[str, Any]) -> None:
    """Print a table."""
    print(f"\n{vendor}: {made['shoppers']:,} shoppers, {made['events']:,} events, {made['opens']:,} opens; "
          f"profiles in {made['profile_seconds']:.0f} s, sample drawn in {made['sample_seconds']:.1f} s")  # fmt: skip
    head = f"{'question':42} {'estimate':>20} {'ms':>6} {'exact':>9} {'ms':>7} {'by hand ms':>10} {'ratio':>6}"
    print(head + f"   limits {MOST_ESTIMATE_MS:.0f} / {MOST_EXACT_MS:.0f} ms, narrow {MOST_RATIO:.0f} x")
    for one in found["questions"]:
        between = f"{one['low']:,}–{one['high']:,}"
        ratio = f"{one['exact_ms'] / one['by_hand_ms']:.2f}{'*' if one['narrow'] else ' '}"
        print(f"{one['name']:42} {between:>20} {one['estimate_ms']:6.1f} {one['count']:9,} {one['exact_ms']:7.1f} "
              f"{one['by_hand_ms']:10.1f} {ratio:>6}")  # fmt: skip
    print(f"{'page (the slowest of its kind)':42} {'of':>3} {'ms':>7} {'first ms':>9} {'queries':>8}   "
          f"limit {MOST_PAGE_MS:.0f} ms, of a list {MOST_LIST_MS:.0f}")  # fmt: skip
    for one in found["pages"]:
        print(f"{one['name']:42} {one['n']:3} {one['ms']:7.1f} {one['first_ms']:9.1f} {one['queries']:8}")
    print(f"* narrow. The interval holds in {found['held']} of {found['random']} random segments.")


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    add_options(options)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--random", type=int, default=100)
    given = options.parse_args()
    result: dict[str, Any] = {}
    wrong: list[str] = []
    with shop_places(given) as found:
        for place in found:
            made = place.make() | place.run(WAYS, "fill")
            measured = place.run(WAYS, "measure", {"repeats": given.repeats, "random": given.random})
            measured |= place.run(PAGES, "pages", {"repeats": given.repeats})
            show(place.vendor, made, measured)
            wrong += judged(place.vendor, measured)
            result[place.vendor] = made | measured
    return finished(result, wrong)


if __name__ == "__main__":
    sys.exit(main())
