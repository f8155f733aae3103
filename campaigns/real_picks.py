"""What became of the picks of sent mails, for the recommender page (recommender.outcomes): three reads, joined here.

One question for all of it takes a database a hundred times as long: neither has an index on what stands in a list.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone

from behaviour.models import Event, Shop, Shopper
from behaviour.moments import Epoch
from campaigns.models import LinkClick, Message
from recommender.core.shares import NOTHING, Sums, sums
from recommender.models import TrainingRun
from recommender.outcomes import Told
from recommender.picks import LEVELS, PERSONAL
from segments import reading

SECONDS_A_DAY, A_DAY = 86_400, timedelta(days=1)
# Shoppers whose picks are held at a time.
BLOCK = 10_000
# Clicks that are put together to one value.
CLICKS = 1_000_000
# How each database opens a list of picks.
DIALECTS = {
    "postgresql": {
        "open": "CROSS JOIN LATERAL jsonb_array_elements(m.picks) e(value)", "level": "e.value->>'level'",
        "product": "(e.value->>'product')::bigint", "at": "extract(epoch from coalesce(m.sent_at, m.due_at))::bigint",
    },
    "sqlite": {
        "open": "CROSS JOIN json_each(m.picks) e", "level": "json_extract(e.value, '$.level')",
        "product": "json_extract(e.value, '$.product')",
        "at": "cast(strftime('%%s', coalesce(m.sent_at, m.due_at)) AS integer)",
    },
}  # fmt: skip
# Where a pick came from is one number: run, sent or held back, and level from 1, 0 = unknown.
RUN, SENT = 16, 8
PICKS = """
SELECT m.id AS mail, m.shopper_id AS shopper, {at} AS second, {product} AS product,
    coalesce(m.run_id, 0) * {run} + CASE WHEN m.state = %(sent)s THEN {sent} ELSE 0 END
    + CASE {level} {levels} ELSE 0 END AS origin
FROM {message} m {open}
WHERE m.shopper_id > %(after)s AND m.shopper_id <= %(last)s AND m.state IN (%(sent)s, %(control)s)
    AND coalesce(m.sent_at, m.due_at) > %(since)s AND coalesce(m.sent_at, m.due_at) <= %(now)s
