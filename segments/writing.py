"""Writes profiles: only rows in which something changed, in transactions so short that nobody waits for them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from django.db import connection, transaction

from behaviour import bulk, turns
from behaviour.models import Shopper
from segments import reading
from segments.core import figures
from segments.core.lifecycle import LEAD
from segments.models import Profile

SCORES = ("recency_score", "frequency_score", "monetary_score", "price_band")
SCORED = (*SCORES, "stage")
COLUMNS = ("shopper_id", *figures.COLUMNS, *SCORED, "updated_at")
# Everything but who it is about and when it was written.
COMPARED = COLUMNS[1:-1]
# SQLite: whoever wants to write waits until a part is done.
PART_SECONDS, FIRST_PART, SMALLEST_PART, LARGEST_PART = 0.08, 500, 50, 5000
SLICE = 10_000


def write_profiles(rows: pl.DataFrame, *, first: bool = False) -> None:
    """Write the profiles of a part, as `as_stored` makes them; ``first`` says that none of them is there yet.

    Shoppers who were removed meanwhile get none; ``cluster`` stays as it is.
    """
    if rows.is_empty():
        return
    if first:
        for part in [rows] if reading.postgres() else _parts(rows):
            _insert(part)
        return
    if reading.postgres():
        _copy(rows)
        return
    sql = _upsert_of_sqlite()
    # The last place asks whether the shopper is still there.
    for part in _parts(rows.with_columns(alive=pl.col("shopper_id"))):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, part.rows())


@transaction.atomic
def _insert(rows: pl.DataFrame) -> None:
    """Insert profiles where there is nothing to compare them with."""
    turns.hold()
    low, high = _ends(rows)
    alive = Shopper.everything.filter(pk__gte=low, pk__lte=high).values_list("pk", flat=True)
    bulk.insert_frame(
        Profile, rows.filter(pl.col("shopper_id").is_in(pl.Series(list(alive), dtype=pl.Int64).implode()))
    )


def _ends(rows: pl.DataFrame) -> tuple[int, int]:
    low, high = rows.select(low=pl.col("shopper_id").min(), high=pl.col("shopper_id").max()).row(0)
    return low, high


def write_scores(rows: pl.DataFrame, *, at: int, columns: Sequence[str] = SCORED) -> None:
    """Write scores and stages (SCORED), or other columns, of these shopper_id and nothing else."""
    names = ("updated_at", *columns)
    stored = rows.with_columns(_moment(pl.lit(at)).alias("updated_at")).select("shopper_id", *names)
    if not reading.postgres():
        stored = _texts(stored)
        sets = ", ".join(f"{name} = %s" for name in names)
        for part in _parts(stored.select(*names, "shopper_id")):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany(f"UPDATE segments_profile SET {sets} WHERE shopper_id = %s", part.rows())  # noqa: S608 names of our own
        return
    sets = ", ".join(f"{name} = n.{name}" for name in names)
    changing = f"UPDATE segments_profile p SET {sets} FROM profile_news n WHERE p.shopper_id = n.shopper_id"  # noqa: S608 as above
    for part in stored.iter_slices(SLICE):
        with transaction.atomic():
            _fill_temporary(part)
            with connection.cursor() as cursor:
                cursor.execute(changing)
                cursor.execute("DROP TABLE profile_news")


def _moment(microseconds: pl.Expr) -> pl.Expr:
    return pl.from_epoch(microseconds.cast(pl.Int64), time_unit="us")


def as_stored(rows: pl.DataFrame, at: int) -> pl.DataFrame:
    """Turn units into those of the table: moments, amounts of the shop's currency; on SQLite texts for moments.

    ``rows`` has shopper_id and the columns of segments.core.figures and SCORED, in their units; ``at`` are
    microseconds since 1970. The database is not asked.
    """
    stored = rows.with_columns(
        *(_moment(pl.col(name)).alias(name) for name in figures.TIMES),
        *((pl.col(name) / 100).alias(name) for name in figures.MONEY),
        _moment(pl.lit(at)).alias("updated_at"),
        pl.col("stage").fill_null(LEAD),
    ).select(COLUMNS)
    return stored if reading.postgres() else _texts(stored)


# ---------- SQLite


def _texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Write times as Django does: a fraction of a second only where there is one."""
    times = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
    whole, exact = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.6f"
    return rows.with_columns(
        pl.when(pl.col(name).dt.microsecond() == 0)
        .then(pl.col(name).dt.strftime(whole))
        .otherwise(pl.col(name).dt.strftime(exact))
        .alias(name)
        for name in times
    )


