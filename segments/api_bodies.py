"""What programs send about segments, read and refused in words; and a segment as they get it back."""

from typing import Any

import msgspec

from mailai.errors import InputError
from segments import usage
from segments.models import Segment
from segments.rules import checks

PARTS = ("name", "rule")
ASKS = {"rule", "segment"}


def asked(body: bytes) -> dict[str, Any]:
    """Return what is to be counted: a rule, or the name of a segment."""
    found = _json(body)
    if not isinstance(found, dict) or len(found) != 1 or not found.keys() <= ASKS:
        raise InputError('Send {"rule": …} or {"segment": "its name"}, one of them and nothing else.')
    if not isinstance(found.get("segment", ""), str):
        raise InputError("`segment` is the name of a segment, a text.")
    return found


def described(body: bytes, *, whole: bool) -> dict[str, Any]:
    """Return the name and the rule that a segment is to have: both, or where not the whole is sent at least one."""
    found = dict(checks.keys("segment", _json(body), PARTS, needed=PARTS if whole else ()))
    if not found:
        raise InputError('Send {"name": …} or {"rule": …}, or both.')
    if not isinstance(found.get("name", ""), str):
        raise InputError("`name` is the name of the segment, a text.")
    return found


def plain(segment: Segment) -> dict[str, Any]:
    """Return a segment as JSON."""
    return {"id": segment.uuid, "name": segment.name, "rule": segment.rule, "updated_at": segment.updated_at}


def used_by(segment: Segment) -> dict[str, list[str]]:
    """Return the names of what asks a segment, itself or through other segments, and changes with it."""
    found = usage.uses(segment)
    return {"segments": found.segments, "campaigns": found.campaigns}


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"The body can't be read: {error}.") from None
