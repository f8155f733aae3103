"""Names that people give segments and lists: tidied, checked, and free."""

import itertools
from typing import Any

from django.db.models import QuerySet

from mailai.errors import InputError
from segments.rules.limits import UNSTORABLE

NAME_LENGTH = 120
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
    if not name or len(name) > NAME_LENGTH or UNSTORABLE.search(name):
        raise InputError(missing % {"n": NAME_LENGTH})
    if rows.filter(name=name).exists():
        raise InputError(taken % {"name": name})
    return name


def first_free(base: str, rows: "QuerySet[Any]") -> str:
    """Return a name that none of these rows has: the base, with a number behind it where it is taken."""
    base = tidy(base)[:NAME_LENGTH]
    names = itertools.chain([base], (f"{base[: NAME_LENGTH - ROOM]} {number}" for number in itertools.count(2)))
    return next(one for one in names if not rows.filter(name=one).exists())
