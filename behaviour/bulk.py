"""Many rows in few statements: what the ORM does per object costs more than the database here."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import polars as pl
from django.db import InterfaceError, OperationalError, connection, models, transaction

from behaviour.ahead import one_ahead

BATCH = 5000
# Rows that are encoded while PostgreSQL works on those before them.
SLICE = 10_000
# SQLite: parameters of a statement.
MOST_PARAMETERS = 6000
# While much is loaded; SQLite's log then grows to some 40 MB.
LOADING = {
    "sqlite": {"mmap_size": "0", "wal_autocheckpoint": "10000"},
    "postgresql": {"synchronous_commit": "off"},
}
# While everybody's events are read: groups of a million stay in the server's memory, and the table is read from its
# beginning to its end instead of by an index, page by page.
READING: dict[str, dict[str, str]] = {
    "sqlite": {},
    "postgresql": {"work_mem": "128MB", "random_page_cost": "4"},
}


def insert(model: type[models.Model], columns: dict[str, Sequence[Any]], *, batch: int = BATCH) -> int:
    """Insert rows given by column, in transactions of ``batch`` rows; rows whose unique key exists are passed over.

    The statement is the same on SQLite and PostgreSQL. Columns that are left out need a default in the database, so
    every column without one must be given. Returns the number of rows that were new.
    """
    fields = [model._meta.get_field(name) for name in columns]
    sql = _insert_sql(model, [str(field.column) for field in fields])  # type: ignore[union-attr]
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


def insert_frame(model: type[models.Model], frame: pl.DataFrame) -> int:
    """Insert a frame whose columns are named as the table's; return how many rows were new.

    Times are UTC, keys are hexadecimal. SQLite passes over rows whose unique key exists. PostgreSQL copies, which is
    four times as fast as inserting and refuses such rows: the caller writes new ones only.

    Raises
    ------
    django.db.IntegrityError : PostgreSQL, when somebody else wrote one of the rows at this moment.
    """
    if frame.is_empty():
        return 0
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join(frame.columns)
            # Django turns the driver's errors into its own only for the calls that it knows; this is none of them.
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)") as copy,
            ):
                for rows in frame.iter_slices(SLICE):
                    copy.write(rows.write_csv(include_header=False, quote_style="non_numeric").encode())
            return len(frame)
        return _insert_in_sqlite(cursor, model, _for_sqlite(frame))


def change(statements: dict[str, str], rows: pl.DataFrame) -> None:
    """Change many rows: one statement on PostgreSQL, one prepared statement on SQLite.

    ``statements`` holds one for each vendor; that of SQLite takes the columns in their order, that of PostgreSQL a
    JSON list of rows.
    """
    if rows.is_empty():
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(statements["postgresql"], [as_json(rows.to_dicts())])
        else:
            many: Any = rows.iter_rows()
            cursor.executemany(statements["sqlite"], many)


def _insert_sql(model: type[models.Model], names: Sequence[str]) -> str:
    quote = connection.ops.quote_name
    columns, places = ", ".join(map(quote, names)), ", ".join(["%s"] * len(names))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608 names of our own models


def _insert_in_sqlite(cursor: Any, model: type[models.Model], frame: pl.DataFrame) -> int:
    """Insert many rows with each statement: one row a statement takes a third longer."""
    quote = connection.ops.quote_name
    same = {name: literal for name in frame.columns if (literal := _literal(frame[name])) is not None}
    if len(same) == frame.width:
        # Rows without a column would be no rows.
        same.popitem()
    given = frame.drop(same)
    columns = ", ".join(quote(name) for name in (*given.columns, *same))
    row = f"({', '.join((*['%s'] * given.width, *same.values()))})"
    most = min(MOST_PARAMETERS, connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
    per_statement = max(most // max(given.width, 1), 1)
    n_new = 0
    # Few sizes: the connection keeps the last 128 statements, and a large one takes half a megabyte.
    for size in (per_statement, max(per_statement // 16, 1), 1):
        n_whole = len(given) // size * size
        rows, given = given.head(n_whole), given.slice(n_whole)
        if len(rows):
            places = ", ".join([row] * size)
            sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {places} ON CONFLICT DO NOTHING"  # noqa: S608 names of our own models
            # Rows become Python's values on another core while SQLite, which needs no Python, writes those before them.
            cursor.executemany(sql, one_ahead(_flat(some) for some in rows.iter_slices(size)))
            n_new += cursor.rowcount
    return n_new


def _flat(rows: pl.DataFrame) -> list[Any]:
    """Return the values of all rows, one row after the other."""
    return list(chain.from_iterable(rows.rows()))


def _literal(column: pl.Series) -> str | None:
    """Return how a column is written that says the same in every row, if that is nothing or a whole number."""
    value = column[0]
    if value != column[-1] or column.n_unique() > 1:
        return None
    if value is None:
        return "NULL"
    if value == "":
        return "''"
    return str(value) if type(value) is int else None


def _for_sqlite(frame: pl.DataFrame) -> pl.DataFrame:
    """Write times as Django does: a fraction of a second only where there is one."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.with_columns(
        pl.when(pl.col(name).dt.microsecond() == 0)
        .then(pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S"))
        .otherwise(pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S%.6f"))
        .alias(name)
        for name in times
    )


@contextmanager
def long_load() -> Iterator[None]:
    """Let this connection load many rows; what its last transactions wrote may be lost when the power fails.

    SQLite reads through its own small cache, as mapped pages of a large file count as this process's memory, and copies
    its log into the file less often: pages of an index that many parts touch are copied once for all of them.
    PostgreSQL does not wait for the disk at each commit. A commit after the load waits for all of them.
    """
    with _settings(LOADING[connection.vendor]):
        yield


@contextmanager
def long_read() -> Iterator[None]:
    """Let this connection group millions of rows: PostgreSQL does so in the server's memory instead of on its disk."""
    with _settings(READING[connection.vendor]):
        yield


@contextmanager
def _settings(settings: dict[str, str]) -> Iterator[None]:
    with connection.cursor() as cursor:
        before = {name: _setting(cursor, name) for name in settings}
        _set(cursor, settings)
    try:
        yield
    finally:
        # A connection that broke has forgotten its settings.
        with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
            _set(cursor, before)


def _setting(cursor: Any, name: str) -> str:
    cursor.execute(f"SHOW {name}" if connection.vendor == "postgresql" else f"PRAGMA {name}")
    row = cursor.fetchone()
    return str(row[0]) if row else "0"


def _set(cursor: Any, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        cursor.execute(f"SET {name} = '{value}'" if connection.vendor == "postgresql" else f"PRAGMA {name} = {value}")


def fetch(sql: str, texts: pl.Series, *more: Any) -> list[tuple[Any, ...]]:
    """Run a query that asks for many texts or numbers at once; ``{many}``, with the column ``value``, stands where
    they go, before the places of ``more``.
    """
    postgres = connection.vendor == "postgresql"
    # One JSON text is made and read much faster than an array of parameters.
    many = "(SELECT json_array_elements_text(%s::json) AS value)" if postgres else "(SELECT value FROM json_each(%s))"
    with connection.cursor() as cursor:
        cursor.execute(sql.format(many=many), [as_json(texts.to_list()), *more])
        return list(cursor.fetchall())


def as_json(values: Sequence[Any]) -> str:
    """Return values as the JSON text that a statement unpacks."""
    return json.dumps(values, ensure_ascii=False)


def _adapted(field: Any, values: Sequence[Any]) -> list[Any]:
    """Turn values into what the database takes; equal values, which are many, are turned once."""
    known: dict[Any, Any] = {}
    adapted = []
    for value in values:
        if value not in known:
            known[value] = field.get_db_prep_save(value, connection)
        adapted.append(known[value])
    return adapted
