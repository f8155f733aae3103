"""Locks that are no row: PostgreSQL's advisory ones. On SQLite every write transaction is alone anyway."""

from django.db import connection


def hold(key: int, *, shared: bool = False) -> None:
    """Wait, inside a transaction, until nobody else holds this lock, and hold it until the transaction ends.

    Who asks to share it waits only for who holds it alone.
    """
    if connection.vendor == "postgresql":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [key])
