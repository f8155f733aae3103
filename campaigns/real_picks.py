"""What became of the picks of sent mails, for the recommender page (recommender.outcomes): three reads, joined here.

One question for all of it takes a database a hundred times as long: neither has an index on what stands in a list.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
from django.db import connection
from django.db.models import F
from django.utils import timezone

from behaviour.models import Event, Shop, Shopper
from behaviour.moments import Epoch
from campaigns.models import LinkClick, Message
from mailai.chunks import chunks
from recommender.core.shares import sums
from recommender.models import TrainingRun
from recommender.outcomes import Told
from recommender.picks import LEVELS, PERSONAL

READ_CHUNK, SECONDS_A_DAY = 50_000, 86_400
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
PICKS = """
SELECT m.id, m.shopper_id, {at}, {product}, CASE WHEN m.state = %(sent)s THEN 1 ELSE 0 END,
    CASE {level} {levels} ELSE -1 END, coalesce(m.run_id, 0)
FROM {message} m {open}
WHERE m.state IN (%(sent)s, %(control)s) AND coalesce(m.sent_at, m.due_at) > %(since)s
    AND coalesce(m.sent_at, m.due_at) <= %(now)s
"""


def told(window: timedelta) -> list[Told]:
    """Return what became of the picks of mails of the window (recommender.outcomes.Source).

    What the control group would have seen stands beside: what is bought of that is bought without any mail.
    """
    now = timezone.now()
    picks = _picks(now - window, now)
    mails, shoppers, _at, products, sent, levels, runs = picks.T
    clicked = _among(mails, products, _clicks(now - window))
    bought = _bought(picks, _orders(now - window), Shop.current().attribution_days * SECONDS_A_DAY)
    real = np.isin(shoppers, np.array(_real(shoppers), np.int64))
    algorithms = dict(TrainingRun.objects.filter(pk__in=np.unique(runs).tolist()).values_list("pk", "algorithm"))
    sources = np.array([_source(level, algorithms.get(run, "")) for level, run in zip(levels, runs, strict=True)], str)
    found = []
    for source in np.unique(sources[(sources != "") & (sent == 1)]).tolist():
        left, held = (sources == source) & (sent == 1), (sources == source) & (sent == 0)
        found.append(
            Told(
                source,
                clicked=sums(shoppers[left], clicked[left]),
                bought=sums(shoppers[left], bought[left]),
                held_back=sums(shoppers[held], bought[held]) if held.any() else None,
                demo=not (real & (left | held)).any(),
            )
        )
    return found


def _source(level: int, algorithm: str) -> str:
    """Name what chose a pick: the model, or the rung below it."""
    return "" if level < 0 else algorithm if LEVELS[level] == PERSONAL else LEVELS[level]


def _picks(since: datetime, now: datetime) -> np.ndarray:
    """Return int64 of shape (n_picks, 7): mail, shopper, second, product, sent or held back, level, run."""
    names = {level: f"level_{number}" for number, level in enumerate(LEVELS)}
    levels = " ".join(f"WHEN %({name})s THEN {number}" for number, name in enumerate(names.values()))
    table = connection.ops.quote_name(Message._meta.db_table)
    asked = {name: level for level, name in names.items()}
    states = {"sent": Message.State.SENT.value, "control": Message.State.CONTROL.value}
    parts = [np.empty((0, 7), np.int64)]
    with connection.cursor() as cursor:
        question = PICKS.format(message=table, levels=levels, **DIALECTS[connection.vendor])
        cursor.execute(question, {**asked, **states, "since": since, "now": now})
        while rows := cursor.fetchmany(READ_CHUNK):
            parts.append(np.array(rows, np.int64))
    return np.concatenate(parts)


def _clicks(since: datetime) -> np.ndarray:
    """Return int64 of shape (n_clicks, 2): mail and product."""
    rows = LinkClick.objects.filter(first_at__gt=since, product__isnull=False).order_by()
    return _read(rows.values_list("message_id", "product_id").iterator(READ_CHUNK), 2)


def _orders(since: datetime) -> np.ndarray:
    """Return int64 of shape (n_order_lines, 3): shopper, product, second."""
    rows = Event.objects.filter(kind=Event.Kind.PURCHASE, at__gt=since, product__isnull=False).order_by()
    return _read(rows.values_list("shopper_id", "product_id", Epoch(F("at"))).iterator(READ_CHUNK), 3)


def _read(rows: Iterable[tuple[int, ...]], width: int) -> np.ndarray:
    parts = [np.array(part, np.int64) for part in chunks(rows, READ_CHUNK)]
    return np.concatenate([np.empty((0, width), np.int64), *parts])


def _real(shoppers: np.ndarray) -> list[int]:
    """Return the shoppers who are not invented."""
    real: list[int] = []
    for part in chunks(np.unique(shoppers).tolist(), 2_000):
        real += Shopper.everything.filter(pk__in=part, demo=False).values_list("pk", flat=True)
    return real


def _among(first: np.ndarray, second: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Say which pairs (first, second) are among others: bool of the shape of first."""
    width = int(max(second.max(initial=0), pairs[:, 1].max(initial=0))) + 1
    return np.isin(first * width + second, pairs[:, 0] * width + pairs[:, 1])


def _bought(picks: np.ndarray, orders: np.ndarray, seconds: int) -> np.ndarray:
    """Say which picks their shopper ordered after the mail, within so many seconds: bool of shape (n_picks,)."""
    if not len(picks) or not len(orders):
        return np.zeros(len(picks), bool)
    shoppers, at, products = picks[:, 1], picks[:, 2], picks[:, 3]
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
