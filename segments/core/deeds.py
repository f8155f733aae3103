"""What shoppers did, as one packed row a deed: what the figures of a profile are made from.

A frame of deeds has the columns

shopper : int32, the place of the shopper in the list that is being read
kind : uint8, as in CODES
product : int64, the product's id, 0 where there is none; like what follows, only of what was bought or given back
at : int64, microseconds since 1970, UTC
quantity : int32
cents : int64, the line's total in hundredths of the shop's currency, MISSING where there is none
ref : int64, a hash of the order's reference, 0 where there is none

All numbers are whole: sums don't depend on the order in which a database gave the rows.
"""

import numpy as np
import polars as pl

SECOND = 1_000_000
QUARTER, HOUR, DAY = 900 * SECOND, 3600 * SECOND, 86_400 * SECOND
# 1973; Liberia's clock was 44:30 behind until 1972.
SHIFTS_BY_QUARTERS = 3 * 366 * DAY
MISSING = -(2**63)
CODES = {
    kind: code
    for code, kind in enumerate(
        (
            "view", "purchase", "cart", "email_open", "email_click", "favourite", "search", "uncart", "refund",
            "rating", "signup", "survey_answer", "unsubscribe",
        ), start=1,
    )
}  # fmt: skip
PACKED = np.dtype(
    [
        ("shopper", "<i4"), ("kind", "u1"), ("product", "<i8"), ("at", "<i8"), ("quantity", "<i4"),
        ("cents", "<i8"), ("ref", "<i8"),
    ]
)  # fmt: skip


def of(*kinds: str) -> pl.Expr:
    """Say which rows are of these kinds."""
    codes = [CODES[kind] for kind in kinds]
    return pl.col("kind") == codes[0] if len(codes) == 1 else pl.col("kind").is_in(codes)


def unpacked(rows: np.ndarray) -> pl.DataFrame:
    """Return packed rows, of any of these columns, as a frame of deeds."""
    return pl.DataFrame({name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()})


def purchases(deeds: pl.DataFrame) -> pl.DataFrame:
    """Return the lines that were bought; ``cents`` is null where it is not known."""
    cents = pl.when(pl.col("cents") == MISSING).then(None).otherwise(pl.col("cents")).alias("cents")
    return deeds.filter(of("purchase")).with_columns(cents)


def local(at: pl.Expr, zone: str) -> pl.Expr:
    """Turn microseconds since 1970, UTC, into what a clock in that zone shows, counted the same way."""
    return at.map_batches(lambda moments: _local(moments, zone), return_dtype=pl.Int64)


def _local(moments: pl.Series, zone: str) -> pl.Series:
    """Ask the zone once for each quarter of an hour between the first and the last moment, if that is less work.

    Since SHIFTS_BY_QUARTERS no clock of the world is ahead by, or was ever moved at, anything but whole quarters.
    """
    quarter = moments.to_numpy() // QUARTER
    first, last = (int(quarter.min()), int(quarter.max())) if len(quarter) else (0, 0)
    if last - first >= len(quarter) or first * QUARTER < SHIFTS_BY_QUARTERS:
        return _shown(moments, zone)
    quarters = pl.Series(np.arange(first, last + 1) * QUARTER)
    ahead = (_shown(quarters, zone) - quarters).to_numpy()
    return moments + ahead[quarter - first]


def _shown(moments: pl.Series, zone: str) -> pl.Series:
    clock = pl.from_epoch(moments, time_unit="us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return clock.dt.replace_time_zone(None).dt.epoch("us")
