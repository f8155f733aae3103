"""Paging by the last row shown: page 40,000 costs what the first one costs, and no row is skipped when others come in.

Rows stand in descending order of a value and then of a key; those without the value come last, by their id.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from mailai.moments import moment_in

PER_PAGE = 25
BETWEEN = "~"
HIGHEST = 10**12


@dataclass(frozen=True)
class Sorting:
    """A column to sort by: its path, the path of the key beside it in the same table, and how its text is read."""

    value: str
    key: str
    read: Callable[[str], Any]


@dataclass(frozen=True)
class KeyPage:
    """One page of rows and the addresses of its neighbours (components/key_pager.html shows them)."""

    rows: list[Any]
    previous_url: str
    next_url: str

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class _Place:
    """Where a row stands; ``value`` is None in the part without values."""

    value: Any
    key: int


def a_moment(text: str) -> datetime:
    """Read a moment with its zone; ValueError for anything else."""
    moment = moment_in(text)
    if moment is None:
        raise ValueError(text)
    return moment


def a_number(text: str) -> Decimal:
    """Read a number that a column can hold; ValueError or ArithmeticError for anything else."""
    number = Decimal(text)
    if not number.is_finite() or abs(number) > HIGHEST:
        raise ValueError(text)
    return number


def key_page(request: HttpRequest, rows: "QuerySet[Any]", by: Sorting) -> KeyPage:
    """Return the page that ?after= or ?before= asks for; nonsense shows the first. One query, two where values end."""
    after, before = (_place(request.GET.get(name, ""), by) for name in ("after", "before"))
    if before is not None:
        found = _upwards(rows, by, before, PER_PAGE + 1)
        if len(found) > PER_PAGE:
            shown = found[1:]
            return KeyPage(shown, _url(request, "before", shown[0], by), _url(request, "after", shown[-1], by))
        after = None
    found = _downwards(rows, by, after, PER_PAGE + 1)
    shown = found[:PER_PAGE]
    return KeyPage(
        shown,
        _url(request, "before", shown[0], by) if after is not None and shown else "",
        _url(request, "after", shown[-1], by) if len(found) > PER_PAGE else "",
    )


def _downwards(rows: "QuerySet[Any]", by: Sorting, after: _Place | None, n: int) -> list[Any]:
    found: list[Any] = []
    if after is None or after.value is not None:
        # Without nulls the database walks the index of the column, from its end.
        part = rows.filter(**{f"{by.value}__isnull": False})
        if after is not None:
            past = Q(**{f"{by.value}__lt": after.value}) | Q(**{f"{by.key}__lt": after.key})
            part = part.filter(past, **{f"{by.value}__lte": after.value})
        found = list(part.order_by(f"-{by.value}", f"-{by.key}")[:n])
    if len(found) < n:
        rest = rows.filter(**{f"{by.value}__isnull": True})
        if after is not None and after.value is None:
            rest = rest.filter(pk__lt=after.key)
        found += rest.order_by("-pk")[: n - len(found)]
    return found


def _upwards(rows: "QuerySet[Any]", by: Sorting, before: _Place, n: int) -> list[Any]:
    found: list[Any] = []
    if before.value is None:
        found = list(rows.filter(**{f"{by.value}__isnull": True}, pk__gt=before.key).order_by("pk")[:n])
    if len(found) < n:
        part = rows.filter(**{f"{by.value}__isnull": False})
        if before.value is not None:
            past = Q(**{f"{by.value}__gt": before.value}) | Q(**{f"{by.key}__gt": before.key})
            part = part.filter(past, **{f"{by.value}__gte": before.value})
        found += part.order_by(by.value, by.key)[: n - len(found)]
    return found[::-1]


def _place(text: str, by: Sorting) -> _Place | None:
    value, _between, key = text.rpartition(BETWEEN)
    if not key.isdecimal() or len(key) > 18:
        return None
    try:
        return _Place(by.read(value) if value else None, int(key))
    except (ValueError, ArithmeticError):
        return None


def _url(request: HttpRequest, name: str, row: Any, by: Sorting) -> str:
    value = row
    for step in by.value.split("__"):
        value = getattr(value, step, None)
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    query = request.GET.copy()
    for old in ("after", "before", "page"):
        query.pop(old, None)
    query[name] = f"{text}{BETWEEN}{row.pk}"
    return f"?{query.urlencode()}"
