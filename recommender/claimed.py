"""A row that one worker owns while it works on it: claimed once, kept by a heartbeat, taken up when that stops."""

import logging
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.claims import claim_one
from mailai.errors import StateError

logger = logging.getLogger(__name__)
# A heartbeat on the row at most this often, however small the blocks are.
BEAT_SECONDS = 2.0
# A worker beats every few seconds; this long without a beat means that it is gone.
DEAD_AFTER = timedelta(minutes=5)
MAX_TRIES = 3
QUEUED, RUNNING, FAILED = "queued", "running", "failed"


class Claimed:
    """A row of a model with ``state``, ``tries``, ``started_at``, ``heartbeat_at``, ``finished_at`` and ``error``.

    It may be written to only while this worker owns it.
    """

    def __init__(self, row: Any) -> None:
        self.row = row
        self.last_beat = 0.0

    def begin(self, **changes: Any) -> bool:
        """Own the row from now on; False = it does not wait, or another worker was faster."""
        now = timezone.now()
        won = claim_one(
            self.row, from_status=QUEUED, to_status=RUNNING, started_at=now, heartbeat_at=now,
            tries=self.row.tries + 1, error="", **changes,
        )  # fmt: skip
        self.row.refresh_from_db()
        return won

    def update(self, **changes: Any) -> None:
        """Write to the row, with a heartbeat.

        Raises
        ------
        StateError : another worker owns it by now.
        """
        changes["heartbeat_at"] = timezone.now()
        if not self._own().update(**changes):
            raise StateError(_("Another worker has taken this over."))
        for name, value in changes.items():
            setattr(self.row, name, value)

    def beat(self) -> None:
        """Show that work goes on."""
        if time.monotonic() - self.last_beat > BEAT_SECONDS:
            self.last_beat = time.monotonic()
            # SQLite refuses at once to write during a read that began before somebody else wrote: the next one beats.
            with suppress(OperationalError):
                self.update()

    def fail(self, sentence: str) -> None:
        """End without success, unless another worker owns the row by now."""
        self._own().update(state=FAILED, error=sentence[:500], finished_at=timezone.now())

    def give_way(self) -> None:
        """Let the row wait for a worker again, as if no try had been made: what is done is stored."""
        self._own().update(state=QUEUED, tries=0)

    def _own(self) -> Any:
        rows = type(self.row)._default_manager
        return rows.filter(pk=self.row.pk, state=RUNNING, started_at=self.row.started_at, tries=self.row.tries)


def take_up(model: type[Model], sentence: str, **changes: Any) -> None:
    """Queue again what dead workers left, and end with the sentence what they left three times.

    ``changes`` are written to what is queued again.
    """
    dead = Q(heartbeat_at__lt=timezone.now() - DEAD_AFTER) | Q(heartbeat_at=None)
    lost = model._default_manager.filter(dead, state=RUNNING)
    n = lost.filter(tries__gte=MAX_TRIES).update(state=FAILED, error=sentence, finished_at=timezone.now())
    again = lost.update(state=QUEUED, **changes)
    if n or again:
        logger.warning("%s: %s rows queued again, %s given up", model.__name__, again, n)
