"""The select of a queryset as text, for statements that are put together of several."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet


def select(rows: "QuerySet[Any, Any]") -> tuple[str, tuple[Any, ...]] | None:
    """Return the statement of a queryset and its parameters; None where it can find nothing."""
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return None
    return sql, tuple(parameters)
