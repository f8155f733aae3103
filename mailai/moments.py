"""A moment that somebody wrote, or a link holds."""

from datetime import datetime

from django.utils.dateparse import parse_datetime

# A time zone or some days more or less never lead out of the calendar.
YEARS = range(1970, 2101)


def moment_in(text: str) -> datetime | None:
    """Return the time with its zone that a text is, None = it is none, or of a year that nobody means."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo and found.year in YEARS else None
