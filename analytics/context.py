"""What every page shows around its content."""

import time
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Max
from django.http import HttpRequest

from behaviour.models import Event, Shop, Shopper
from campaigns.models import Campaign
from segments.models import Profile

# The figures in the frame may be this old, the second where counting them takes long: a million shoppers, 0.1 s. A page
# that shows them exactly counts for itself.
SECONDS, SECONDS_OF_MANY, LONG = 5, 60, 0.05
RUNNING = (Campaign.State.PLANNING, Campaign.State.RUNNING)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the shop and the few figures of the frame; nothing for who is not logged in."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    return {"shop": Shop.current(), "shell": cache.get("analytics.shell") or _counted()}


def _counted() -> dict[str, Any]:
    started = time.perf_counter()
    found = figures()
    cache.set("analytics.shell", found, SECONDS_OF_MANY if time.perf_counter() - started > LONG else SECONDS)
    return found


def figures() -> dict[str, Any]:
    """Count what the frame shows; each figure walks one index."""
    return {
        "n_shoppers": Shopper.objects.count(),
        "data_up_to": _data_up_to(),
        "n_running_campaigns": Campaign.objects.filter(state__in=RUNNING).count(),
        "has_demo": Shopper.objects.filter(demo=True).exists(),
    }


def _data_up_to() -> datetime | None:
    """Return the time of the newest event: what profiles know, or what came last while they are still being made."""
    known = Profile.objects.aggregate(at=Max("last_event_at"))["at"]
    return known or Event.objects.order_by("-id").values_list("at", flat=True).first()
