"""Names that people give segments and lists: tidied, checked, free, and found again."""

import difflib
import itertools
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from mailai.errors import InputError
from mailai.texts import storable

NAME_LENGTH = 120
Named = TypeVar("Named", bound=Model)
# A base that is cut leaves room for a space and a number.
ROOM = 8


def tidy(name: str) -> str:
    """Return a name with single spaces between its words."""
    return " ".join(name.split())


def checked(name: str, rows: "QuerySet[Any]", *, missing: str, taken: str) -> str:
    """Return the name, tidied.

    Raises
    ------
    InputError : there is none, it is too long or can't be stored (``missing``, with ``%(n)s``), or one of these rows
        has it (``taken``, with ``%(name)s``).
    """
    name = tidy(name)
    if not name or len(name) > NAME_LENGTH or not storable(name):
        raise InputError(missing % {"n": NAME_LENGTH})
    if rows.filter(name=name).exists():
        raise InputError(taken % {"name": name})
    return name


def first_free(base: str, rows: "QuerySet[Any]") -> str:
    """Return a name that none of these rows has: the base, with a number behind it where it is taken."""
    base = tidy(base)[:NAME_LENGTH]
    names = itertools.chain([base], (f"{base[: NAME_LENGTH - ROOM]} {number}" for number in itertools.count(2)))
    return next(one for one in names if not rows.filter(name=one).exists())


def named(name: str, rows: "QuerySet[Named]", *, near: str, nothing: str) -> Named:
    """Return the row of that name.

    Raises
    ------
    InputError : there is none; with the nearest name (``near``, with ``%(name)s`` and ``%(near)s``), or without one
        (``nothing``, with ``%(name)s``).
    """
    # What can't be stored can't be asked for either on PostgreSQL.
    found = rows.filter(name=name).first() if storable(name) else None
    if found:
        return found
    close = difflib.get_close_matches(name, rows.values_list("name", flat=True), n=1)
    raise InputError(near % {"name": name, "near": close[0]} if close else nothing % {"name": name})