def _parts(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut rows so that each transaction takes about PART_SECONDS, by how long the one before took."""
    start, size = 0, FIRST_PART
    while start < len(rows):
        began = time.perf_counter()
        yield rows[start : start + size]
        start += size
        faster = PART_SECONDS / max(time.perf_counter() - began, PART_SECONDS / 4)
        turns.breathe()
        size = max(SMALLEST_PART, min(LARGEST_PART, int(size * faster)))


def _upsert_of_sqlite() -> str:
    places = ", ".join(["%s"] * len(COLUMNS))
    sets = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
    changed = " OR ".join(f"segments_profile.{name} IS NOT excluded.{name}" for name in COMPARED)
    return f"""INSERT INTO segments_profile ({", ".join(COLUMNS)}) SELECT {places}
        WHERE EXISTS (SELECT 1 FROM behaviour_shopper WHERE id = %s)
        ON CONFLICT (shopper_id) DO UPDATE SET {sets} WHERE {changed}"""  # noqa: S608 names of our own


# ---------- PostgreSQL


def _copy(rows: pl.DataFrame) -> None:
    """Copy a part to a table of its own, and from there what is new or changed.

    Comparing first is cheaper than an upsert with a condition, which locks, and so writes, every row.
    """
    low, high = _ends(rows)
    names, sets = ", ".join(COLUMNS), ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
    old, new = (", ".join(f"{table}.{name}" for name in COMPARED) for table in ("p", "n"))
    with transaction.atomic():
        _fill_temporary(rows)
        turns.hold()
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO segments_profile ({names}) SELECT {", ".join(f"n.{name}" for name in COLUMNS)}
                FROM profile_news n JOIN behaviour_shopper s ON s.id = n.shopper_id AND s.id BETWEEN %s AND %s
                LEFT JOIN segments_profile p ON p.shopper_id = n.shopper_id AND p.shopper_id BETWEEN %s AND %s
                WHERE p.shopper_id IS NULL OR ({old}) IS DISTINCT FROM ({new})
                ON CONFLICT (shopper_id) DO UPDATE SET {sets}""",  # noqa: S608 names of our own
                [low, high, low, high],
            )
            cursor.execute("DROP TABLE profile_news")


def _fill_temporary(rows: pl.DataFrame) -> None:
    """Make the temporary table profile_news, with these columns of a profile, and copy rows there."""
    names = ", ".join(rows.columns)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE profile_news AS SELECT {names} FROM segments_profile LIMIT 0")  # noqa: S608 names of our own
        with (
            connection.wrap_database_errors,
            cursor.copy(f"COPY profile_news ({names}) FROM STDIN (FORMAT csv)") as copy,
        ):
            for part in rows.iter_slices(SLICE):
                copy.write(part.write_csv(include_header=False, quote_style="non_numeric").encode())
        cursor.execute("ANALYZE profile_news (shopper_id)")


def stored_scores(without: Sequence[int]) -> pl.DataFrame:
    """Return what scores are made from, and the scores, of all profiles but these: units as in segments.core."""
    names = ("n_orders", "order_gap_days", *SCORES)
    schema: dict[str, Any] = {
        "shopper_id": pl.Int64,
        "last_order_at": pl.Int64,
        "monetary": pl.Int64,
        "price_median": pl.Int64,
    }
    schema |= {"stage": pl.String} | {name: pl.Float64 if name == "order_gap_days" else pl.Int64 for name in names}
    if reading.postgres():
        last = "(extract(epoch FROM last_order_at) * 1000000)::int8"
        money = [f"({name} * 100)::int8" for name in ("monetary", "price_median")]
    else:
        last, schema["last_order_at"] = "last_order_at || ''", pl.String
        money = [f"cast(round({name} * 100) AS integer)" for name in ("monetary", "price_median")]
    sql = f"SELECT shopper_id, {last}, {', '.join(money)}, stage, {', '.join(names)} FROM segments_profile"  # noqa: S608 names of our own
    found = reading.table(sql, (), schema)
    if not reading.postgres():
        found = found.with_columns(reading.moments_of(pl.col("last_order_at")).alias("last_order_at"))
    return found.filter(~pl.col("shopper_id").is_in(list(without)))
