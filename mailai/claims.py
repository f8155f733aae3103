"""Owning a row: one conditional UPDATE, so that one worker wins on SQLite and PostgreSQL alike."""

from typing import Any

from django.db.models import Model, QuerySet


def claim(rows: "QuerySet[Any]", *, from_status: str, to_status: str, field: str = "state", **changes: Any) -> int:
    """Move the rows that are still in ``from_status`` to ``to_status`` and return how many this caller won."""
    return rows.filter(**{field: from_status}).update(**{field: to_status}, **changes)


def claim_one(row: Model, *, from_status: str, to_status: str, field: str = "state", **changes: Any) -> bool:
    """Say whether this caller moved exactly this row; the others lose."""
    manager = type(row)._default_manager
    return claim(manager.filter(pk=row.pk), from_status=from_status, to_status=to_status, field=field, **changes) == 1
