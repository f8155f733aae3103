"""The pages of segments and shoppers in the large shop of bench.segments: server time and number of queries."""

import json
import statistics
import sys
import time
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from behaviour.models import Event, Product
from bench.segments_ways import questions
from mailai.accounts.models import User
from segments import history, services
from segments.models import Profile, Segment


def pages(options: dict[str, int]) -> dict[str, Any]:
    """Open every page some times; the first time stands apart, as nothing is in the memory of the database then."""
    settings.ALLOWED_HOSTS.append("testserver")
    admin, _new = User.objects.get_or_create(
        email="bench@example.com", defaults={"is_admin": True, "is_marketer": True}
    )
    client = Client()
    client.force_login(admin)
    services.make_starter_segments(by=admin)
    history.record_sizes()
    # Four segments: what is there to show grows from here on.
    lists = {"segments, the list": reverse("segments:list"), "a shopper who ordered most": _shopper("-n_orders")}
    few = {name: _queries(client, address) for name, address in lists.items()}
    asked = _asked(admin)
    history.record_sizes()
    shoppers = reverse("analytics:shoppers")
    kinds = {
        "segments, the list": [lists["segments, the list"]],
        "a segment": [reverse("segments:detail", args=[one.uuid]) for one in asked],
        "a shopper who ordered most": [lists["a shopper who ordered most"]],
        "a shopper who never ordered": [_shopper("n_orders")],
        "shoppers, the list": [shoppers],
        "shoppers, by money": [f"{shoppers}?sort=spent"],
        "shoppers of a stage": [f"{shoppers}?stage=loyal"],
        "shoppers of a segment": [f"{shoppers}?segment={asked[2].uuid}"],
    }
    found = []
    for name, addresses in kinds.items():
        one = _opened(client, name, addresses, options["repeats"])
        found.append(one | {"grows": max(0, one["queries"] - few.get(name, one["queries"]))})
    return {"pages": found}


def _asked(admin: User) -> list[Segment]:
    """Make a segment of every question."""
    now = Event.objects.aggregate(at=Max("at"))["at"]
    categories = Product.objects.exclude(category="").values_list("category").annotate(n=Count("pk")).order_by("-n")
    five, seven = (name for name, _n in categories[:2])
    made = []
    for name, _narrow, rule, _sql in questions(now, five, seven):
        segment = Segment.objects.filter(name=name).first() or Segment()
        made.append(services.save_segment(segment, name=name, rule=rule, by=admin))
    return made


def _shopper(order: str) -> str:
    """Return the page of the first shopper in an order."""
    return reverse("analytics:shopper", args=[Profile.objects.order_by(order, "pk")[0].shopper.pseudonym])


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200, address
    return len(queries)


def _opened(client: Client, name: str, addresses: list[str], repeats: int) -> dict[str, Any]:
    """Return the figures of pages of one kind: of the slowest of them."""
    first, medians = [], []
    for address in addresses:
        times = []
        for _round in range(repeats + 1):
            started = time.perf_counter()
            client.get(address)
            times.append((time.perf_counter() - started) * 1000)
        first.append(times[0])
        medians.append(statistics.median(times[1:]))
    return {
        "name": name, "n": len(addresses), "first_ms": max(first), "ms": max(medians), "all_ms": medians,
        "queries": max(_queries(client, address) for address in addresses),
    }  # fmt: skip


def main() -> None:
    """Go the way and print what came out as the last line: pages OPTIONS."""
    _way, options = sys.argv[1:]
    print(json.dumps(pages(json.loads(options))), flush=True)


if __name__ == "__main__":
    main()
