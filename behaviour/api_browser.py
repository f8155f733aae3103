"""What pages of the shop may send with a key that everybody can read: little, and only from the shop's addresses."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from behaviour.api_door import ApiError
from behaviour.core.api_events import Event
from mailai.accounts import apikeys
from mailai.accounts.apikeys import Caller
from mailai.accounts.models import ApiKey

# Events in a minute of one visitor, and of one network address, behind which a whole office may sit. Counted in each
# process for itself.
MOST_OF_VISITOR, MOST_OF_ADDRESS, MINUTE = 120, 1200, 60
PAGE = "page/"
_lock = threading.Lock()
_counts: Counter[str] = Counter()
_minutes = [0]


def caller(request: HttpRequest) -> Caller | None:
    """Return the site key in the address; None where there is none.

    Raises
    ------
    ApiError : unknown, not a site key, or sent from a page of somebody else.
    """
    secret = request.GET.get("key", "")
    if not secret:
        return None
    found = apikeys.caller_of(secret)
    if found is None:
        raise ApiError(401, "no_key", "This site key is unknown, revoked or expired.")
    if ApiKey.Scope.BROWSER not in found.scopes:
        reason = "Only a site key may stand in an address. Send others as `Authorization: Bearer …`."
        raise ApiError(403, "wrong_scope", reason)
    if request.headers.get("Origin", "") not in found.origins:
        raise ApiError(403, "wrong_origin", "This site key does not list the address of the page that sends.")
    return found


def preflight(request: HttpRequest) -> HttpResponse:
    """Answer a browser that asks before it sends."""
    if caller(request) is None:
        raise ApiError(403, "wrong_origin", "Pages send events with a site key: `?key=…`.")
    response = allow(request, HttpResponse(status=204))
    response["Access-Control-Allow-Methods"] = "POST"
    response["Access-Control-Allow-Headers"] = "content-type"
    response["Access-Control-Max-Age"] = "600"
    return response


def allow(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the page read the answer."""
    response["Access-Control-Allow-Origin"] = request.headers["Origin"]
    response["Vary"] = "Origin"
    return response


def limit(request: HttpRequest, events: Sequence[Event]) -> None:
    """Refuse more than a person can do.

    Raises
    ------
    ApiError : too many events of one visitor or network address in this minute.
    """
    now = int(time.time())
    wanted = Counter(f"v {event.visitor_id or event.user_id}" for event in events)
    address = f"a {_address(request)}"
    with _lock:
        if _minutes[0] != now // MINUTE:
            _minutes[0] = now // MINUTE
            _counts.clear()
        full = _counts[address] + len(events) > MOST_OF_ADDRESS
        full = full or any(_counts[who] + n > MOST_OF_VISITOR for who, n in wanted.items())
        if not full:
            _counts.update(wanted)
            _counts[address] += len(events)
    if full:
        raise ApiError(429, "too_fast", "Too many events of one visitor.", Retry_After=str(MINUTE - now % MINUTE))


def mark(events: Sequence[Event]) -> None:
    """Keep the keys of pages apart: nobody can take a key that a program of the shop will use."""
    for event in events:
        if event.key:
            event.key = f"{PAGE}{event.key}"


def _address(request: HttpRequest) -> str:
    """Return where the request comes from, seen through the proxies that are ours."""
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    n_proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    return hops[-n_proxies].strip() if 0 < n_proxies <= len(hops) else request.META.get("REMOTE_ADDR", "")
