"""What a shop's own programs ask of segments: which there are, how many a rule fits, what a rule may hold."""

from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from behaviour.api_calls import body_of, caller_of, only, within_rate
from behaviour.api_door import ApiError, answer
from mailai.accounts.models import ApiKey
from mailai.accounts.roles import public
from mailai.errors import InputError
from segments import counting, queries, rules
from segments.models import Segment

SCOPE = ApiKey.Scope.SEGMENTS
# A program can wait longer than a person, but no web worker waits for ever.
SECONDS = 20
ASKS = {"rule", "segment"}


@public
@csrf_exempt
def segments(request: HttpRequest) -> HttpResponse:
    """Return every segment with its rule, in the order in which they were made."""
    only(request, "GET")
    within_rate(caller_of(request, SCOPE), 1)
    rows = Segment.objects.order_by("pk").values_list("uuid", "name", "rule", "updated_at")
    found = [{"id": uuid, "name": name, "rule": rule, "updated_at": at} for uuid, name, rule, at in rows]
    return answer({"segments": found})


@public
@csrf_exempt
def count(request: HttpRequest) -> HttpResponse:
    """Count a rule, or a segment by its name: the answer of the command `segment_count`."""
    only(request, "POST")
    caller = caller_of(request, SCOPE)
    asked = _asked(body_of(request))
    within_rate(caller, 1)
    try:
        rule = rules.check(asked["rule"]) if "rule" in asked else queries.segment_named(asked["segment"]).rule
        found = counting.in_time(lambda: queries.reach(rule), SECONDS)
    except InputError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "unusable", str(error)) from error
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


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable", f"The body can't be read: {error}.") from None
    if not isinstance(asked, dict) or len(asked) != 1 or not asked.keys() <= ASKS:
        reason = 'Send {"rule": …} or {"segment": "its name"}, one of them and nothing else.'
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable", reason)
    if not isinstance(asked.get("segment", ""), str):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable", "`segment` is the name of a segment, a text.")
    return asked
