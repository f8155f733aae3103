"""Predictions beside a reference library and the plain guess, and their cost in a large shop: `make bench-predictions`.

Online Retail (it ships with MailAI) is learnt up to three quarters of its time; the rest is predicted by the chosen
models, by BG/NBD of the library lifetimes, and as "same as last period". Then a made shop is predicted in memory, and
the large shop in databases of its own: SQLite always, PostgreSQL where DATABASE_URL or MAILAI_TEST_POSTGRES names a
server. Options after ARGS=: --shoppers, --products, --events, --opens, --only none|sqlite|postgresql, --keep FOLDER.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from bench.imports import ended
from bench.shop import add_options, finished, shop_places

WAYS = "bench.predictions_ways"
IN_MEMORY = 1_000_000
MOST_SECONDS, MOST_MB = 120.0, 1024.0
LEAST_COVERED, MOST_COVERED = 0.75, 0.85
# Our fit against the library's: the same likelihood, so the same parameters.
MOST_APART = 0.01
# Error of the chosen model over the library's.
MOST_WORSE = 1.01


def go(way: str, **options: Any) -> dict[str, Any]:
    """Go one way in a process of its own, without a database."""
    command = [sys.executable, "-m", WAYS, way, json.dumps(options)]
    return ended(subprocess.Popen(command, text=True, stdout=subprocess.PIPE))


def show_year(found: dict[str, Any]) -> list[str]:
    """Print the table of Online Retail; return what is beyond its limit."""
    chosen = f"{found['chosen']['orders']} / {found['chosen']['spend']}"
    print(f"Online Retail, the last {found['days']:.0f} days of {found['shoppers']:,} shoppers; "
          f"chosen {chosen}, learnt in {found['seconds']:.1f} s")  # fmt: skip
    print(f"{'':22} {'orders off':>22} {'rmse':>6} {'total':>7} {'money off':>24} {'rmse':>8} {'total':>7}")
    for name, row in found["ways"].items():
        orders, spend = row["orders"], row["spend"]
        print(f"{name:22} {orders['mae']:8.3f} ({orders['low']:.3f}–{orders['high']:.3f}) {orders['rmse']:6.3f} "
              f"{orders['total']:+7.1%} {spend['mae']:9.1f} ({spend['low']:.1f}–{spend['high']:.1f}) "
              f"{spend['rmse']:8.1f} {spend['total']:+7.1%}")  # fmt: skip
    covered = found["coverage"]
    print(f"stated 80 %: {covered['orders']:.1%} of orders, {covered['spend']:.1%} of money inside")
    wrong = [
        f"{what}: {share:.1%} inside the stated 80 %, not {LEAST_COVERED:.0%}–{MOST_COVERED:.0%}"
        for what, share in covered.items()
        if not LEAST_COVERED <= share <= MOST_COVERED
    ]
    for what in ("orders", "spend"):
        mine, theirs = found["ways"]["chosen"][what]["mae"], found["ways"]["lifetimes bg/nbd"][what]["mae"]
        if mine > theirs * MOST_WORSE:
            wrong.append(f"{what}: {mine:.3f} off, the library {theirs:.3f}")
    return wrong


def show_fit(found: dict[str, list[float]]) -> list[str]:
    """Print both fits of the published example; return which parameters differ."""
    print("CDNOW, ours / lifetimes: " + ", ".join(f"{name} {a:.3f} / {b:.3f}" for name, (a, b) in found.items()))
    return [f"{name} {a:.4f}, the library's {b:.4f}" for name, (a, b) in found.items() if abs(a / b - 1) > MOST_APART]


def show_cost(name: str, found: dict[str, Any]) -> list[str]:
    """Print one line of the table of costs; return what is beyond its limit."""
    print(f"{name:12} {found['shoppers']:>10,} {found['orders']:>11,} {found['seconds']:9.1f} {found['peak_mb']:9.0f}")
    wrong = []
    if found["seconds"] > MOST_SECONDS:
        wrong.append(f"{name}: {found['seconds']:.0f} s > {MOST_SECONDS:.0f}")
    if found["peak_mb"] > MOST_MB:
        wrong.append(f"{name}: {found['peak_mb']:.0f} MB > {MOST_MB:.0f}")
    return wrong


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    add_options(options, "none")
    given = options.parse_args()
    result: dict[str, Any] = {"cdnow": go("cdnow"), "online_retail": go("online_retail")}
    wrong = show_fit(result["cdnow"]) + show_year(result["online_retail"])
    print(f"\n{'place':12} {'shoppers':>10} {'orders':>11} {'seconds':>9} {'peak MB':>9}   "
          f"limits {MOST_SECONDS:.0f} s, {MOST_MB:.0f} MB")  # fmt: skip
    result["memory"] = go("compute", shoppers=given.shoppers or IN_MEMORY)
    wrong += show_cost("memory", result["memory"])
    with shop_places(given) as found:
        for place in found:
            place.make()
            result[place.vendor] = place.run(WAYS, "database")
            wrong += show_cost(place.vendor, result[place.vendor])
    return finished(result, wrong)


if __name__ == "__main__":
    sys.exit(main())
