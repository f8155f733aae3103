"""A shop's first large file is loaded without the index of a shopper's events, which is built at once afterwards.

Its entries come in at random places, so that each part of a file writes nearly all its pages again: a quarter of an
import. Nobody misses it: until the first file is there, no shopper has an event that somebody could ask for.
"""

from django.db import connection

from behaviour.models import Event, Upload

INDEX = next(index for index in Event._meta.indexes if index.name == "event_shopper")
# Below, there is little to win. Beyond so many rows the rest is loaded with the index: who else writes events waits
# while it is built, about a second a million rows, and on SQLite every writer does, who gives up after twenty.
FEWEST_BYTES, MOST_ROWS = 20_000_000, 5_000_000
STANDS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND name = %s",
    "postgresql": "SELECT to_regclass(%s)",
}
State = Upload.State


def begin(upload: Upload) -> None:
    """Drop the index before the first row of a large file, if nobody sees an event yet."""
    if upload.size >= FEWEST_BYTES and not upload.checkpoint.get("rows") and not Event.objects.exists():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {connection.ops.quote_name(INDEX.name)}")


def end() -> None:
    """Build the index if it does not stand; costs about a second a million events, and nothing where it stands."""
    with connection.cursor() as cursor:
        cursor.execute(STANDS[connection.vendor], [INDEX.name])
        if not (cursor.fetchone() or [None])[0]:
            cursor.execute(str(INDEX.create_sql(Event, connection.schema_editor())))


def mend() -> None:
    """Build the index that a broken import left out, unless one is on its way that will."""
    if not Upload.objects.filter(state__in=[State.QUEUED, State.IMPORTING]).exists():
        end()
