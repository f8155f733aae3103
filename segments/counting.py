"""The editor's count: an estimate at once, then the exact number within two seconds, or the last one known."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from django.core.cache import cache
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from mailai.errors import MailAIError
from segments import queries, rules
from segments.estimate import estimate

logger = logging.getLogger(__name__)
EDITOR_SECONDS = 2.0
KEPT_SECONDS = 7 * 24 * 3600
# SQLite asks after so many of its steps whether to go on.
STEPS = 20_000
Answer = TypeVar("Answer")


class State(StrEnum):
    """What a count on the page is."""

    COUNTING = "counting"
    ESTIMATE = "estimate"
    EXACT = "exact"
    # The exact number of an earlier moment: now the database takes too long, or does not answer.
    OLD = "old"
    FAILED = "failed"


@dataclass(frozen=True)
class Counted:
    """A count, what it is, and of when. `reach` says how many may be mailed, where it is exact."""

    state: State
    at: datetime
    count: int | None = None
    low: int | None = None
    high: int | None = None
    seconds: float = 0.0
    reach: queries.Reach | None = None


class OutOfTimeError(MailAIError):
    """The database did not answer within the time that it was given."""


def first(rule: Any, now: datetime | None = None) -> Counted:
    """Return an answer at once: an estimate; exact where the shop is small, counting where the estimate is rough."""
    at = now or timezone.now()
    found = in_time(lambda: estimate(rule, at), EDITOR_SECONDS)
    if found is None:
        return Counted(State.COUNTING, at)
    state = State.EXACT if found.exact else State.COUNTING if found.rough else State.ESTIMATE
    return Counted(state, at, found.count, found.low, found.high, found.seconds)


def exact(rule: Any, now: datetime | None = None) -> Counted:
    """Return the exact count and who may be mailed; when it takes too long the last one, else the estimate.

    Who may be mailed is a second question with as much time; without an answer `reach` is None.
    """
    at, key = now or timezone.now(), _key(rule)
    started = time.perf_counter()
    n = number(rule, at)
    if n is None:
        return _without(rule, at, key)
    took = round(time.perf_counter() - started, 3)
    found = Counted(State.EXACT, at, n, n, n, took, in_time(lambda: queries.reach(rule, at), EDITOR_SECONDS))
    cache.set(key, found, KEPT_SECONDS)
    return found


def number(rule: Any, now: datetime | None = None, *, seconds: float = EDITOR_SECONDS) -> int | None:
    """Return how many fit exactly; None when that takes longer."""
    return in_time(lambda: rules.matching(rule, now).order_by().count(), seconds)


def in_time(ask: Callable[[], Answer], seconds: float) -> Answer | None:
    """Return what the database answers; None when it takes longer, or does not answer at all."""
    try:
        with transaction.atomic(), time_limit(seconds):
            return ask()
    except (DatabaseError, OutOfTimeError):
        logger.warning("a segment could not be counted within %s s", seconds, exc_info=True)
        return None


def _without(rule: Any, at: datetime, key: str) -> Counted:
    kept = cache.get(key)
    if kept is not None:
        return Counted(State.OLD, kept.at, kept.count, kept.low, kept.high, kept.seconds, kept.reach)
    found = in_time(lambda: estimate(rule, at), EDITOR_SECONDS)
    if found is None or found.exact:
        return Counted(State.FAILED, at)
    return Counted(State.ESTIMATE, at, found.count, found.low, found.high, found.seconds)


def _key(rule: Any) -> str:
    plain = json.dumps(rules.validate(rule), sort_keys=True)
    return f"segment-count:{hashlib.sha256(plain.encode()).hexdigest()}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop a statement that takes longer, inside a transaction; raises OutOfTimeError.

    What SQLite can't give up is only noticed between its steps, so it may take a little longer.
    """
    started = time.perf_counter()
    postgres = connection.vendor == "postgresql"
    connection.ensure_connection()
    if postgres:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [int(seconds * 1000)])
    else:
        connection.connection.set_progress_handler(lambda: time.perf_counter() - started > seconds, STEPS)
    try:
        yield
    except OperationalError as error:
        if time.perf_counter() - started < seconds:
            raise
        raise OutOfTimeError(f"The database took longer than {seconds:g} s.") from error
    finally:
        if not postgres:
            connection.connection.set_progress_handler(None, 0)
    if postgres:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")
