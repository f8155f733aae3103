"""Reads what profiles are made from: many rows at once, as packed numbers, without an object a row.

Both databases put many rows together to one value: PostgreSQL to bytes, which are read where they lie, SQLite to a
text, which polars reads: some ten times as fast as a cursor of tuples, and PostgreSQL takes half the time of a COPY,
which sends every row by itself.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from django.db import connection
from django.db.models import Case, Max, Min, Q, QuerySet, When
from django.db.models.fields.json import KT

from behaviour.models import Event, Product, Shopper
from segments import mails
from segments.core import deeds
from segments.statements import select

# Rows of mails that are turned at once.
BLOCK = 250_000
# Ids of events that are put together to one value.
ROWS = 100_000
IDS, VALUES = 5000, 100
# PostgreSQL counts from the year 2000.
YEAR_2000 = 946_684_800 * deeds.SECOND
HEADER = 19
UNIT, LINE = "char(31)", "char(10)"
VISIBLE = "(e.upload_id IS NULL OR e.upload_id NOT IN (SELECT id FROM behaviour_upload WHERE hidden))"
KIND = "CASE e.kind " + " ".join(f"WHEN '{kind}' THEN {code}" for kind, code in deeds.CODES.items()) + " ELSE 0 END"
EVENT_FIELDS = ("shopper", "kind", "at", "product", "quantity", "cents", "ref")
MAIL_FIELDS = ("shopper", "at", "answered")
ROW = np.dtype([(name, deeds.PACKED[name] if name != "shopper" else "<i8") for name in EVENT_FIELDS])
MAIL_ROW = np.dtype([(name, "<i8") for name in MAIL_FIELDS])
# Rows as they came from the database; called, it turns them into packed rows, without the database.
Fetched = Callable[[], np.ndarray]
# Events of these kinds have a product, a quantity, an amount and an order: of others, nothing asks for them.
TRADED = "e.kind IN ('purchase', 'refund')"
SENT = [("shopper", ">i8"), ("kind", ">i2"), ("at", ">i8")]
SENT_OTHERS = np.dtype(SENT)
SENT_TRADED = np.dtype([*SENT, ("product", ">i8"), ("quantity", ">i4"), ("cents", ">i8"), ("ref", ">i8")])
PACKED = f"int8send(e.shopper_id) || int2send(({KIND})::int2) || timestamptz_send(e.at)"
PACKED_MORE = f"""int8send(coalesce(e.product_id, 0)) || int4send(e.quantity)
    || int8send(coalesce((e.amount * 100)::int8, '{deeds.MISSING}'::int8)) || int8send(
    CASE WHEN e.kind = 'purchase' AND e.order_ref <> '' THEN hashtextextended(e.order_ref, 0) ELSE 0 END)"""
POSTGRES_EVENT = f"""
SELECT string_agg({PACKED}, ''::bytea) FILTER (WHERE NOT {TRADED}),
       string_agg({PACKED} || {PACKED_MORE}, ''::bytea) FILTER (WHERE {TRADED})
