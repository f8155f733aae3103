"""What every call of the API asks first: the method, the key and its scope, the size of the body, the rate."""

from django.http import HttpRequest

from behaviour.api_door import ApiError
from mailai.accounts import apikeys
from mailai.accounts.apikeys import Caller

MOST_BYTES = 5_000_000
BEARER = "Bearer "


def only(request: HttpRequest, *methods: str) -> None:
    """Refuse every other method."""
    if request.method not in methods:
        raise ApiError(405, "wrong_method", f"Use {' or '.join(methods)}.", Allow=", ".join(methods))


def caller_of(request: HttpRequest, scope: str) -> Caller:
    """Return whose key was sent; ApiError without a key, or without the scope."""
    given = request.headers.get("Authorization", "")
    caller = apikeys.caller_of(given[len(BEARER) :].strip()) if given.startswith(BEARER) else None
    if caller is None:
        reason = "Send `Authorization: Bearer …` with a key that is neither revoked nor expired."
        raise ApiError(401, "no_key", reason, WWW_Authenticate="Bearer")
    if scope not in caller.scopes:
        raise ApiError(403, "wrong_scope", f"This key lacks the scope {scope}. Make one that has it.")
    return caller


def body_of(request: HttpRequest) -> bytes:
    """Return the body; ApiError where it is too large."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        raise ApiError(413, "too_large", "A request may have 5 MB. Send smaller batches.")
    return request.body


def within_rate(caller: Caller, n: int) -> None:
    """Take n entries from the key's allowance; ApiError where it is used up."""
    if n > caller.rate:
        raise ApiError(413, "too_many", f"This key may send {caller.rate} entries a minute; this request holds {n}.")
    if wait := apikeys.wait_seconds(caller, max(n, 1)):
        reason = f"This key may send {caller.rate} entries a minute. Nothing was stored; try again in {wait} s."
        raise ApiError(429, "too_fast", reason, Retry_After=str(wait))
