"""Works out from orders in which stage and RFM group shoppers were at the end of each of the last twelve months."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Shop, Shopper, Upload
from mailai.errors import InputError
from segments import news, order_reads, reading
from segments.core import lifecycle, members, moves
from segments.models import Profile, ProfileRefresh, StageHistory, StageSnapshot

MONTHS = 12


@dataclass(frozen=True)
class Recorded:
    """What a run did."""

    history: StageHistory
    snapshots: int
    seconds: float


@dataclass(frozen=True)
class Pair:
    """What the same shoppers were on two days: ids, and codes (segments.core.moves) before and after."""

    kind: str
    ids: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @property
    def table(self) -> np.ndarray:
        """How many went from which name to which, int array of shape (n names, n names)."""
        return moves.moves(self.before, self.after, len(moves.NAMES[self.kind]))

    def who(self, was: str, became: str) -> np.ndarray:
        """Return the row ids of who went from one name to another."""
        names = moves.NAMES[self.kind]
        here = (self.before == names.index(was)) & (self.after == names.index(became))
        return self.ids[here]


def newest() -> StageHistory | None:
    """Return the run that counts, without its arrays."""
    return StageHistory.objects.defer("shoppers").order_by("-pk").first()


def is_due(now: datetime | None = None) -> bool:
    """Say whether the stages are to be worked out: the profiles of the day are there, or a file brought orders."""
    midnight, last = news.windows(now).today, newest()
    profiles = ProfileRefresh.objects.filter(pk=1).first()
    if profiles is None or profiles.full_at is None or profiles.full_at < midnight:
        return False
    if last is None:
        return Profile.objects.filter(n_orders__gt=0).exists()
    files = Upload.objects.filter(
        state__in=(Upload.State.DONE, Upload.State.UNDONE), finished_at__gte=last.at, kind=Upload.Kind.EVENTS
    )
    return last.at < midnight or files.exists()


def record_stages(now: datetime | None = None) -> Recorded:
    """Work out stages and groups of the last twelve month ends and of today, in place of those of the run before.

    Everything is made anew from the orders: a file that came late, or was undone, is told right the next night. One
    grouped read of the orders (segments.order_reads), then arrays: 26 bytes a shopper.
    """
    started, now, shop = time.perf_counter(), now or timezone.now(), Shop.current()
    today = shop.day_of(now)
    n_removals = shop.n_removals
    limits = _thresholds()
    days = [*_month_ends(today), today]
    midnights = [_after(day, shop) for day in days]
    book = order_reads.read_book(midnights[-1])
    codes = moves.codes_at(book, [order_reads.day_number(one) for one in midnights], limits)
    # Before the first order there is nothing to tell.
    rows = [(kind, day, row) for kind in codes for day, row in zip(days, codes[kind], strict=True) if row.any()]
    with transaction.atomic():
        made = StageHistory.objects.create(
            shoppers=members.pack(book.shoppers), thresholds=asdict(limits), n_shoppers=len(book.shoppers),
            n_removals=n_removals, at=now,
        )  # fmt: skip
        StageSnapshot.objects.bulk_create(
            StageSnapshot(
                history=made, kind=kind, on=day, codes=moves.pack(row), counts=moves.counts(row, moves.NAMES[kind])
            )
            for kind, day, row in rows
        )  # fmt: skip
        StageHistory.objects.filter(pk__lt=made.pk).delete()
    return Recorded(made, len(rows), round(time.perf_counter() - started, 1))


def forget_removed() -> bool:
    """Take shoppers who were removed out of the arrays, once per removal; say whether there was something to do."""
    n_removals = Shop.current().n_removals
    if not StageHistory.objects.exclude(n_removals=n_removals).exists():
        return False
    alive = reading.ids(Shopper.everything.all())
    with transaction.atomic():
        for history in StageHistory.objects.select_for_update().exclude(n_removals=n_removals):
            ids = members.unpack(history.shoppers)
            kept = members.living(ids, alive)
            for one in history.snapshots.all():
                codes = moves.unpack(one.codes)[kept]
                one.codes, one.counts = moves.pack(codes), moves.counts(codes, moves.NAMES[one.kind])
                one.save(update_fields=["codes", "counts"])
            history.shoppers, history.n_shoppers = members.pack(ids[kept]), int(kept.sum())
            history.n_removals = n_removals
            history.save(update_fields=["shoppers", "n_shoppers", "n_removals"])
    return True


def snapshots(history: StageHistory | None, kind: str = moves.STAGE) -> list[StageSnapshot]:
    """Return the snapshots of one kind of a run without their arrays, oldest first."""
    return list(history.snapshots.filter(kind=kind).defer("codes")) if history else []


def pair(before: StageSnapshot, after: StageSnapshot) -> Pair:
    """Return what everybody was on two days of one run, of one kind; two queries whatever their number.

    Raises
    ------
    InputError : the run was replaced meanwhile.
    """
    history = StageHistory.objects.filter(pk=after.history_id).first()
    codes = {one.pk: moves.unpack(one.codes) for one in StageSnapshot.objects.filter(pk__in=[before.pk, after.pk])}
    if history is None or before.pk not in codes or after.pk not in codes:
        raise InputError(_("The stages have just been worked out anew. Look again."))
    return Pair(after.kind, members.unpack(history.shoppers), codes[before.pk], codes[after.pk])


def _thresholds() -> lifecycle.Thresholds:
    gaps = Profile.objects.filter(order_gap_days__isnull=False).order_by().values_list("order_gap_days")
    return lifecycle.thresholds(order_reads.columns(gaps, width=1)[:, 0])


def _month_ends(today: date) -> Iterator[date]:
    first = today.replace(day=1)
    ends = []
    for _month in range(MONTHS):
        ends.append(first - timedelta(days=1))
        first = ends[-1].replace(day=1)
    yield from reversed(ends)


def _after(day: date, shop: Shop) -> datetime:
    """Return the midnight at the end of a day of the shop."""
    later = day + timedelta(days=1)
    return datetime(later.year, later.month, later.day, tzinfo=shop.zone)
