"""Returns beside the orders that they take back: never more comes back than was bought."""

from collections import Counter

import polars as pl


def net(frame: pl.DataFrame, *, capped: bool) -> tuple[pl.DataFrame, Counter[str]]:
    """Cap the returns of an order at what the same rows say was bought in it, and count what was found.

    Readers keep the lines of an order together. A return whose order stands elsewhere, in another file or at another
    place of this one, goes on as it is written.
    """
    refund = pl.col("kind") == "refund"
    if not (frame["kind"] == "refund").any():
        return frame, Counter()
    counted = pl.col("order_id") != ""
    bought = frame.filter(counted & (pl.col("kind") == "purchase"))
    bought = bought.group_by("order_id", "item_id").agg(
        n_bought=pl.col("quantity").sum(), cents_bought=pl.col("cents").sum()
    )
    joined = frame.join(bought, on=["order_id", "item_id"], how="left", maintain_order="left").with_columns(
        n_back=pl.when(refund).then(pl.col("quantity")).otherwise(0),
        cents_back=pl.when(refund).then(pl.col("cents")).otherwise(0).fill_null(0),
    )
    before = [
        (pl.col(name).cum_sum() - pl.col(name)).over("order_id", "item_id").alias(f"{name}_before")
        for name in ("n_back", "cents_back")
    ]
    joined = joined.with_columns(before).with_columns(
        n_left=(pl.col("n_bought") - pl.col("n_back_before")).clip(lower_bound=0),
        cents_left=(pl.col("cents_bought") - pl.col("cents_back_before")).clip(lower_bound=0),
    )
    has_order = refund & pl.col("n_bought").is_not_null()
    too_much = has_order & ((pl.col("n_back") > pl.col("n_left")) | (pl.col("cents_back") > pl.col("cents_left")))
    said = joined.select(
        refund_with_order=has_order, refund_without_order=refund & pl.col("n_bought").is_null(), refund_netted=too_much
    )
    counts = {code: int(said[code].sum()) for code in said.columns}
    if not capped:
        counts.pop("refund_netted")
    elif counts["refund_netted"]:
        frame = frame.with_columns(
            joined.select(
                quantity=pl.when(has_order).then(pl.min_horizontal("quantity", "n_left")).otherwise("quantity"),
                cents=pl.when(has_order & pl.col("cents").is_not_null())
                .then(pl.min_horizontal("cents", "cents_left"))
                .otherwise("cents"),
            )
        )
    return frame, Counter({code: n for code, n in counts.items() if n})
