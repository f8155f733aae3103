"""What the rows of a file say in passing: names and prices of products, countries of shoppers. Fills what is empty.

What nobody sees yet is filled in at once; for all else it is set aside until the upload is published.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl
from django.db import connection, transaction

from behaviour import bulk, product_history, set_aside
from behaviour.models import Product, Shopper, Upload

BATCH = 5000
# Different values kept in memory (about 15 MB); above it, what was said so far goes into the tables.
MOST_KEPT = 150_000
PARTS = 50
# Found by their names: the sign keeps SQLite from reading all rows of the upload for each.
FILL = {
    "sqlite": """UPDATE {table} SET {column} = said.value
        FROM (SELECT json_extract(value, '$[0]') AS about, json_extract(value, '$[1]') AS value FROM json_each(%s))
        AS said
        WHERE {table}.{name} = said.about AND {table}.{empty} AND +{table}.upload_id = %s""",
    "postgresql": """UPDATE {table} SET {column} = (said.pair->>1)::{cast}
        FROM json_array_elements(%s::json) AS said(pair)
        WHERE {table}.{name} = said.pair->>0 AND {table}.{empty} AND {table}.upload_id = %s""",
}


@dataclass(frozen=True)
class _What:
    """Something that rows say: about whom, in which column of the file, for which column of the table."""

    model: type[Shopper] | type[Product]
    about: str
    said: str
    name: str
    column: str

    @property
    def numeric(self) -> bool:
        """Whether the median is taken, not the most frequent value."""
        return self.column == "price"

    @property
    def empty(self) -> dict[str, Any]:
        """Which rows do not know it."""
        return {f"{self.column}__isnull": True} if self.numeric else {self.column: ""}


WHAT = (
    _What(Product, "item_id", "name", "sku", "name"),
    _What(Product, "item_id", "each", "sku", "price"),
    _What(Shopper, "user_id", "country", "external_id", "country"),
)


class Said:
    """Counts what is said, in memory that stays bounded, and fills in what the tables do not know yet."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._counted: dict[_What, list[pl.DataFrame]] = {what: [] for what in WHAT}

    def observe(self, frame: pl.DataFrame) -> None:
        """Count what the orders and returns of a block say; the shoppers and products of earlier blocks are there."""
        bought = frame.filter(pl.col("kind").is_in(["purchase", "refund"]))
        for what, parts in self._counted.items():
            if sum(map(len, parts)) > MOST_KEPT or len(parts) > PARTS:
                parts[:] = [_summed(parts)]
            if parts and len(parts[0]) > MOST_KEPT:
                _fill(what, parts.pop(0), self._upload)
            rows = bought.filter(pl.col(what.said).is_not_null() & (pl.col(what.about) != ""))
            if not what.numeric:
                rows = rows.filter(pl.col(what.said) != "")
            if len(rows):
                # A return says something only about what was never bought in this file.
                n_bought = (pl.col("kind") == "purchase").sum().cast(pl.Int64)
                parts.append(rows.group_by(what.about, what.said, maintain_order=True).agg(len=n_bought))

    def fill(self) -> None:
        """Fill in what is still empty: a product's most frequent name and median price, a shopper's country."""
        for what, parts in self._counted.items():
            if parts:
                _fill(what, _summed(parts), self._upload)
                parts.clear()


def _summed(parts: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(parts)
    return frame.group_by(frame.columns[:2], maintain_order=True).agg(pl.col("len").sum())


def _fill(what: _What, counted: pl.DataFrame, upload: Upload) -> None:
    best = (_medians(counted) if what.numeric else _most_frequent(counted, what)).sort(what.about)
    empty = f"{what.column} IS NULL" if what.numeric else f"{what.column} = ''"
    cast = "numeric" if what.numeric else "text"
    sql = FILL[connection.vendor].format(
        table=what.model._meta.db_table, column=what.column, name=what.name, empty=empty, cast=cast
    )
    # A first load meets nothing that anybody sees.
    seen = what.model.objects.filter(**what.empty).exists()
    for part in best.iter_slices(BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [bulk.as_json(part.rows()), upload.pk])
            if seen:
                _set_aside(what, dict(part.rows()), upload)


def _set_aside(what: _What, said: dict[str, Any], upload: Upload) -> None:
    """Keep what is said of rows that everybody sees until the upload is published."""
    rows = what.model.objects.filter(**what.empty, **{f"{what.name}__in": list(said)})
    if what.model is Shopper:
        people = {one.pk: one for one in rows}
        aside = set_aside.Aside(upload, people, {})
        for pk, one in people.items():
            # Who is told of already has it by now.
            if not one.country:
                aside.tell(pk, {"country": ""}, {"country": said[one.external_id]})
        aside.keep()
        return
    skus = dict(rows.values_list("pk", "sku"))
    noted = product_history.noted(upload, skus)
    field, empty = ("cents", None) if what.numeric else (what.column, "")
    product_history.note_all(
        [
            (pk, {field: empty}, {field: round(said[sku] * 100) if what.numeric else said[sku]})
            for pk, sku in skus.items()
            if pk not in noted or field not in noted[pk].after
        ],
        upload,
        noted,
    )


def _most_frequent(counted: pl.DataFrame, what: _What) -> pl.DataFrame:
    """Return the value that each thing has most often; the first one where several do."""
    limit = what.model._meta.get_field(what.column).max_length  # type: ignore[union-attr]
    best = counted.sort("len", descending=True, maintain_order=True)
    best = best.unique(what.about, keep="first", maintain_order=True)
    return best.select(what.about, pl.col(what.said).str.slice(0, limit))


def _medians(counted: pl.DataFrame) -> pl.DataFrame:
    """Return the median price of each product, each price as often as it was paid."""
    paid = pl.when(pl.col("len").sum().over("item_id") == 0).then(1).otherwise(pl.col("len"))
    frame = counted.sort("item_id", "each").with_columns(paid=paid)
    frame = frame.with_columns(upto=pl.col("paid").cum_sum().over("item_id"), all=pl.col("paid").sum().over("item_id"))
    # Below zero: more than half of all lie at or below this price.
    beyond = pl.col("all") - 2 * pl.col("upto")
    low, high = (pl.col("each").filter(reached).first() for reached in (beyond <= 0, beyond < 0))
    return frame.group_by("item_id").agg(price=((low + high) / 2).round(2))
