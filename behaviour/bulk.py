"""Many rows in few statements: what the ORM does per object costs more than the database here."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, models, transaction

BATCH = 5000


def insert(model: type[models.Model], columns: dict[str, Sequence[Any]], *, batch: int = BATCH) -> int:
    """Insert rows given by column, in transactions of ``batch`` rows; rows whose unique key exists are passed over.

    The statement is the same on SQLite and PostgreSQL. Columns that are left out need a default in the database, so
    every column without one must be given. Returns the number of rows that were new.
    """
    fields = [model._meta.get_field(name) for name in columns]
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)  # type: ignore[union-attr]
    places = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608 names of our own models
    n_rows = len(next(iter(columns.values())))
    n_new = 0
    for start in range(0, n_rows, batch):
        parts = [
            _adapted(field, values[start : start + batch])
            for field, values in zip(fields, columns.values(), strict=True)
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, list(zip(*parts, strict=True)))
            n_new += cursor.rowcount
    return n_new


def _adapted(field: Any, values: Sequence[Any]) -> list[Any]:
    """Turn values into what the database takes; equal values, which are many, are turned once."""
    known: dict[Any, Any] = {}
    adapted = []
    for value in values:
        if value not in known:
            known[value] = field.get_db_prep_save(value, connection)
        adapted.append(known[value])
    return adapted
