"""Events of programs into the database: a batch is one statement, committed before the answer."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from django.db import connection, transaction

from behaviour import turns
from behaviour.core.api_events import Row
from behaviour.models import Event, Product, Shop, Shopper

NAMES = """
SELECT 0, external_id, id, COALESCE(merged_into_id, id), upload_id FROM behaviour_shopper WHERE external_id IN {many}
UNION ALL SELECT 1, sku, id, id, upload_id FROM behaviour_product WHERE sku IN {many}
UNION ALL SELECT 2, '', id, id, id FROM behaviour_upload WHERE hidden
"""
COLUMNS = "shopper_id, kind, product_id, at, quantity, amount, order_ref, message, dedupe_key, question, answer"
# What an unfinished upload brought, and could take away again, becomes our own.
CONFLICT = """
ON CONFLICT (dedupe_key) DO UPDATE SET upload_id = NULL
WHERE behaviour_event.upload_id IN (SELECT id FROM behaviour_upload WHERE hidden)
"""
INSERT = {
    "sqlite": f"INSERT INTO behaviour_event ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) {CONFLICT}",  # noqa: S608 constants
    "postgresql": f"""
INSERT INTO behaviour_event ({COLUMNS})
SELECT (x->>0)::bigint, x->>1, (x->>2)::bigint, (x->>3 || '+00')::timestamptz, (x->>4)::int, (x->>5)::numeric, x->>6,
    (x->>7)::uuid, (x->>8)::uuid, x->>9, x->>10
FROM jsonb_array_elements(%s::jsonb) AS x {CONFLICT}""",  # noqa: S608 constants
}
MANY = {
    "sqlite": "(SELECT value FROM json_each(%s))",
    "postgresql": "(SELECT json_array_elements_text(%s::json))",
}
# Somebody else may make, or remove, a name between two looks.
MOST_LOOKS = 5
_writer = threading.Lock()
_waiting: list["_Batch"] = []


@contextmanager
def one_writer() -> Iterator[None]:
    """Let the threads of this process write one after the other where the database has one writer.

    SQLite lets a second writer sleep and try again; a queue is fair and wakes at once.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with _writer:
        yield


class _Batch:
    """Events of one request that wait for the writer."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self.rows = rows
        self.done = False
        self.n_new = 0
        self.error: BaseException | None = None


def store(rows: dict[str, Row]) -> int:
    """Store events by key and return how many were new; they are committed when this returns.

    Where the database has one writer, requests that wait for it meanwhile are stored in one transaction: a commit costs
    more than the rows of a request. A batch that fails fails alone.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            return _store([rows])[0]
    mine = _Batch(rows)
    _waiting.append(mine)
    with _writer:
        if not mine.done:
            # Mine is among them. Others may come in between these two lines, at the end.
            batches = list(_waiting)
            del _waiting[: len(batches)]
            _store_together(batches)
    if mine.error:
        raise mine.error
    return mine.n_new


def _store_together(batches: list[_Batch]) -> None:
    try:
        with transaction.atomic():
            counts = _store([one.rows for one in batches])
        for one, n_new in zip(batches, counts, strict=True):
            one.n_new = n_new
    except BaseException as error:
        if len(batches) > 1 and isinstance(error, Exception):
            for one in batches:
                _store_together([one])
        else:
            for one in batches:
                one.error = error
    finally:
        for one in batches:
            one.done = True


def _store(batches: Sequence[dict[str, Row]]) -> list[int]:
    """Store batches inside a transaction; return how many events of each were new."""
    turns.hold()
    everything = [row for rows in batches for row in rows.values()]
    shoppers, products, unfinished = find_or_make(
        {row.name for row in everything}, {row.item for row in everything if row.item}
    )
    if unfinished:
        _take_over([key for rows in batches for key in rows], unfinished)
    return [_insert(rows, shoppers, products) for rows in batches]


def _insert(rows: dict[str, Row], shoppers: dict[str, int], products: dict[str, int]) -> int:
    # Two batches with the same events wait for each other in the same order.
    ordered = [rows[key] for key in sorted(rows)]
    n_new = insert([(shoppers[one.name], one.kind, products.get(one.item), *one[3:]) for one in ordered])
    if n_new < len(ordered):
        # What an upload brought before was sent now too: its undo must not take away what we acknowledge.
        Event.everything.filter(dedupe_key__in=list(rows), upload__isnull=False).update(upload=None)
    return n_new


def insert(values: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows in the order of COLUMNS in one statement; return how many were new."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(INSERT["postgresql"], [msgspec.json.encode(values).decode()])
        else:
            cursor.executemany(INSERT["sqlite"], values)
        return int(cursor.rowcount)


def _take_over(keys: list[str], unfinished: set[int]) -> None:
    """Delete what only unfinished uploads brought: it is inserted anew, so that its id tells when it came."""
    rows = Event.everything.filter(dedupe_key__in=keys, upload__in=unfinished)
    rows._raw_delete(rows.db)  # type: ignore[attr-defined]


def find_or_make(names: Iterable[str], items: Iterable[str]) -> tuple[dict[str, int], dict[str, int], set[int]]:
    """Return name -> id of shoppers (who was merged leads on) and of products, and the uploads that are hidden.

    What is missing is made; what only a hidden upload brought is seen from now on.
    """
    names, items = sorted(names), sorted(items)
    for _look in range(MOST_LOOKS):
        found = _look_up(names, items)
        _publish(found)
        known = [{row[1]: row[3] for row in found if row[0] == which} for which in (0, 1)]
        if len(known[0]) == len(names) and len(known[1]) == len(items):
            break
        make_shoppers(name for name in names if name not in known[0])
        make_products(item for item in items if item not in known[1])
    return known[0], known[1], {row[2] for row in found if row[0] == 2}


def publish(names: Iterable[str], items: Iterable[str]) -> None:
    """Let everybody see these shoppers and products, even if an unfinished upload brought them first."""
    _publish(_look_up(sorted(names), sorted(items)))


def _look_up(names: list[str], items: list[str]) -> list[tuple[Any, ...]]:
    encode = msgspec.json.encode
    with connection.cursor() as cursor:
        cursor.execute(NAMES.format(many=MANY[connection.vendor]), [encode(names).decode(), encode(items).decode()])
        return list(cursor.fetchall())


def _publish(found: list[tuple[Any, ...]]) -> None:
    """Let shoppers and products of unfinished uploads be seen, and outlive their undo."""
    unfinished = {row[2] for row in found if row[0] == 2}
    if not unfinished:
        return
    hidden = [row for row in found if row[4] in unfinished]
    for which, model in ((0, Shopper), (1, Product)):
        ids = [pk for row in hidden if row[0] == which for pk in row[2:4]]
        if ids:
            model._base_manager.filter(pk__in=ids, upload__in=unfinished).update(upload=None)


def make_shoppers(names: Iterable[str]) -> None:
    """Make shoppers about whom nothing but the name is known."""
    rows = [Shopper(external_id=name) for name in names]
    if rows:
        Shopper.everything.bulk_create(rows, ignore_conflicts=True)


def make_products(items: Iterable[str]) -> None:
    """Make products that no catalogue has named yet."""
    listed = list(items)
    if listed:
        currency = Shop.current().currency
        rows = [Product(sku=item, currency=currency, in_catalogue=False) for item in listed]
        Product.everything.bulk_create(rows, ignore_conflicts=True)
