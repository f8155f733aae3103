"""The ways to make profiles that the profiles benchmark compares, each in a process of its own."""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from django.db import connection, transaction
from django.utils import timezone

from behaviour import bulk, turns
from behaviour.models import Event, Product, Shop, Shopper
from bench.imports_ways import peak_mb
from segments import profiles

TOUCH_EVENTS = 100_000
PAUSE_SECONDS = 0.05
# What a developer would write first: ten columns by one grouped statement, and the indexes that segments ask.
PLAIN = """CREATE TABLE bench_profile AS SELECT e.shopper_id,
    min(CASE WHEN e.kind = 'purchase' THEN e.at END) AS first_order_at,
    max(CASE WHEN e.kind = 'purchase' THEN e.at END) AS last_order_at,
    max(e.at) AS last_event_at,
    max(CASE WHEN e.kind = 'view' THEN e.at END) AS last_view_at,
    count(DISTINCT CASE WHEN e.kind = 'purchase' THEN e.order_ref END) AS n_orders,
    count(DISTINCT CASE WHEN e.kind = 'purchase' AND e.at >= %s THEN e.order_ref END) AS n_orders_365d,
    count(DISTINCT CASE WHEN e.kind = 'purchase' THEN e.product_id END) AS n_products,
    sum(CASE e.kind WHEN 'purchase' THEN e.amount WHEN 'refund' THEN -abs(e.amount) END) AS monetary,
    sum(CASE WHEN e.kind = 'view' AND e.at >= %s THEN 1 ELSE 0 END) AS n_views_30d,
    sum(CASE WHEN e.kind = 'email_open' AND e.at >= %s THEN 1 ELSE 0 END) AS n_opens_90d
    FROM behaviour_event e
    WHERE e.upload_id IS NULL OR e.upload_id NOT IN (SELECT id FROM behaviour_upload WHERE hidden)
    GROUP BY e.shopper_id"""
INDEXES = ("shopper_id", "last_order_at", "n_orders", "monetary")


def plain(_options: dict[str, Any]) -> dict[str, Any]:
    """Rebuild ten columns by SQL."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_profile")
        started = time.perf_counter()
        cursor.execute(PLAIN, [now - timedelta(days=days) for days in (365, 30, 90)])
        for name in INDEXES:
            cursor.execute(f"CREATE INDEX bench_profile_{name} ON bench_profile ({name})")
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE bench_profile")
    return {"seconds": seconds}


def full(_options: dict[str, Any]) -> dict[str, Any]:
    """Rebuild all profiles."""
    return _refreshed(everybody=True)


def tomorrow(_options: dict[str, Any]) -> dict[str, Any]:
    """Rebuild all profiles as the first refresh of the next day does."""
    return _refreshed(now=timezone.now() + timedelta(days=1))


def touch(options: dict[str, Any]) -> dict[str, Any]:
    """Add events to some shoppers, as an upload does."""
    rng = np.random.default_rng(1)
    shoppers = np.array(Shopper.objects.order_by("pk").values_list("pk", flat=True))
    products = np.array(Product.objects.order_by("pk").values_list("pk", flat=True))
    some = rng.choice(shoppers, min(options["touched"], len(shoppers)), replace=False)
    n = TOUCH_EVENTS
    # Everybody of them once, then by chance.
    who = np.concatenate([some, rng.choice(some, max(0, n - len(some)))])[:n]
    prices = dict(Product.objects.values_list("pk", "price"))
    product = rng.choice(products, n)
    frame = pl.DataFrame(
        {
            "shopper_id": who,
            "product_id": product,
            "kind": rng.choice(["view", "purchase", "cart"], n, p=[0.6, 0.3, 0.1]),
            "amount": [float(prices[pk]) for pk in product.tolist()],
            "order_ref": [f"touch-{number // 3}" for number in range(n)],
            "dedupe_key": [f"{(7 << 124) + number:032x}" for number in range(n)],
        }
    ).with_columns(quantity=1, at=pl.lit(timezone.now().replace(tzinfo=None)))
    with transaction.atomic():
        turns.hold()
        bulk.insert_frame(Event, frame)
    return {"events": n}


def incremental(_options: dict[str, Any]) -> dict[str, Any]:
    """Refresh what changed."""
    return _refreshed()


def others(options: dict[str, Any]) -> dict[str, Any]:
    """Write as somebody else would, until a file says stop, and tell the longest wait."""
    stop, waits = Path(options["stop"]), []
    print("ready", flush=True)
    while not stop.exists():
        started = time.perf_counter()
        Shop.objects.filter(pk=1).update(url="https://shop.example")
        waits.append(time.perf_counter() - started)
        time.sleep(PAUSE_SECONDS)
    return {"longest_wait": max(waits, default=0.0)}


def _refreshed(**given: Any) -> dict[str, Any]:
    done = profiles.refresh_profiles(**given)
    return {"seconds": done.seconds, "shoppers": done.shoppers}


WAYS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "plain": plain, "full": full, "again": full, "tomorrow": tomorrow, "touch": touch,
    "incremental": incremental, "others": others,
}  # fmt: skip


def main() -> None:
    """Go one way and print what came out as the last line: WAY OPTIONS, the options as JSON."""
    way, options = sys.argv[1:]
    result = WAYS[way](json.loads(options))
    print(json.dumps(result | {"peak_mb": round(peak_mb())}), flush=True)


if __name__ == "__main__":
    main()
