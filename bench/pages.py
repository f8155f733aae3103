"""Server time and query count of every page on the database at hand: `make bench-pages`.

Pages are rendered in this process through Django's test client, so network and web server are not counted. The limit
of the house is 200 ms (median) on the demo shop.
"""

import json
import statistics
import sys
import time

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from behaviour.models import Shopper
from campaigns.models import Campaign, InboxMail
from mailai.accounts.models import User
from segments.models import Segment

LIMIT_MS = 200
ROUNDS = 15


def addresses() -> dict[str, str]:
    """Return page name -> address, with the busiest thing of each kind."""
    pages = {
        name: reverse(name)
        for name in (
            "analytics:today", "analytics:shoppers", "segments:list", "campaigns:list", "campaigns:inbox",
            "recommender:models", "behaviour:imports", "accounts:team", "accounts:audit", "campaigns:senders",
        )
    }  # fmt: skip
    shopper = Shopper.objects.order_by("-profile__n_orders").first()
    if shopper:
        pages["analytics:shopper"] = reverse("analytics:shopper", args=[shopper.pseudonym])
    if segment := Segment.objects.first():
        pages["segments:detail"] = reverse("segments:detail", args=[segment.uuid])
    if campaign := Campaign.objects.filter(planned_at__isnull=False).first():
        pages["analytics:report"] = reverse("analytics:report", args=[campaign.uuid])
    if draft := Campaign.objects.filter(state="draft").first():
        for step in ("audience", "content", "subject", "timing", "review"):
            pages[f"campaigns:{step}"] = reverse(f"campaigns:{step}", args=[draft.uuid])
    if mail := InboxMail.objects.first():
        pages["campaigns:inbox_mail"] = reverse("campaigns:inbox_mail", args=[mail.uuid])
    return pages


def main() -> int:
    """Print the table; 1 when a page is over the limit."""
    settings.ALLOWED_HOSTS.append("testserver")
    client = Client()
    client.force_login(User.objects.filter(is_admin=True).first())
    result = {}
    print(f"{'page':28} {'median ms':>10} {'worst ms':>9} {'queries':>8}   limit {LIMIT_MS} ms")
    for name, address in addresses().items():
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            status = client.get(address).status_code
        n_queries = len(queries)  # read now: the next request clears the log
        times = []
        for _round in range(ROUNDS):
            started = time.perf_counter()
            client.get(address)
            times.append((time.perf_counter() - started) * 1000)
        median = statistics.median(times)
        result[name] = {
            "median_ms": round(median, 1),
            "worst_ms": round(max(times), 1),
            "queries": n_queries,
            "status": status,
        }
        print(f"{name:28} {median:10.1f} {max(times):9.1f} {n_queries:8d}   {'ok' if median < LIMIT_MS else 'OVER'}")
    print(json.dumps({"limit_ms": LIMIT_MS, "shoppers": Shopper.objects.count(), "pages": result}))
    return int(any(page["median_ms"] >= LIMIT_MS for page in result.values()))


if __name__ == "__main__":
    sys.exit(main())
