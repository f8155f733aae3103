"""The recommender in a large shop: `make bench-recommender-scale`.

The shop is read once; then matrix, item similarities, sequence model and the ten best for everybody, in CPU seconds and
memory beyond the reading; neighbours of shoppers by blocks beside the bare sparse product of the same run; the same
blocks by one worker process and by two; and picks with reasons for a batch and for one shopper. SQLite always,
PostgreSQL where DATABASE_URL or MAILAI_TEST_POSTGRES names a server; databases of its own are made and dropped. Options
after ARGS=: --shoppers, --products, --events, --opens, --only sqlite|postgresql, --keep FOLDER, --neighbours, --batch.
"""

import argparse
import sys
from typing import Any

from bench.imports import ended
from bench.shop import ShopPlace, add_options, finished, shop_places
from recommender.core.evaluation import MAX_TEST_USERS

WAYS = "bench.recommender_scale_ways"
MOST_CPU, MOST_MB = 120.0, 1536.0
MOST_RATIO, MOST_WORKER_MB, LEAST_FASTER = 1.3, 1024.0, 1.7
MOST_BATCH_SECONDS, MOST_PREVIEW_MS = 10.0, 100.0


def by_workers(place: ShopPlace, n: int, neighbours: int) -> dict[str, Any]:
    """Let n processes do all blocks; return the seconds from the first start to the last end, and the highest peak."""
    offered = place.run(WAYS, "offer", {"neighbours": neighbours})
    helpers = [place.launch(WAYS, "help", offered) for _number in range(n)]
    found = [ended(helper) for helper in helpers]
    seconds = max(one["to"] for one in found) - min(one["from"] for one in found)
    assert place.run(WAYS, "done", offered)["done"] == offered["blocks"], "each block is done once"
    return {"seconds": seconds, "peak_mb": max(one["peak_mb"] for one in found), **offered}


def measured(place: ShopPlace, given: argparse.Namespace) -> dict[str, Any]:
    """Make the shop and go every way."""
    print(f"\n{place.vendor}: {place.sizes}", flush=True)
    place.make()
    found = {"read": place.run(WAYS, "read")}
    print(f"read {found['read']['events']:,} events in {found['read']['seconds']:.0f} s, "
          f"{found['read']['peak_mb']:.0f} MB", flush=True)  # fmt: skip
    found["models"] = place.run(WAYS, "models")
    print(f"{'':36} {'CPU s':>7} {'MB beyond':>10}")
    for name, step in found["models"]["steps"].items():
        print(f"{name:36} {step['cpu']:7.1f} {step['mb']:10.0f}", flush=True)
    found["neighbours"] = place.run(WAYS, "neighbours", {"neighbours": given.neighbours})
    for n in (1, 2):
        found[f"workers_{n}"] = by_workers(place, n, given.neighbours)
    found["picks"] = place.run(WAYS, "picks", {"batch": given.batch})
    return found


def judged(vendor: str, found: dict[str, Any]) -> list[str]:
    """Print each figure beside its limit; return what is beyond it."""
    steps, near, picks = found["models"]["steps"].values(), found["neighbours"], found["picks"]
    one, two = found["workers_1"], found["workers_2"]
    rows = [
        ("models and lists for everybody, CPU s", sum(step["cpu"] for step in steps), "<=", MOST_CPU),
        ("their memory beyond the reading, MB", max(step["mb"] for step in steps), "<=", MOST_MB),
        (f"neighbours of {near['n']:,}: {near['ours']:.1f} / {near['bare']:.1f} CPU s, bare product",
         near["ours"] / near["bare"], "<=", MOST_RATIO),
        ("a worker, MB", max(one["peak_mb"], two["peak_mb"]), "<=", MOST_WORKER_MB),
        (f"two workers {two['seconds']:.1f} s, one {one['seconds']:.1f} s", one["seconds"] / two["seconds"], ">=",
         LEAST_FASTER),
        (f"picks, reasons for {picks['batch']:,} (first {picks['first_seconds']:.1f} s), s", picks["seconds"],
         "<=", MOST_BATCH_SECONDS),
        (f"the slowest of {picks['previews']} previews, ms", picks["slowest_ms"], "<=", MOST_PREVIEW_MS),
    ]  # fmt: skip
    wrong = []
    for what, value, sign, limit in rows:
        holds = value <= limit if sign == "<=" else value >= limit
        print(f"  {what:62} {value:9.2f}  {sign} {limit:<6g} {'ok' if holds else 'OVER'}", flush=True)
        if not holds:
            wrong.append(f"{vendor} {what}: {value:.2f}, limit {limit:g}")
    return wrong


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    add_options(options)
    # As many as an exam asks at most.
    options.add_argument("--neighbours", type=int, default=MAX_TEST_USERS, help="shoppers whose neighbours are found")
    options.add_argument("--batch", type=int, default=10_000, help="shoppers of one batch of picks")
    given = options.parse_args()
    result: dict[str, Any] = {}
    wrong: list[str] = []
    with shop_places(given) as found:
        for place in found:
            result[place.vendor] = place.sizes | measured(place, given)
            wrong += judged(place.vendor, result[place.vendor])
    return finished(result, wrong)


if __name__ == "__main__":
    sys.exit(main())
