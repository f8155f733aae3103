"""Favourite categories: what a shopper spent her money on, the newest counting most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HALF_LIFE_DAYS = 90.0
TOP = 5
DECIMALS = 4
COLUMNS = ["shopper", "category", "share"]


def favourite_categories(lines: pd.DataFrame) -> pd.DataFrame:
    """Return each shopper's five best categories with their share of her time-decayed spending.

    A line weighs spent * 0.5 ** (age / 90 days). Ages are counted back from the shopper's own newest line: a later day
    of reckoning multiplies all her weights by the same number, so the shares are the same on every day.

    Parameters
    ----------
    lines : frame with the columns shopper (int), category (str, never empty), days (float, days on any fixed calendar)
        and spent (float, the shop's currency; where a shop gives no prices, the quantity). Lines of nothing or less
        are left out.

    Returns
    -------
    frame with the columns shopper, category, share; by shopper, best first, equal shares by name. Shares lie in (0, 1],
    are rounded to four decimals and sum to 1 over *all* categories of a shopper, so five of them may sum to less.

    Source: exponential decay as in Ding and Li (2005), Time weight collaborative filtering, CIKM; our half-life.
    """
    import pandas as pd

    lines = lines[lines["spent"] > 0]
    if lines.empty:
        return pd.DataFrame({name: [] for name in COLUMNS})
    age = lines.groupby("shopper")["days"].transform("max") - lines["days"]
    weights = lines.assign(weight=lines["spent"] * np.power(0.5, age / HALF_LIFE_DAYS))
    sums = weights.groupby(["shopper", "category"])[["weight"]].sum().reset_index()
    sums["share"] = (sums["weight"] / sums.groupby("shopper")["weight"].transform("sum")).round(DECIMALS)
    best = sums.sort_values(["shopper", "share", "category"], ascending=[True, False, True])
    return best.groupby("shopper").head(TOP)[COLUMNS].reset_index(drop=True)
