"""Favourites: what a shopper spent her money on, the newest counting most."""

import numpy as np
import polars as pl

from segments.core import deeds

HALF_LIFE_DAYS = 90
TOP = 5
# Shares are whole ten-thousandths.
WHOLE = 10_000
# Weights are whole, too: a millionth of a cent, and older than this nothing at all.
UNIT, OLDEST_DAYS = 1_000_000, 7300
# So large a line would not fit beside others into 64 bits.
LARGEST_CENTS = 10**11
DECAY = np.power(0.5, np.arange(OLDEST_DAYS + 1) / HALF_LIFE_DAYS)


def decay(days: pl.Expr) -> pl.Expr:
    """Return 0.5 ** (age / 90) of ages in whole days, from a table: the same number on every machine and path."""
    return days.clip(0, OLDEST_DAYS).map_batches(lambda ages: pl.Series(DECAY[ages.to_numpy()]), pl.Float64)


def favourites(lines: pl.DataFrame) -> pl.DataFrame:
    """Return each shopper's five best names with their share of her time-decayed spending.

    A line weighs spent * 0.5 ** (age / 90 days), age in whole days. Ages are counted back from the shopper's own newest
    line: a later day of reckoning multiplies all her weights by the same number, so the shares are the same every day.

    Parameters
    ----------
    lines : frame with the columns shopper (int), name (str, never empty: a category, a brand), at (int, microseconds
        on any fixed calendar) and cents (int; where a shop gives no prices, the quantity). Lines of nothing or less
        are left out.

    Returns
    -------
    frame with the columns shopper, name, share (int, ten-thousandths, 1..10000); by shopper, best first, equal shares
    by name. The shares of *all* names of a shopper sum to 1, so five of them may sum to less.

    Source: exponential decay as in Ding and Li (2005), Time weight collaborative filtering, CIKM; our half-life.
    """
    lines = lines.filter(pl.col("cents") > 0)
    age = (pl.col("at").max().over("shopper") - pl.col("at")).floordiv(deeds.DAY)
    lines = lines.with_columns(decay(age).alias("factor"))
    weight = (pl.col("cents").clip(upper_bound=LARGEST_CENTS) * pl.col("factor") * UNIT).round().cast(pl.Int64)
    sums = lines.group_by("shopper", "name").agg(weight.sum().alias("weight"))
    part = pl.col("weight") / pl.col("weight").sum().over("shopper")
    sums = sums.select("shopper", "name", (part * WHOLE).round().cast(pl.Int64).alias("share"))
    best = sums.filter(pl.col("share") > 0).sort("shopper", "share", "name", descending=[False, True, False])
    return best.group_by("shopper", maintain_order=True).head(TOP)
