"""Returns and the orders that they take back: never more comes back than was bought."""

from collections import Counter
from collections.abc import Sequence

import polars as pl

KEY = ("user_id", "order_id", "item_id")


def cut(returns: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Cap returns at what was bought; of several returns of one thing the first ones count in full.

    Parameters
    ----------
    returns : frame with the columns of ``key``, quantity (int), cents (int, null = not known), n_bought (int, null =
        the order is not known) and cents_bought (int, null = not known), in the order in which they count

    Returns
    -------
    the frame with n_kept and cents_kept, equal to quantity and cents where nothing had to be cut. Cutting again what
    was cut, in part or whole, gives the same.
    """
    before = [
        (pl.col(name).fill_null(0).cum_sum() - pl.col(name).fill_null(0)).over(key).alias(f"{name}_before")
        for name in ("quantity", "cents")
    ]
    n_left = (pl.col("n_bought") - pl.col("quantity_before")).clip(lower_bound=0)
    cents_left = (pl.col("cents_bought") - pl.col("cents_before")).clip(lower_bound=0)
    # Of a number and nothing the number is the smaller one: what is not known caps nothing.
    return returns.with_columns(before).with_columns(
        n_kept=pl.min_horizontal("quantity", n_left),
        cents_kept=pl.when(pl.col("cents").is_not_null()).then(pl.min_horizontal("cents", cents_left)),
    )


def count(returns: pl.DataFrame) -> Counter[str]:
    """Count, in what ``cut`` returned, how many have an order, how many have none, and how many are too large."""
    has_order = pl.col("n_bought").is_not_null()
    too_large = pl.col("n_kept").ne_missing(pl.col("quantity")) | pl.col("cents_kept").ne_missing(pl.col("cents"))
    counts = returns.select(
        refund_with_order=has_order.sum(), refund_without_order=(~has_order).sum(), refund_netted=too_large.sum()
    )
    return Counter({code: n for code, n in counts.row(0, named=True).items() if n})


def foresee(frame: pl.DataFrame) -> Counter[str]:
    """Count what these rows alone tell of their returns; the import looks at the whole file and at older orders."""
    returns = frame.filter(pl.col("kind") == "refund")
    if returns.is_empty():
        return Counter()
    lines = frame.filter((pl.col("kind") == "purchase") & (pl.col("order_id") != ""))
    known = pl.col("cents").is_not_null().all()
    bought = lines.group_by(KEY).agg(
        n_bought=pl.col("quantity").sum(), cents_bought=pl.when(known).then(pl.col("cents").sum())
    )
    found = count(cut(returns.join(bought, on=KEY, how="left", maintain_order="left"), KEY))
    return Counter({BESIDE.get(code, code): n for code, n in found.items()})


# Whose order does not stand beside them may find it elsewhere.
BESIDE = {"refund_without_order": "refund_apart"}
