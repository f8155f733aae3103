"""Rows about products into the catalogue: what a file names, with the history of price and stock."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from behaviour.core.cleaning import Cleaned
from behaviour.models import Product, Shop, StockChange, Upload

# Rows of one transaction.
PART = 4000


class ProductLoader:
    """Loads products: new ones are made, changed ones follow the file, an empty cell changes nothing."""

    FIELDS = ("name", "category", "price", "currency", "url", "image", "stock", "active", "attributes", "in_catalogue")

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def observe(self, cleaned: Cleaned) -> None:
        """Nothing has to be remembered."""

    def parts(self, cleaned: Cleaned, after: str) -> Iterator[tuple[pl.DataFrame, str]]:
        """Yield the rows in parts, and the number of the last row of each."""
        for part in cleaned.frame.filter(pl.col("row") > int(after or -1)).iter_slices(PART):
            yield part, str(part["row"][-1])

    def write(self, part: pl.DataFrame) -> int:
        """Make or change the products, keep the history of stock and price, return how many were new or changed."""
        rows = {row["item_id"]: _product_fields(row) for row in part.sort("item_id").iter_rows(named=True)}
        there = {row.sku: row for row in Product.everything.filter(sku__in=rows)}
        currency = Shop.current().currency
        new = [
            Product(sku=sku, upload=self._upload, **{"currency": currency, **fields})
            for sku, fields in rows.items()
            if sku not in there
        ]
        changed, moved = [], []
        for sku, product in there.items():
            differs = {name for name, value in rows[sku].items() if getattr(product, name) != value}
            for name in differs:
                setattr(product, name, rows[sku][name])
            if differs:
                changed.append(product)
            if differs & {"stock", "price"}:
                moved.append(product)
        Product.everything.bulk_create(new, ignore_conflicts=True)
        Product.everything.bulk_update(changed, self.FIELDS, batch_size=200)
        self._history(new, moved)
        return len(new) + len(changed)

    def _history(self, new: list[Product], moved: list[Product]) -> None:
        ids = dict(Product.everything.filter(sku__in=[row.sku for row in new]).values_list("sku", "pk"))
        known = [row for row in new if row.stock is not None or row.price is not None]
        StockChange.objects.bulk_create(
            StockChange(product_id=row.pk or ids[row.sku], stock=row.stock, price=row.price) for row in [*known, *moved]
        )

    def finish(self) -> None:
        """Nothing is left to do."""


def _product_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the row says; what it leaves empty is left out."""
    fields = {name: row[name] for name in ("name", "category", "currency", "url", "image") if row[name]}
    if row["cents"] is not None:
        fields["price"] = Decimal(row["cents"]).scaleb(-2)
    if row["attributes"]:
        fields["attributes"] = {"tags": [word.strip() for word in re.split("[,;|]", row["attributes"]) if word.strip()]}
    fields |= {name: row[name] for name in ("stock", "active") if row[name] is not None}
    return fields | {"in_catalogue": True}
