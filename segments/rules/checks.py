"""Checks of single values that several kinds of conditions share. Each raises InputError that says what to mend."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from mailai.errors import InputError
from mailai.texts import storable
from segments.rules.limits import FIRST_DAY, LAST_DAY, MAX_LIST, MAX_TEXT


def suggestion(name: Any, known: Iterable[str]) -> str:
    """Return " Did you mean …?" where a known name is near, else nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return " " + _("Did you mean “%(near)s”?") % {"near": near[0]} if near else ""


def one_of(what: str, value: Any, known: Sequence[str]) -> str:
    """Return the value when it is a known word."""
    if isinstance(value, str) and value in known:
        return value
    raise InputError(
        _("“%(what)s” can't be “%(value)s”. Use one of %(known)s.")
        % {"what": what, "value": value, "known": ", ".join(known)}
        + suggestion(value, known)
    )


def keys(what: str, found: Any, known: Sequence[str], *, needed: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return an object that has no key beside the known ones, and all that are needed."""
    if not isinstance(found, dict):
        raise InputError(_("“%(what)s” needs an object with %(known)s.") % {"what": what, "known": ", ".join(known)})
    for name in found:
        if name not in known:
            raise InputError(
                _("“%(name)s” does not belong into “%(what)s”. Use one of %(known)s.")
                % {"name": name, "what": what, "known": ", ".join(known)}
                + suggestion(name, known)
            )
    for name in needed:
        if name not in found:
            raise InputError(_("“%(what)s” needs “%(name)s”.") % {"what": what, "name": name})
    return found


def number(label: Any, value: Any, low: float, high: float, *, whole: bool) -> int | float:
    """Return a number within the range; whole ones as int."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(_("“%(field)s” needs a number.") % {"field": label})
    if not low <= value <= high:
        raise InputError(
            _("“%(field)s” must lie between %(low)s and %(high)s.") % {"field": label, "low": low, "high": high}
        )
    if whole and value != int(value):
        raise InputError(_("“%(field)s” needs a whole number.") % {"field": label})
    return int(value) if whole else value


def text(label: Any, value: Any) -> str:
    """Return a text that every database can store."""
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT or not storable(value):
        raise InputError(_("“%(field)s” needs a text of 1 to %(n)s letters.") % {"field": label, "n": MAX_TEXT})
    return value


def texts(label: Any, value: Any) -> list[str]:
    """Return a list of texts."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST:
        raise InputError(_("“%(field)s” needs a list of 1 to %(n)s values.") % {"field": label, "n": MAX_LIST})
    return [text(label, one) for one in value]


def day(label: Any, value: Any) -> str:
    """Return a day as 2026-01-31."""
    try:
        found = date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        found = ""
    if not FIRST_DAY <= found <= LAST_DAY:
        raise InputError(_("“%(field)s” needs a day such as 2026-01-31.") % {"field": label})
    return found


def uuid(label: Any, value: Any) -> str:
    """Return the id of something that leaves the house."""
    try:
        return str(UUID(value))
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(_("“%(field)s” needs an id such as %(example)s.") % {
            "field": label, "example": "0f8b3c9e-7d51-4f43-9a3e-1c2d3e4f5a6b",
        }) from error  # fmt: skip
