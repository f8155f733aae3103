"""Writers of events and whoever deletes shoppers or products take turns: no event is left without its shopper.

A foreign key would say the same for each row, at half the speed of an import. On SQLite every write transaction is
alone anyway; on PostgreSQL writers share an advisory lock that a remover takes for itself, until the transaction ends.
"""

import time

from django.db import connection
from django.db.models import F

from behaviour.models import Shop
from mailai import locks

LOCK = 0x4D41494C
# SQLite has no queue: who waits looks each 25 ms at first, then less often, and finds it free only in a gap.
BREATH_SECONDS = {"sqlite": 0.02, "postgresql": 0.0}


def write_events() -> int:
    """Wait, inside a transaction, until nobody removes; return how many removals there were.

    Who remembers ids from before must look them up again when the number has moved.
    """
    locks.hold(LOCK, shared=True)
    return Shop.objects.filter(pk=1).values_list("n_removals", flat=True).first() or 0


def hold() -> None:
    """Wait, inside a transaction, until nobody removes; for who looks ids up after that."""
    locks.hold(LOCK, shared=True)


def remove() -> None:
    """Wait, inside a transaction, until nobody writes events, and note that rows go."""
    locks.hold(LOCK)
    Shop.objects.filter(pk=1).update(n_removals=F("n_removals") + 1)


def alone() -> None:
    """Wait, inside a transaction, until nobody writes events or removes; ids that others remember stay true."""
    locks.hold(LOCK)


def breathe() -> None:
    """Let other writers have their turn, between two transactions of long work."""
    time.sleep(BREATH_SECONDS[connection.vendor])