"""


@dataclass
class _Count:
    """What became of the picks of one source; ``held`` are those of the control group."""

    clicked: Sums = NOTHING
    bought: Sums = NOTHING
    held: Sums = NOTHING
    real: bool = False


@dataclass(frozen=True)
class _Window:
    """What is asked of every block of shoppers.

    orders : int64 of shape (n_order_lines, 3), by shopper: shopper, product, second
    clicks : int64 of shape (n_clicks,), ascending: mail * width + product, which is below width
    """

    since: datetime
    now: datetime
    orders: np.ndarray
    clicks: np.ndarray
    width: int
    seconds: int = field(default_factory=lambda: Shop.current().attribution_days * SECONDS_A_DAY)
    algorithms: dict[int, str] = field(
        default_factory=lambda: dict(TrainingRun.objects.order_by().values_list("pk", "algorithm"))
    )


def told(window: timedelta) -> list[Told]:
    """Return what became of the picks of mails of the window (recommender.outcomes.Source).

    What the control group would have seen stands beside: what is bought of that is bought without any mail.

    Picks are read and counted by blocks of shoppers, as packed numbers; of all shoppers only orders (24 bytes a line)
    and clicks (8 bytes) of the window are held. Measured: 100,000 shoppers with twelve mails of three picks take 9
    seconds on PostgreSQL and 90 MB. Time grows with the picks: a minute and a half at a million, in some 200 MB; on
    SQLite three minutes.
    """
    now = timezone.now()
    since, clicks = now - window, _clicks(now - window)
    width = int(clicks[:, 1].max(initial=0)) + 1
    asked = _Window(since, now, _orders(since, now), np.sort(clicks[:, 0] * width + clicks[:, 1]), width)
    found: dict[str, _Count] = {}
    for after in reading.starts(Shopper.everything.all(), BLOCK):
        _count(found, asked, after)
    return [
        Told(source, one.clicked, one.bought, held_back=one.held if one.held.groups else None, demo=not one.real)
        for source, one in sorted(found.items())
        if one.clicked.groups
    ]


def _count(found: dict[str, _Count], asked: _Window, after: int) -> None:
    """Add what became of the picks of a block of shoppers."""
    mails, shoppers, seconds, products, origins = _picks(asked, after).T
    clicked = _clicked(mails, products, asked)
    place = slice(*np.searchsorted(asked.orders[:, 0], [after + 1, after + BLOCK + 1]))
    bought = _bought(shoppers, seconds, products, asked.orders[place], asked.seconds)
    people = Shopper.everything.filter(pk__gt=after, pk__lte=after + BLOCK, demo=False)
    real = np.isin(shoppers, reading.ids(people))
    sent = origins // SENT % 2 == 1
    for source, ours in _by_source(origins, asked.algorithms):
        left, held, one = ours & sent, ours & ~sent, found.setdefault(source, _Count())
        one.clicked += sums(shoppers[left], clicked[left])
        one.bought += sums(shoppers[left], bought[left])
        one.held += sums(shoppers[held], bought[held])
        one.real = one.real or bool((real & ours).any())


def _by_source(origins: np.ndarray, algorithms: dict[int, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what chose picks, and which: bool of shape (n_picks,)."""
    numbers, places = np.unique(origins, return_inverse=True)
    names = [_source(number % SENT - 1, algorithms.get(number // RUN, "")) for number in numbers.tolist()]
    for source in sorted({*names} - {""}):
        yield source, np.array([name == source for name in names])[places]


def _source(level: int, algorithm: str) -> str:
    """Name what chose a pick: the model, or the rung below it."""
    return "" if level < 0 else algorithm if LEVELS[level] == PERSONAL else LEVELS[level]


def _picks(asked: _Window, after: int) -> np.ndarray:
    """Return int64 of shape (n_picks, 5): mail, shopper, second, product, where it came from."""
    names = {f"level_{number}": level for number, level in enumerate(LEVELS, start=1)}
    question = PICKS.format(
        message=connection.ops.quote_name(Message._meta.db_table), run=RUN, sent=SENT,
        levels=" ".join(f"WHEN %({name})s THEN {number}" for number, name in enumerate(names, start=1)),
        **DIALECTS[connection.vendor],
    )  # fmt: skip
    states = {"sent": Message.State.SENT.value, "control": Message.State.CONTROL.value}
    where = {"after": after, "last": after + BLOCK, "since": asked.since, "now": asked.now}
    return reading.numbers(question, names | states | where, ("mail", "shopper", "second", "product", "origin"))


def _clicks(since: datetime) -> np.ndarray:
    """Return int64 of shape (n_clicks, 2): mail and product."""
    rows = LinkClick.objects.filter(first_at__gt=since, product__isnull=False)
    parts = [
        _numbers(rows.filter(pk__gt=after, pk__lte=after + CLICKS), "message_id", "product_id")
        for after in reading.starts(LinkClick.objects.all(), CLICKS)
    ]
    return np.concatenate([np.empty((0, 2), np.int64), *parts])


def _orders(since: datetime, now: datetime) -> np.ndarray:
    """Return int64 of shape (n_order_lines, 3): shopper, product, second; by shopper. Read by day."""
    rows = Event.objects.filter(kind=Event.Kind.PURCHASE, product__isnull=False).annotate(second=Epoch(F("at")))
    parts, day = [], since
    while day < now:
        some = rows.filter(at__gt=day, at__lte=day + A_DAY)
        parts.append(_numbers(some, "shopper_id", "product_id", "second"))
        day += A_DAY
    # A shop whose clock is ahead.
    parts.append(_numbers(rows.filter(at__gt=day), "shopper_id", "product_id", "second"))
    orders = np.concatenate(parts)
    return orders[np.argsort(orders[:, 0], kind="stable")]


def _numbers(rows: "QuerySet[Any]", *columns: str) -> np.ndarray:
    sql, params = rows.order_by().values_list(*columns).query.sql_with_params()
    return reading.numbers(sql, params, columns)


def _clicked(mails: np.ndarray, products: np.ndarray, asked: _Window) -> np.ndarray:
    """Say which picks were clicked: bool of shape (n_picks,)."""
    if not len(asked.clicks):
        return np.zeros(len(mails), bool)
    keys = mails * asked.width + products
    places = np.minimum(np.searchsorted(asked.clicks, keys), len(asked.clicks) - 1)
    return (asked.clicks[places] == keys) & (products < asked.width)


def _bought(shoppers: np.ndarray, at: np.ndarray, products: np.ndarray, orders: np.ndarray, seconds: int) -> np.ndarray:
    """Say which picks their shopper ordered after the mail, within so many seconds: bool of shape (n_picks,)."""
    if not len(shoppers) or not len(orders):
        return np.zeros(len(shoppers), bool)
    width = int(max(products.max(), orders[:, 1].max())) + 1
    keys = np.concatenate([orders[:, 0] * width + orders[:, 1], shoppers * width + products])
    _pairs, codes = np.unique(keys, return_inverse=True)
    when = np.concatenate([orders[:, 2], at])
    # Pairs and seconds as one line of numbers: the next order of the pair is the next number on it.
    span = int(when.max() - when.min()) + 1
    line = codes * span + (when - when.min())
    ordered, asked = np.sort(line[: len(orders)]), line[len(orders) :]
    place = np.searchsorted(ordered, asked, side="right")
    follows = ordered[np.minimum(place, len(ordered) - 1)]
    last = np.minimum(asked + seconds, (codes[len(orders) :] + 1) * span - 1)
    return (place < len(ordered)) & (follows <= last)
