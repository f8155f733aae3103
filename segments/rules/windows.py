"""When something happened, and which days come: moments of a window, ranges of an anniversary."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

ONE_DAY = timedelta(days=1)
FEBRUARY_28, FEBRUARY_29 = (2, 28), (2, 29)
Moments = tuple[datetime | None, datetime | None]


def bounds(window: Mapping[str, Any] | None, now: datetime, zone: tzinfo | None) -> Moments:
    """Return the first moment of a window, and the first moment after it; None where it is open.

    Days back are full 24 hours from `now`; named days are those of the zone, from midnight to midnight. A window of
    the last days has no end: what lies ahead by a wrong clock counts as just now, as it does in a profile.
    """
    if not window:
        return None, None
    if "days" in window:
        return now - timedelta(days=window["days"]), None
    if "before_days" in window:
        return None, now - timedelta(days=window["before_days"])
    if "since" in window:
        return midnight(date.fromisoformat(window["since"]), zone), None
    last = date.fromisoformat(window["to"])
    return midnight(date.fromisoformat(window["from"]), zone), midnight(last + ONE_DAY, zone)


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """Return the moment at which a day begins; where the clock skips midnight, the moment of the skip."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def anniversaries(first: date, last: date, earliest: int) -> Iterator[tuple[date, date]]:
    """Give ranges of days, both inclusive, whose anniversary lies from `first` to `last`, back to a year.

    Somebody of 29 February has it on the 28th where there is no 29th. The day itself is no anniversary.
    """
    for year in range(first.year, last.year + 1):
        begins, ends = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
        for past in range(earliest, year):
            from_day, to_day = _in_year(begins, past), _in_year(ends, past, up=False)
            if _is(ends, FEBRUARY_28) and not _leap(year) and _leap(past):
                to_day = date(past, *FEBRUARY_29)
            if from_day <= to_day:
                yield from_day, to_day


def _in_year(day: date, year: int, *, up: bool = True) -> date:
    if _is(day, FEBRUARY_29) and not _leap(year):
        return date(year, 3, 1) if up else date(year, *FEBRUARY_28)
    return day.replace(year=year)


def _is(day: date, month_and_day: tuple[int, int]) -> bool:
    return (day.month, day.day) == month_and_day


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
