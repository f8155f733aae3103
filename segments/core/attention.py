"""How a shopper takes the mails that she gets."""

import polars as pl

from segments.core import deeds
from segments.core.affinity import decay

# Below this many mails nothing is said of fatigue, and the recent mails are read as if there were two more, answered
# as those before.
ENOUGH_MAILS, LEANING = 5, 2
UNIT = 1_000_000
DECIMALS = 4


def mail_figures(mails: pl.DataFrame, *, today: int, since_30d: int, since_90d: int) -> pl.DataFrame:
    """Count each shopper's mails of a year, and how many of them she answered: opened or clicked, as a person.

    Parameters
    ----------
    mails : frame with shopper (int32), at (microseconds) and answered (0 or 1) of the mails of the last 365 days
    today, since_30d, since_90d : microseconds since 1970: the midnight that ages are counted from, and the windows

    Returns
    -------
    frame: shopper; n_received_30d, n_received_90d; engagement (0..100: the answered share of the mails, each weighing
    0.5 ** (age / 90 days), age in whole days); fatigue (0..1: by what part the answered share fell with the mails of
    the last 30 days, 0 where it did not, null below five mails or where one of the two times had none)

    The recent share leans on the earlier one by two mails (a beta prior of that weight, as Gelman et al. 2013, Bayesian
    Data Analysis, section 2.4): one unopened mail is no fatigue yet.
    """
    answered, recent = pl.col("answered") == 1, pl.col("at") >= since_30d
    known = mails.with_columns(decay((today - pl.col("at")).floordiv(deeds.DAY)).alias("factor"))
    weight = (pl.col("factor") * UNIT).round().cast(pl.Int64)
    counts = known.group_by("shopper").agg(
        recent.sum().cast(pl.Int64).alias("n_received_30d"),
        (pl.col("at") >= since_90d).sum().cast(pl.Int64).alias("n_received_90d"),
        weight.sum().alias("all"),
        weight.filter(answered).sum().alias("taken"),
        pl.len().cast(pl.Int64).alias("n"),
        (recent & answered).sum().cast(pl.Int64).alias("n_now"),
        (~recent & answered).sum().cast(pl.Int64).alias("n_before"),
    )
    before = pl.col("n_before") / (pl.col("n") - pl.col("n_received_30d"))
    now = (pl.col("n_now") + LEANING * before) / (pl.col("n_received_30d") + LEANING)
    enough = (pl.col("n") >= ENOUGH_MAILS) & (pl.col("n_received_30d") > 0) & (pl.col("n") > pl.col("n_received_30d"))
    fell = pl.when(pl.col("n_before") > 0).then((1 - now / before).clip(0, 1)).otherwise(0.0)
    return counts.select(
        "shopper", "n_received_30d", "n_received_90d",
        (200 * pl.col("taken") + pl.col("all")).floordiv(2 * pl.col("all")).alias("engagement"),
        pl.when(enough).then(fell.round(DECIMALS)).alias("fatigue"),
    )  # fmt: skip
