"""What an empty cell is taken for where a person allows it: mean, median or most frequent value (scikit-learn)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

# A product needs so many values of its own; of one with more, the first ones count.
ENOUGH, MOST_VALUES, MOST_PRODUCTS = 5, 200, 5_000


def numbers(frame: pl.DataFrame, name: str, way: str) -> dict[str, float]:
    """Return product -> value for empty cells of a column of numbers; "" holds the value over all products.

    Parameters
    ----------
    frame : ``item_id`` (text) and the column (float, null = empty), in the order of the file.
    way : "mean", "median" or "most_frequent".
    """
    from sklearn.impute import SimpleImputer

    given = frame.filter(pl.col(name).is_not_null()).select("item_id", name)
    if given.is_empty():
        return {}
    whole = SimpleImputer(strategy=way).fit(given[name].to_numpy().reshape(-1, 1))
    values = {"": round(float(whole.statistics_[0]), 4)}
    own = given.filter(pl.col("item_id") != "").group_by("item_id", maintain_order=True).agg(pl.col(name), pl.len())
    own = own.filter(pl.col("len") >= ENOUGH).sort("len", descending=True, maintain_order=True).head(MOST_PRODUCTS)
    if own.is_empty():
        return values
    # One column for each product, so that the library fits all of them at once.
    matrix = np.full((min(MOST_VALUES, int(own["len"].max())), len(own)), np.nan)  # type: ignore[arg-type]
    for at, listed in enumerate(own[name].to_list()):
        first = listed[:MOST_VALUES]
        matrix[: len(first), at] = first
    fitted = SimpleImputer(strategy=way).fit(matrix).statistics_
    return values | {item: round(float(one), 4) for item, one in zip(own["item_id"], fitted, strict=True)}


def most_frequent(texts: pl.Series) -> str:
    """Return the most frequent text; "" where none is given."""
    from sklearn.impute import SimpleImputer

    given = texts.filter(texts != "")
    if given.is_empty():
        return ""
    return str(
        SimpleImputer(strategy="most_frequent").fit(given.to_numpy().astype(object).reshape(-1, 1)).statistics_[0]
    )


def fill(frame: pl.DataFrame, filled_with: Mapping[str, Mapping[str, Any]], sold: pl.Expr) -> pl.DataFrame:
    """Fill empty cells of typed rows and say in ``filled_…`` where; ``sold`` tells which rows have price and quantity.

    The frame has item_id, price, quantity_text, country (text), each (float) and quantity (int).
    """
    price = _value("price", filled_with)
    pieces = _value("quantity", filled_with).round().clip(lower_bound=1).cast(pl.Int64)
    country = filled_with.get("country", {}).get("", "")
    frame = frame.with_columns(
        filled_price=sold & (pl.col("price") == "") & price.is_not_null(),
        filled_quantity=sold & (pl.col("quantity_text") == "") & pieces.is_not_null(),
        filled_country=(pl.col("country") == "") & pl.lit(bool(country)),
    ).with_columns(
        each=pl.when("filled_price").then(price).otherwise(pl.col("each")),
        quantity=pl.when("filled_quantity").then(pieces).otherwise(pl.col("quantity")),
        country=pl.when("filled_country").then(pl.lit(country)).otherwise(pl.col("country")),
    )
    changed = pl.col("filled_price") | pl.col("filled_quantity")
    total = (pl.col("each") * pl.col("quantity") * 100).round().cast(pl.Int64)
    return frame.with_columns(cents=pl.when(changed).then(total).otherwise(pl.col("cents")))


def _value(name: str, filled_with: Mapping[str, Mapping[str, Any]]) -> pl.Expr:
    values = filled_with.get(name, {})
    if not values:
        return pl.lit(None, dtype=pl.Float64)
    items = [item for item in values if item]
    own = pl.col("item_id").replace_strict(
        items, [float(values[item]) for item in items], default=None, return_dtype=pl.Float64
    )
    return pl.coalesce(own, pl.lit(float(values[""])))
