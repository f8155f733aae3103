"""Indexes that are built at once after many rows were written, instead of entry by entry at random places."""

from collections.abc import Sequence
from contextlib import suppress

from django.db import OperationalError, connection, models, transaction

# Dropping waits on PostgreSQL for whoever reads the table (a backup does for long), and all others wait behind it.
LONGEST_WAIT = "2s"
STANDING = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = %s",
    # to_regclass() may answer from memory what was true before another process built it.
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s",
}
Table = type[models.Model]


def drop(model: Table, indexes: Sequence[models.Index]) -> None:
    """Drop indexes; they stay where somebody reads the table for long."""
    with suppress(OperationalError), transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")
        for index in indexes:
            cursor.execute(f"DROP INDEX IF EXISTS {connection.ops.quote_name(index.name)}")


def build(model: Table, indexes: Sequence[models.Index]) -> None:
    """Build those that don't stand; costs about a second a million rows and index, and nothing where all stand.

    Who else writes to the table waits; on SQLite every writer does.
    """
    if not _missing(model, indexes):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Two who build at one moment do so one after the other.
            cursor.execute(f"LOCK TABLE {connection.ops.quote_name(model._meta.db_table)} IN SHARE ROW EXCLUSIVE MODE")
        for index in _missing(model, indexes):
            cursor.execute(str(index.create_sql(model, connection.schema_editor())))


def _missing(model: Table, indexes: Sequence[models.Index]) -> list[models.Index]:
    with connection.cursor() as cursor:
        cursor.execute(STANDING[connection.vendor], [model._meta.db_table])
        standing = {name for (name,) in cursor.fetchall()}
    return [index for index in indexes if index.name not in standing]
