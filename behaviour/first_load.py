"""A shop's first large file is loaded without the index of a shopper's events, which is built at once afterwards.

Its entries come in at random places, so that each part of a file writes nearly all its pages again: a quarter of an
import. Nobody misses it: until the first file is there, no shopper has an event that somebody could ask for.
"""

from contextlib import suppress

from django.db import OperationalError, connection, transaction

from behaviour import turns
from behaviour.core.columns import PRODUCTS, SHOPPERS, Match
from behaviour.models import Event, Upload

INDEX = next(index for index in Event._meta.indexes if index.name == "event_shopper")
# Below, there is little to win. Beyond so many rows the rest is loaded with the index: who else writes events waits
# while it is built, about a second a million rows, and on SQLite every writer does, who gives up after twenty.
FEWEST_BYTES, MOST_ROWS = 20_000_000, 5_000_000
# Dropping waits on PostgreSQL for whoever reads events (a backup does for long), and all others wait behind it.
LONGEST_WAIT = "2s"
STANDS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND name = %s",
    # to_regclass() may answer from memory what was true before another process built it.
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname = %s",
}
State = Upload.State


def begin(upload: Upload, match: Match) -> None:
    """Drop the index before the first row of a large file of events, if nobody sees an event yet.

    It stays where somebody reads the table for long, and where the file names addresses: who was known by hers and now
    has an id takes her events along, block by block, and they are found by the index.
    """
    small = upload.size < FEWEST_BYTES or upload.kind in (PRODUCTS, SHOPPERS) or "email" in match.columns
    if small or upload.checkpoint.get("rows") or Event.objects.exists():
        return
    with suppress(OperationalError), transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")
        cursor.execute(f"DROP INDEX IF EXISTS {connection.ops.quote_name(INDEX.name)}")


def end() -> None:
    """Build the index if it does not stand; costs about a second a million events, and nothing where it stands."""
    if _stands():
        return
    with transaction.atomic():
        # Two who build it at one moment do so one after the other.
        turns.alone()
        if not _stands():
            with connection.cursor() as cursor:
                cursor.execute(str(INDEX.create_sql(Event, connection.schema_editor())))


def _stands() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(STANDS[connection.vendor], [INDEX.name])
        return cursor.fetchone() is not None


def mend() -> None:
    """Build the index that a broken import left out, unless one is on its way that will."""
    if not Upload.objects.filter(state__in=[State.QUEUED, State.IMPORTING]).exists():
        end()
