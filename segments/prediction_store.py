"""Writes predictions: beside the old ones first, then all of them at once, so that no page sees half a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from django.db import connection

from behaviour import bulk, turns
from behaviour.models import Shopper
from segments.core.forecast import DAY_COLUMNS, FLOAT_COLUMNS, MOST_REASONS, REASONS, Forecast
from segments.models import Prediction

BLOCK = 50_000
DECIMALS = 4
TABLE, SHOPPERS = Prediction._meta.db_table, Shopper._meta.db_table
BESIDE = "prediction_beside"


def frames(
    forecast: Forecast, categories: list[str], chosen: np.ndarray, chance: np.ndarray, *, run_id: int, today: date
) -> Iterator[pl.DataFrame]:
    """Return the rows of the table in blocks.

    Parameters
    ----------
    categories : names; chosen : int array of shape (n,), index of each shopper's next category, -1 = none
    chance : float array of shape (n,)
    today : the day from which the days of the forecast count
    """
    names = np.array([*(name[:200] for name in categories), ""], object)
    for start in range(0, len(forecast.shoppers), BLOCK):
        block = slice(start, start + BLOCK)
        columns: dict[str, Any] = {"shopper_id": forecast.shoppers[block]}
        columns |= {name: forecast.columns[name][block].astype(float).round(DECIMALS) for name in FLOAT_COLUMNS}
        columns |= {name: forecast.columns[name][block] for name in DAY_COLUMNS}
        columns |= {name: numbers[block].astype(np.int16) for name, numbers in forecast.percentiles.items()}
        columns["next_category"] = names[chosen[block]].astype(str)
        columns["next_category_chance"] = np.where(chosen[block] < 0, np.nan, chance[block].round(DECIMALS))
        frame = pl.DataFrame(columns)
        yield frame.with_columns(
            *(_dates(name, today) for name in DAY_COLUMNS),
            pl.col("next_category_chance").fill_nan(None),
            pl.lit(run_id).alias("run_id"),
            _reasons(forecast, block).alias("reasons"),
        )


def _dates(name: str, today: date) -> pl.Expr:
    days = pl.col(name).fill_nan(None).floor().cast(pl.Int32)
    return (pl.lit(today) + pl.duration(days=days)).cast(pl.Date).alias(name)


def _reasons(forecast: Forecast, block: slice) -> pl.Series:
    """Write the reasons as JSON, all rows at once."""
    codes = np.array([*REASONS, ""], object)
    columns = {}
    for place in range(MOST_REASONS):
        columns[f"code_{place}"] = codes[forecast.reason[block, place]].astype(str)
        columns[f"weight_{place}"] = forecast.weight[block, place].astype(float).round(DECIMALS)
        columns[f"value_{place}"] = forecast.value[block, place].astype(float).round(2)
    parts = [_reason(place) for place in range(MOST_REASONS)]
    text = pl.concat_str([pl.lit("["), pl.concat_str(parts, separator=", ", ignore_nulls=True), pl.lit("]")])
    return pl.DataFrame(columns).select(text).to_series()


def _reason(place: int) -> pl.Expr:
    code, weight, value = (pl.col(f"{name}_{place}") for name in ("code", "weight", "value"))
    words = ['{"code": "', code, '", "weight": ', weight, ', "value": ', value, "}"]
    whole = pl.concat_str([pl.lit(word) if isinstance(word, str) else word for word in words])
    return pl.when(code != "").then(whole)


@contextmanager
def beside() -> Iterator[None]:
    """Have an empty copy of the table for this connection alone; the true one is not touched."""
    copy = f"(LIKE {TABLE})" if connection.vendor == "postgresql" else f"AS SELECT * FROM {TABLE} WHERE 0"  # noqa: S608
    _run(f"DROP TABLE IF EXISTS {BESIDE}")
    _run(f"CREATE TEMPORARY TABLE {BESIDE} {copy}")
    try:
        yield
    finally:
        _run(f"DROP TABLE IF EXISTS {BESIDE}")


def write(rows: pl.DataFrame) -> None:
    """Add rows to the copy."""
    names = ", ".join(rows.columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {BESIDE} ({names}) FROM STDIN (FORMAT csv)") as to:
                for part in rows.iter_slices(bulk.SLICE):
                    to.write(part.write_csv(include_header=False, quote_style="non_numeric").encode())
            return
        days = [name for name, kind in rows.schema.items() if kind == pl.Date]
        rows = rows.with_columns(pl.col(days).dt.strftime("%Y-%m-%d"))
        places = ", ".join(["%s"] * len(rows.columns))
        many: Any = rows.iter_rows()
        cursor.executemany(f"INSERT INTO {BESIDE} ({names}) VALUES ({places})", many)  # noqa: S608 names of our own


def publish(columns: list[str]) -> int:
    """Replace all predictions by the copy, inside the caller's transaction; return how many there are.

    Nobody is removed meanwhile; who was since she was read is left out.
    """
    names = ", ".join(columns)
    turns.hold()
    _run(f"DELETE FROM {TABLE}")  # noqa: S608 names of our own
    if not columns:
        return 0
    alive = f"SELECT id FROM {SHOPPERS}"  # noqa: S608
    return _run(f"INSERT INTO {TABLE} ({names}) SELECT {names} FROM {BESIDE} WHERE shopper_id IN ({alive})")  # noqa: S608


def _run(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)
