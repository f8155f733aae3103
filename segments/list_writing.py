"""Puts shoppers on a list, and takes them off again, in short transactions: nobody waits long for the database.

A list is complete or not used: rules ask it once it is ready, and nobody sees one that is going. Whom a list will hold
is noted on it before the first is on it, so whoever goes on after a kill ends with the same members.
"""

import logging
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.timezone import now

from behaviour import turns
from behaviour.models import Shopper, Upload
from mailai.claims import claim_one
from segments import list_files
from segments.core import members
from segments.models import ShopperList, ShopperListMember
from segments.statements import select

logger = logging.getLogger(__name__)
State = ShopperList.State
# Shoppers of one transaction.
BATCH = 2_000
# So many are written, or taken off, while the browser waits; more are left to a worker.
AT_ONCE = 50_000
# Who has said nothing for so long is dead.
DEAD_AFTER = timedelta(seconds=60)


def is_small(one: ShopperList) -> bool:
    """Say whether a browser can wait until a list is written or gone."""
    return max(one.n_members, one.n_rows) <= AT_ONCE


def go_on(list_id: int) -> ShopperList | None:
    """Finish a list that is being written or is going, and return it; run twice, or after a kill, it ends the same."""
    one = ShopperList.everything.filter(pk=list_id).first()
    if one is not None and one.state == State.WRITING:
        _write(one)
    elif one is not None and one.state == State.GOING:
        _clear(one)
    return ShopperList.objects.filter(pk=list_id).first()


def sweep() -> list[int]:
    """Return the lists whose writer or remover died."""
    idle = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now() - DEAD_AFTER)
    waiting = ShopperList.everything.filter(idle, state__in=(State.WRITING, State.GOING))
    return list(waiting.values_list("pk", flat=True))


def put_all(chosen: ShopperList, ids: np.ndarray) -> bool:
    """Put these shoppers on a list that has its state still, a part at a time; say whether it kept it.

    Who is on it already is passed over.
    """
    for start in range(0, len(ids), BATCH):
        if start:
            turns.breathe()
        with transaction.atomic():
            # Nobody is removed or merged until these are written, and nobody begins to delete the list.
            turns.hold()
            rows = ShopperList.objects.filter(pk=chosen.pk, state=chosen.state)
            if not rows.update(heartbeat_at=now()):
                return False
            _put(chosen, ids[start : start + BATCH])
    return True


def _write(made: ShopperList) -> None:
    if made.waiting is None or not put_all(made, members.unpack(made.waiting)):
        return
    changes: dict[str, Any] = {"waiting": None, "heartbeat_at": None, "n_members": made.members.count()}
    claim_one(made, from_status=State.WRITING, to_status=State.READY, **changes)


def _clear(gone: ShopperList) -> None:
    everybody, last = ShopperListMember.objects.filter(list=gone), 0
    while ids := list(everybody.filter(shopper__gt=last).order_by("shopper").values_list("shopper", flat=True)[:BATCH]):
        with transaction.atomic():
            _beat(gone)
            everybody.filter(shopper__gt=last, shopper__lte=ids[-1]).delete()
        last = ids[-1]
        turns.breathe()
    list_files.drop(gone.file.get("stored_as", ""))
    ShopperList.everything.filter(pk=gone.pk).delete()


def _beat(gone: ShopperList) -> None:
    ShopperList.everything.filter(pk=gone.pk).update(heartbeat_at=now())


def _put(chosen: ShopperList, ids: np.ndarray) -> None:
    """Put a part on a list; who was merged meanwhile is who she is now, who was removed is none."""
    people = Shopper.everything.exclude(upload__in=Upload.hidden_ids()).order_by()
    rows: QuerySet[Any, Any] = people.filter(pk__in=ids.tolist()).values(who=Coalesce("merged_into_id", "pk"))
    asked = select(rows)
    if asked is None:
        return
    table = connection.ops.quote_name(ShopperListMember._meta.db_table)
    with connection.cursor() as cursor:
        # By name, not by place: the select may hold other columns on one of the databases. SQLite needs the WHERE.
        cursor.execute(
            f"INSERT INTO {table} (list_id, shopper_id) SELECT %s, found.who FROM ({asked[0]}) AS found "  # noqa: S608 our own names
            "WHERE true ON CONFLICT DO NOTHING",
            [chosen.pk, *asked[1]],
        )