FROM behaviour_event e WHERE {VISIBLE}"""  # noqa: S608 names and numbers of our own
SQLITE_EVENT = f"""
SELECT group_concat(line, {LINE}) FROM (SELECT e.shopper_id || {UNIT} || {KIND} || {UNIT} || e.at || {UNIT}
    || CASE WHEN {TRADED} THEN coalesce(e.product_id, 0) || {UNIT} || e.quantity || {UNIT}
    || coalesce(cast(round(e.amount * 100) AS integer), '{deeds.MISSING}') || {UNIT}
    || CASE WHEN e.kind = 'purchase' THEN replace(e.order_ref, {LINE}, ' ') ELSE '' END
    ELSE {UNIT} || {UNIT} || {UNIT} END AS line
FROM behaviour_event e WHERE {VISIBLE}"""  # noqa: S608 as above
# What stands there of others.
NOTHING = {"product": 0, "quantity": 0, "cents": deeds.MISSING, "ref": 0}
MANY = {True: "(SELECT unnest(%s::bigint[]))", False: "(SELECT value FROM json_each(%s))"}


def postgres() -> bool:
    """Say which of the two databases this is."""
    return bool(connection.vendor == "postgresql")


def starts(rows: QuerySet[Any], size: int) -> range:
    """Return after which ids blocks of ``size`` ids begin, from the first row to the last: old rows may be gone."""
    # Two statements: SQLite reads the whole table for one that asks for both ends.
    first, last = (rows.order_by().aggregate(n=end("pk"))["n"] for end in (Min, Max))
    return range(0) if first is None else range(first - 1, last, size)


def events(
    shopper_ids: Sequence[int] | None = None, *, only: str = "", values: Sequence[int] = ()
) -> Iterator[Fetched]:
    """Yield blocks of visible events, which make packed rows (ROW): of all shoppers, or of these.

    ``only`` is a further condition on the event ``e``; ``{many}`` in it stands for ``values``.
    """
    more = f" AND ({only})" if only else ""
    if values:
        for start in range(0, len(values), VALUES):
            yield from _together(more.replace("{many}", MANY[postgres()]), values[start : start + VALUES])
    elif shopper_ids is None:
        for start in starts(Event.everything.all(), ROWS):
            yield from _together(f"{more} AND e.id > {start} AND e.id <= {start + ROWS}")
    for start in range(0, len(shopper_ids or ()), IDS):
        wanted = f"{more} AND e.shopper_id IN {MANY[postgres()]}"
        yield from _together(wanted, (shopper_ids or ())[start : start + IDS])


def _together(more: str, many: Sequence[int] | None = None) -> Iterator[Fetched]:
    """Yield the events of one statement, put together by the database."""
    if not postgres():
        yield from _texts(SQLITE_EVENT + more + ")", [] if many is None else [json.dumps(list(many))], EVENT_FIELDS)
        return
    statement = f"COPY ({POSTGRES_EVENT}{more}) TO STDOUT (FORMAT binary)"
    params = None if many is None else [list(many)]
    with connection.cursor() as cursor, connection.wrap_database_errors, _raw(cursor).copy(statement, params) as copy:
        sent = b"".join(bytes(piece) for piece in copy)
    yield partial(_unpacked, sent)


def _unpacked(sent: bytes) -> np.ndarray:
    """Return the rows of two values, each after its length, -1 where there is none."""
    parts, start = [], HEADER + 2
    for kind in (SENT_OTHERS, SENT_TRADED):
        size = max(0, int.from_bytes(sent[start : start + 4], "big", signed=True))
        parts.append(np.frombuffer(sent, dtype=kind, count=size // kind.itemsize, offset=start + 4))
        start += 4 + size
    made = np.empty(sum(map(len, parts)), dtype=ROW)
    end = len(parts[0])
    for rows, place in zip(parts, (made[:end], made[end:]), strict=True):
        for name in EVENT_FIELDS:
            place[name] = rows[name] if name in (rows.dtype.names or ()) else NOTHING[name]
    made["at"] += YEAR_2000
    return made


def sent_mails(since: datetime, shopper_ids: Sequence[int] | None = None) -> Iterator[Fetched]:
    """Yield blocks of the mails that left since then, which make packed rows (MAIL_ROW): of all, or of these."""
    found = mails.sent()
    if found is None:
        return
    answered = Case(When(Q(opened_at=None, clicked_at=None), then=0), default=1)
    rows = found.filter(at__gte=since).order_by().annotate(answered=answered)
    rows = rows.values_list("shopper_id", "at", "answered")
    if postgres():
        sql, given = rows.query.sql_with_params()
        text = f"SELECT m.shopper_id, m.at, m.answered::int8 FROM ({sql}) m"  # noqa: S608 made by the ORM
        wanted = "" if shopper_ids is None else " WHERE m.shopper_id = ANY(%s)"
        yield from _copied(text + wanted, (*given, list(shopper_ids)) if shopper_ids is not None else given)
    elif shopper_ids is None:
        for start in starts(Shopper.everything.all(), IDS):
            yield from _mails_of_sqlite(rows.filter(shopper_id__gt=start, shopper_id__lte=start + IDS))
    else:
        for start in range(0, len(shopper_ids), IDS // 10):
            yield from _mails_of_sqlite(rows.filter(shopper_id__in=shopper_ids[start : start + IDS // 10]))


def _mails_of_sqlite(rows: QuerySet[Any, Any]) -> Iterator[Fetched]:
    sql, given = rows.query.sql_with_params()
    line = f"m.shopper_id || {UNIT} || m.at || {UNIT} || m.answered"
    yield from _texts(f"SELECT group_concat({line}, {LINE}) FROM ({sql}) m", given, MAIL_FIELDS)  # noqa: S608 as above


def _copied(sql: str, params: Any) -> Iterator[Fetched]:
    """Yield the mails that a statement finds, as PostgreSQL sends them: each number after its length."""
    sent = np.dtype(
        [("fields", ">i2")] + [pair for name in MAIL_FIELDS for pair in ((f"{name}_length", ">i4"), (name, ">i8"))]
    )
    statement = f"COPY ({sql}) TO STDOUT (FORMAT binary)"
    # Copied at once: a list of a million small pieces keeps the garbage collector busier than the rest.
    held, skip = bytearray(), HEADER
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        _raw(cursor).copy(statement, params or None) as copy,
    ):
        for piece in copy:
            held += piece
            if len(held) < BLOCK * sent.itemsize:
                continue
            n = (len(held) - skip) // sent.itemsize
            yield partial(_mail_rows, np.frombuffer(held, dtype=sent, count=n, offset=skip))
            held, skip = held[skip + n * sent.itemsize :], 0
    n = (len(held) - skip) // sent.itemsize
    if n:
        yield partial(_mail_rows, np.frombuffer(held, dtype=sent, count=n, offset=skip))


def _mail_rows(rows: np.ndarray) -> np.ndarray:
    made = np.empty(len(rows), dtype=MAIL_ROW)
    for name in MAIL_FIELDS:
        made[name] = rows[name]
    made["at"] += YEAR_2000
    return made


def _texts(sql: str, params: Sequence[Any], fields: Sequence[str]) -> Iterator[Fetched]:
    """Yield what a statement puts together to one text, a line a row."""
    with connection.cursor() as cursor:
        text = cursor.execute(sql, params).fetchone()[0]
    if text:
        yield partial(_read, text, fields)


def _read(text: str, fields: Sequence[str]) -> np.ndarray:
    kinds = {name: pl.String if name in ("at", "ref") else pl.Int64 for name in fields}
    frame = pl.read_csv(
        text.encode(), separator="\x1f", has_header=False, quote_char=None, schema=kinds, truncate_ragged_lines=True,
    )  # fmt: skip
    frame = frame.with_columns(moments_of(pl.col("at")).alias("at"))
    if "ref" in fields:
        hashed = pl.col("ref").hash(0).reinterpret(signed=True)
        ref = pl.when(pl.col("ref").fill_null("") == "").then(0).otherwise(hashed).alias("ref")
        empty = (pl.col(name).fill_null(value) for name, value in NOTHING.items() if name != "ref")
        frame = frame.with_columns(ref, *empty)
    made = np.empty(len(frame), dtype=ROW if len(fields) == len(EVENT_FIELDS) else MAIL_ROW)
    for name in fields:
        made[name] = frame[name].to_numpy()
    return made


def moments_of(text: pl.Expr) -> pl.Expr:
    """Read times as SQLite holds them, with a fraction of a second or without, as microseconds since 1970."""
    whole = text.str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us").dt.epoch("us")
    rest = text.str.slice(20).str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
    return whole + rest


def table(sql: str, params: Sequence[Any], schema: dict[str, Any]) -> pl.DataFrame:
    """Return the rows of a small statement as a frame of these columns."""
    with connection.cursor() as cursor:
        if not postgres():
            rows = cursor.execute(sql, params).fetchall()
            return pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)
        with connection.wrap_database_errors, _raw(cursor).copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)", params) as copy:
            data = b"".join(bytes(piece) for piece in copy)
    if not data:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(data, has_header=False, schema=schema)


def shoppers(ids: Sequence[int] | None = None) -> pl.DataFrame:
    """Return pk and zone ("" where it is not known) of the visible shoppers, or of these of them, by pk."""
    rows = Shopper.objects.order_by().values_list("pk", "timezone")
    schema = {"pk": pl.Int64, "zone": pl.String}
    if ids is None:
        return _table_of(rows, schema).sort("pk")
    parts = [_table_of(rows.filter(pk__in=ids[start : start + IDS]), schema) for start in range(0, len(ids), IDS)]
    return pl.concat([pl.DataFrame(schema=schema), *parts]).sort("pk")


def ids(rows: QuerySet[Any]) -> np.ndarray:
    """Return the row ids that a queryset finds as an int64 array, ascending; a million take about half a second."""
    asked = select(rows.order_by().values_list("pk"))
    if asked is None:
        return np.empty(0, dtype=np.int64)
    sql, params = asked
    if postgres():
        return np.sort(table(sql, params, {"pk": pl.Int64})["pk"].to_numpy())
    with connection.cursor() as cursor:
        text = cursor.execute(f"SELECT group_concat(m.pk) FROM ({sql}) m", params).fetchone()[0]  # noqa: S608 made by the ORM
    return np.sort(np.fromstring(text, dtype=np.int64, sep=",")) if text else np.empty(0, dtype=np.int64)


def numbers(sql: str, params: Any, columns: Sequence[str]) -> np.ndarray:
    """Return the rows of a statement as int64 of shape (n_rows, n_columns); no column may hold NULL.

    All rows are one value, so they must fit into a gigabyte: ask for many in blocks.
    """
    if postgres():
        packed = " || ".join(f"int8send(m.{name}::int8)" for name in columns)
        whole = f"SELECT string_agg({packed}, ''::bytea) FROM ({sql}) m"  # noqa: S608 our own names
    else:
        line = " || ',' || ".join(f"m.{name}" for name in columns)
        whole = f"SELECT group_concat({line}) FROM ({sql}) m"  # noqa: S608 our own names
    with connection.cursor() as cursor:
        cursor.execute(whole, params)
        found = cursor.fetchone()[0]
    if not found:
        return np.empty((0, len(columns)), np.int64)
    flat = np.frombuffer(found, ">i8") if postgres() else np.fromstring(found, np.int64, sep=",")
    return flat.reshape(-1, len(columns)).astype(np.int64, copy=False)


def products() -> pl.DataFrame:
    """Return product, category and brand ("" where there is none) of all products; names as Enum, sorted."""
    rows = Product.everything.order_by().annotate(brand=KT("attributes__brand")).values_list("pk", "category", "brand")
    found = _table_of(rows, {"product": pl.Int64, "category": pl.String, "brand": pl.String})
    names = (found["category"].fill_null(""), found["brand"].fill_null("").str.slice(0, 120))
    # Grouped and compared as numbers.
    return found.with_columns(column.cast(pl.Enum(sorted({"", *column}))) for column in names)


def _table_of(rows: QuerySet[Any, Any], schema: dict[str, Any]) -> pl.DataFrame:
    sql, params = rows.query.sql_with_params()
    return table(sql, params, schema)


def _raw(cursor: Any) -> Any:
    """Return the driver's own cursor: Django's debugging one can't copy with parameters."""
    return cursor.cursor
