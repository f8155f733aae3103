"""What the benchmark of the event API does in processes of their own: the database, the bare statement, the reader."""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from behaviour import api_store, bulk, turns
from behaviour.core import api_events
from behaviour.models import Event, Product, Shop, Shopper, new_pseudonyms
from mailai.accounts import apikeys
from mailai.accounts.models import ApiKey, User

N_SHOPPERS, N_PRODUCTS, BATCH = 200_000, 20_000, 100
# So many entries a minute that no bucket runs dry.
RATE = 1_000_000_000
SECRET = "secret"


def body(number: int) -> bytes:
    """Return one batch; each number gives other events, the same number the same."""
    start = number * BATCH
    return json.dumps({"events": [event(place) for place in range(start, start + BATCH)]}).encode()


def event(place: int) -> dict[str, Any]:
    """Return one event of a known shopper and product; one in a thousand shoppers is new."""
    mixed = place * 2_654_435_761 % 2**32
    known, day, clock = place % 1000, 1 + place // 86_400 % 28, place % 86_400
    return {
        "event": ("view", "view", "view", "cart", "purchase")[mixed % 5],
        "user_id": f"u{mixed % N_SHOPPERS}" if known else f"new-{place}",
        "item_id": f"p{mixed // 7 % N_PRODUCTS}",
        "timestamp": f"2026-05-{day:02}T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}Z",
        "key": f"{mixed:08x}-{place}",
        "quantity": 1 + mixed % 3,
        "price": round(1 + mixed % 9000 / 100, 2),
        "order_id": f"o{place // 3}",
    }


def prepare(folder: Path, n: int) -> dict[str, Any]:
    """Make the tables, a key, and the shoppers and products that are known."""
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    Shop.current()
    user = User.objects.create(email="bench@example.com", is_admin=True)
    _key, secret = apikeys.create("bench", [ApiKey.Scope.EVENTS], by=user, rate=RATE)
    (folder / SECRET).write_text(secret)
    now = datetime.now(UTC)
    texts = {name: [""] * n for name in ("locale", "timezone", "country")}
    names = {"external_id": [f"u{i}" for i in range(n)], "pseudonym": new_pseudonyms(n)}
    rest = {"marketing": ["unknown"] * n, "demo": [False] * n, "created_at": [now] * n}
    bulk.insert(Shopper, names | texts | rest, batch=50_000)
    n_products = min(n, N_PRODUCTS)
    Product.objects.bulk_create((Product(sku=f"p{i}") for i in range(n_products)), batch_size=2000)
    return {}


def bare(_folder: Path, n_batches: int) -> dict[str, Any]:
    """Write rows whose ids are known by the statement alone, a transaction a batch."""
    shoppers = dict(Shopper.objects.values_list("external_id", "pk"))
    products = dict(Product.objects.values_list("sku", "pk"))
    batches = []
    for number in range(n_batches):
        found = api_events.read(body(number))[0]
        rows = api_events.rows([one for _place, one in found], lambda one: one.user_id, "")
        some = next(iter(shoppers.values()))
        batches.append(
            [
                (shoppers.get(rows[key].name, some), rows[key].kind, products[rows[key].item], *rows[key][3:])
                for key in sorted(rows)
            ]
        )
    started = time.perf_counter()
    for batch in batches:
        with transaction.atomic():
            turns.write_events()
            api_store.insert(batch)
    return {"rows": n_batches * BATCH, "seconds": time.perf_counter() - started}


def read(_folder: Path, n_batches: int) -> dict[str, Any]:
    """Read and judge batches; nothing is stored."""
    bodies, now = [body(number) for number in range(n_batches)], datetime.now(UTC)
    started = time.perf_counter()
    for one in bodies:
        found, _refused = api_events.read(one)
        api_events.judge(found, now, nul=False)
    return {"rows": n_batches * BATCH, "seconds": time.perf_counter() - started}


def count(_folder: Path, _n: int) -> dict[str, Any]:
    """Count what is stored."""
    return {"events": Event.everything.count(), "keys": Event.everything.values("dedupe_key").distinct().count()}


@csrf_exempt
def plain(request: HttpRequest) -> JsonResponse:
    """Take events the usual way: json.loads, checks by hand, objects, bulk_create(ignore_conflicts=True)."""
    secret = request.headers["Authorization"].removeprefix("Bearer ")
    if not ApiKey.objects.filter(key_hash=apikeys.hash_of(secret), revoked_at=None).exists():
        return JsonResponse({"error": "key"}, status=401)
    rows = [row for row in json.loads(request.body)["events"] if _right(row)]
    ids: dict[Any, dict[str, int]] = {}
    for model, field, name in ((Shopper, "external_id", "user_id"), (Product, "sku", "item_id")):
        wanted = {row[name] for row in rows}
        known = dict(model.objects.filter(**{f"{field}__in": wanted}).values_list(field, "pk"))
        if missing := wanted - known.keys():
            model.objects.bulk_create((model(**{field: one}) for one in missing), ignore_conflicts=True)
            known |= dict(model.objects.filter(**{f"{field}__in": missing}).values_list(field, "pk"))
        ids[model] = known
    Event.objects.bulk_create(
        [
            Event(
                shopper_id=ids[Shopper][row["user_id"]], product_id=ids[Product][row["item_id"]], kind=row["event"],
                at=datetime.fromisoformat(row["timestamp"]), quantity=row["quantity"],
                amount=round(row["price"] * row["quantity"], 2), order_ref=row["order_id"],
                dedupe_key=api_events.own_keys([row["key"]])[0],
            )
            for row in rows
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return JsonResponse({"accepted": len(rows)})


def _right(row: dict[str, Any]) -> bool:
    try:
        datetime.fromisoformat(row["timestamp"])
        return (
            bool(row["user_id"])
            and row["event"] in Event.Kind
            and 0 < int(row["quantity"]) <= 1_000_000
            and float(row["price"]) >= 0
            and len(row["user_id"]) <= 120
            and len(row["item_id"]) <= 120
        )
    except (KeyError, TypeError, ValueError):
        return False


urlpatterns = [path("plain/events", plain)]


def application(environ: Any, start_response: Any) -> Any:
    """Serve the usual way behind the middleware of the house."""
    return _served(environ, start_response)


override_settings(ROOT_URLCONF=__name__).enable() if os.environ.get("BENCH_PLAIN") else None
_served = get_wsgi_application()
WAYS = {"prepare": prepare, "bare": bare, "read": read, "count": count}


def main() -> None:
    """Go one way and print what came out as the last line: WAY FOLDER N."""
    way, folder, n = sys.argv[1:]
    print(json.dumps(WAYS[way](Path(folder), int(n))), flush=True)


if __name__ == "__main__":
    main()
