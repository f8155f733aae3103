"""At which hours of the week a shopper is there."""

import numpy as np
import polars as pl

from segments.core import deeds

MOMENTS = ("view", "favourite", "search", "cart", "uncart", "purchase", "email_open", "email_click")
HOURS = 168
ENOUGH = 5
# 1970 began on a Thursday.
THURSDAY = 72
# An hour since 1970, of either sign, fits below this.
SHIFT = 1 << 21
NINTHS = np.float32(9)
BLOCK = 1000
SCHEMA = {"shopper": pl.Int32, "best_hour": pl.Int64, "best_weekday": pl.Int64, "hours": pl.String}


def moments(rows: pl.DataFrame, zone_of: pl.DataFrame) -> pl.DataFrame:
    """Return the hours in which a shopper was there, each once, by the clock where she lives.

    However much she does within an hour, it is one moment. What stands at midnight sharp is left out: it comes from
    data that know days only.

    Parameters
    ----------
    rows : frame of deeds
    zone_of : frame with shopper (int32) and zone (name of a time zone that exists)

    Returns
    -------
    frame with shopper and hour (0..167, Monday 0:00 is 0), a row a moment
    """
    was_there = rows.filter(deeds.of(*MOMENTS) & (pl.col("at") % deeds.DAY != 0)).select("shopper", "at")
    found = []
    for (zone,), part in was_there.join(zone_of, on="shopper").partition_by("zone", as_dict=True).items():
        clock = part.select("shopper", deeds.local(pl.col("at"), str(zone)).alias("at"))
        found.append(clock.filter(pl.col("at") % deeds.DAY != 0))
    if not found:
        return pl.DataFrame(schema={"shopper": pl.Int32, "hour": pl.Int64})
    hour = pl.col("at").floordiv(deeds.HOUR)
    # One number is much faster to compare than two.
    key = pl.concat(found).select(key=pl.col("shopper").cast(pl.Int64) * SHIFT + hour + SHIFT // 2).unique()
    shopper, hour = pl.col("key").floordiv(SHIFT), pl.col("key") % SHIFT - SHIFT // 2
    return key.select(shopper.cast(pl.Int32).alias("shopper"), ((hour + THURSDAY) % HOURS).alias("hour"))


def hour_figures(was_there: pl.DataFrame) -> pl.DataFrame:
    """Say when each shopper is there most; who was there at fewer than five moments is left out.

    Counts are smoothed round the clock by 1/4, 1/2, 1/4 (Tukey 1977, Exploratory Data Analysis, "hanning"): ten to
    five and ten past five are neighbours.

    Parameters
    ----------
    was_there : frame as of `moments`

    Returns
    -------
    frame: shopper; best_hour (0..23, over all days), best_weekday (0 = Monday), the earlier of two that are equal;
    hours (str of 168 digits: the smoothed week in ninths of its fullest hour, rounded)
    """
    enough = was_there.filter(pl.len().over("shopper") >= ENOUGH).sort("shopper")
    shoppers, places = np.unique(enough["shopper"].to_numpy(), return_inverse=True)
    week_hours = enough["hour"].to_numpy()
    found: list[pl.DataFrame] = [pl.DataFrame(schema=SCHEMA)]
    # So few at once stay near the processor.
    for first in range(0, len(shoppers), BLOCK):
        start, end = np.searchsorted(places, [first, first + BLOCK])
        some = shoppers[first : first + BLOCK]
        counts = np.bincount((places[start:end] - first) * HOURS + week_hours[start:end], minlength=len(some) * HOURS)
        found.append(_best(some, counts.astype(np.int32).reshape(len(some), HOURS)))
    return pl.concat(found)


def _best(shoppers: np.ndarray, week: np.ndarray) -> pl.DataFrame:
    """Return the figures of some shoppers from their counts: int array of shape (n_shoppers, 168)."""
    smooth = _smooth(week).astype(np.float32)
    digits = (smooth * (NINTHS / smooth.max(axis=1))[:, None] + np.float32(0.5)).astype(np.uint8) + np.uint8(ord("0"))
    days = week.reshape(len(week), 7, 24)
    texts = np.ascontiguousarray(digits).view(f"S{HOURS}").ravel().tolist()
    return pl.DataFrame(
        {
            "shopper": shoppers.astype(np.int32),
            "best_hour": _smooth(days.sum(axis=1)).argmax(axis=1),
            "best_weekday": days.sum(axis=2).argmax(axis=1),
            "hours": [text.decode() for text in texts],
        },
        schema=SCHEMA,
    )


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Return four times the smoothed counts of each row, which closes to a circle."""
    return 2 * counts + np.roll(counts, 1, axis=1) + np.roll(counts, -1, axis=1)
