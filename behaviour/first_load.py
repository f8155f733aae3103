"""A shop's first large file is loaded without the index of a shopper's events, which is built at once afterwards.

Its entries come in at random places, so that each part of a file writes nearly all its pages again: a quarter of an
import. Nobody misses it: until the first file is there, no shopper has an event that somebody could ask for.
"""

from behaviour import late_indexes
from behaviour.core.columns import PRODUCTS, SHOPPERS, Match
from behaviour.models import Event, Upload

INDEXES = [index for index in Event._meta.indexes if index.name == "event_shopper"]
# Below, there is little to win. Beyond so many rows the rest is loaded with the index: who else writes events waits
# while it is built, about a second a million rows, and on SQLite every writer does, who gives up after twenty.
FEWEST_BYTES, MOST_ROWS = 20_000_000, 5_000_000
State = Upload.State


def begin(upload: Upload, match: Match) -> None:
    """Drop the index before the first row of a large file of events, if nobody sees an event yet.

    It stays where somebody reads the table for long, and where the file names addresses: who was known by hers and now
    has an id takes her events along, block by block, and they are found by the index.
    """
    small = upload.size < FEWEST_BYTES or upload.kind in (PRODUCTS, SHOPPERS) or "email" in match.columns
    if small or upload.checkpoint.get("rows") or Event.objects.exists():
        return
    late_indexes.drop(Event, INDEXES)


def end() -> None:
    """Build the index if it does not stand; costs about a second a million events, and nothing where it stands."""
    late_indexes.build(Event, INDEXES)


def mend() -> None:
    """Build the index that a broken import left out, unless one is on its way that will."""
    if not Upload.objects.filter(state__in=[State.QUEUED, State.IMPORTING]).exists():
        end()
