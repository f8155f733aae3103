"""Segments for the programs of a shop: read, made, changed and removed by the services of the page; rules counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from behaviour.api_calls import body_of, caller_of, only, within_rate
from behaviour.api_door import ApiError, answer
from mailai.accounts import audit
from mailai.accounts.models import ApiKey
from mailai.accounts.roles import public
from mailai.errors import InputError, StateError
from segments import api_bodies, counting, queries, rules, services
from segments.models import Segment

Scope = ApiKey.Scope
# A program can wait longer than a person, but no web worker waits for ever.
SECONDS = 20


@public
@csrf_exempt
def segments(request: HttpRequest) -> HttpResponse:
    """Return every segment with its rule, in the order in which they were made; or make one."""
    only(request, "GET", "POST")
    if request.method == "POST":
        return _saved(request, Segment(), whole=True)
    within_rate(caller_of(request, Scope.SEGMENTS), 1)
    return answer({"segments": [api_bodies.plain(one) for one in Segment.objects.order_by("pk")]})


@public
@csrf_exempt
def segment(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Return, change or remove one segment; a change says what else changes with it."""
    only(request, "GET", "PUT", "PATCH", "DELETE")
    if request.method in ("PUT", "PATCH"):
        return _saved(request, uuid, whole=request.method == "PUT")
    if request.method == "DELETE":
        return _deleted(request, uuid)
    within_rate(caller_of(request, Scope.SEGMENTS), 1)
    found = _there(uuid)
    return answer(api_bodies.plain(found) | {"used_by": api_bodies.used_by(found)})


@public
@csrf_exempt
def count(request: HttpRequest) -> HttpResponse:
    """Count a rule, or a segment by its name: the answer of the command `segment_count`."""
    only(request, "POST")
    caller, body = caller_of(request, Scope.SEGMENTS), body_of(request)
    with _refusals():
        asked = api_bodies.asked(body)
        within_rate(caller, 1)
        rule = rules.check(asked["rule"]) if "rule" in asked else queries.segment_named(asked["segment"]).rule
        found = counting.in_time(lambda: queries.reach(rule), SECONDS)
    if found is None:
        reason = f"Counting took longer than {SECONDS} seconds. Ask a simpler rule, or run segment_count on the server."
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "too_slow", reason)
    return answer(
        {"count": found.count, "mailable": found.mailable, "excluded": found.excluded, "seconds": found.seconds}
    )


@public
@csrf_exempt
def schema(request: HttpRequest) -> HttpResponse:
    """Return the JSON schema of a rule; it names nothing of the shop, so that everybody may read it."""
    only(request, "GET")
    return answer(rules.schema())


def _saved(request: HttpRequest, wanted: Segment | UUID, *, whole: bool) -> HttpResponse:
    caller, body = caller_of(request, Scope.SEGMENTS_WRITE), body_of(request)
    within_rate(caller, 1)
    found = wanted if isinstance(wanted, Segment) else _there(wanted)
    with _refusals(), audit.acting_as(f"API key {caller.prefix}"):
        given = api_bodies.described(body, whole=whole)
        name, rule = given.get("name", found.name), given.get("rule", found.rule)
        saved = services.save_segment(found, name=name, rule=rule, by=None)
    if wanted is saved:
        return answer(api_bodies.plain(saved), HTTPStatus.CREATED)
    return answer(api_bodies.plain(saved) | {"also_changed": api_bodies.used_by(saved)})


def _deleted(request: HttpRequest, uuid: UUID) -> HttpResponse:
    caller = caller_of(request, Scope.SEGMENTS_WRITE)
    within_rate(caller, 1)
    gone = _there(uuid)
    with _refusals(), audit.acting_as(f"API key {caller.prefix}"):
        services.delete_segment(gone, by=None)
    return answer({"deleted": uuid})


def _there(uuid: UUID) -> Segment:
    found = Segment.objects.filter(uuid=uuid).first()
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"There is no segment with the id {uuid}.")
    return found


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "unusable", str(error)) from error
    except StateError as error:
        raise ApiError(HTTPStatus.CONFLICT, "in_use", str(error)) from error
