"""What a shop's own programs and pages send: events, shoppers, products."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from behaviour import api_browser, api_people, api_store
from behaviour.api_calls import body_of, caller_of, only, within_rate
from behaviour.api_door import ApiError, answer
from behaviour.core import api_events, api_records
from behaviour.core.api_events import MOST_EVENTS
from behaviour.models import Shop
from mailai.accounts import apikeys
from mailai.accounts.apikeys import Caller
from mailai.accounts.models import ApiKey
from mailai.accounts.roles import public

PAGES = "page/"
Scope = ApiKey.Scope


@public
@csrf_exempt
def events(request: HttpRequest) -> HttpResponse:
    """Store a batch of events; each once, however often it is sent."""
    if request.method == "OPTIONS":
        return api_browser.preflight(request)
    only(request, "POST")
    caller = api_browser.caller(request) or caller_of(request, Scope.EVENTS)
    browser = Scope.BROWSER in caller.scopes
    body = body_of(request)
    good, refused = _read(lambda: api_events.read(body))
    _few(len(good) + len(refused))
    good, senseless = api_events.judge(good, datetime.now(UTC), nul=_has_nul(body), browser=browser)
    refused += senseless
    if browser:
        api_browser.limit(request, good)
        api_browser.mark(good)
    within_rate(caller, len(good) + len(refused))
    response = answer(_stored(caller, good, refused))
    return api_browser.allow(request, response) if browser else response


def _stored(caller: Caller, good: list[api_events.Event], refused: list[api_events.Refusal]) -> dict[str, Any]:
    n_new = 0
    if good:
        name_of = api_people.names(good)
        currency = Shop.current().currency if any(event.currency for event in good) else ""
        space = PAGES if Scope.BROWSER in caller.scopes else ""
        n_new = api_store.store(api_events.rows(good, name_of, currency, space))
        if apikeys.note_is_due(caller):
            with api_store.one_writer():
                apikeys.note_event(caller)
    refused.sort(key=lambda one: one.index)
    return {"accepted": n_new, "duplicates": len(good) - n_new, "refused": refused}


@public
@csrf_exempt
def shoppers(request: HttpRequest) -> HttpResponse:
    """Make or change shoppers; a field that is left out stays as it is."""
    return _upsert(request, Scope.SHOPPERS, api_records.read_shoppers, api_people.save_shoppers)


@public
@csrf_exempt
def products(request: HttpRequest) -> HttpResponse:
    """Make or change products; a field that is left out stays as it is."""
    return _upsert(request, Scope.PRODUCTS, api_records.read_products, api_people.save_products)


def _upsert(request: HttpRequest, scope: str, read: Callable[..., Any], save: Callable[..., Any]) -> HttpResponse:
    only(request, "POST", "PUT")
    caller = caller_of(request, scope)
    body = body_of(request)
    good, refused = _read(lambda: read(body, nul=_has_nul(body)))
    _few(len(good) + len(refused))
    within_rate(caller, len(good) + len(refused))
    with api_store.one_writer():
        n_changed, more = save(good, caller.prefix)
    refused = sorted([*refused, *more], key=lambda one: one.index)
    return answer({"changed": n_changed, "unchanged": len(good) - len(more) - n_changed, "refused": refused})


def _has_nul(body: bytes) -> bool:
    return b"\\u0000" in body


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiError(422, "unreadable", f"The body can't be read, nothing was stored: {error}.") from None


def _few(n: int) -> None:
    if n > MOST_EVENTS:
        raise ApiError(413, "too_many", f"A request may hold {MOST_EVENTS} entries; this one holds {n}.")
