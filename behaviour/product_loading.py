"""Rows about products into the catalogue: what a file names, with the history of price and stock."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

import polars as pl
from django.db import connection
from django.utils.timezone import now

from behaviour import bulk, product_history
from behaviour.core.cleaning import Cleaned
from behaviour.models import Product, ProductChange, Shop, Upload
from behaviour.names import find

# SQLite has one writer, for which everybody else waits: a part takes a fifth of a second.
PART = 6_000 if connection.vendor == "sqlite" else 100_000
TEXTS = ("name", "category", "currency", "url", "image", "attributes")
NUMBERS = ("cents", "stock", "active")
KNOWN = {
    "id": pl.Int64, "item_id": pl.String, **dict.fromkeys(TEXTS, pl.String), **dict.fromkeys(NUMBERS, pl.Int64),
    "in_catalogue": pl.Int64, "upload_id": pl.Int64,
}  # fmt: skip
FIND = (
    "SELECT id, sku, name, category, currency, url, image, CAST(attributes AS TEXT),"
    " CAST(ROUND(price * 100) AS BIGINT), stock,"
    " CAST(active AS INTEGER), CAST(in_catalogue AS INTEGER), upload_id FROM behaviour_product WHERE sku IN {many}"
)
# Another picture has not been looked at yet.
CHANGE = {
    "sqlite": "UPDATE behaviour_product SET name = %s, category = %s, currency = %s, url = %s,"
    " attributes = %s, price = %s, stock = %s, active = %s, upload_id = %s, in_catalogue = TRUE WHERE id = %s",
    "postgresql": "UPDATE behaviour_product AS p SET name = x.name, category = x.category, currency = x.currency,"
    " url = x.url, attributes = x.attributes::jsonb,"
    " price = x.price, stock = x.stock, active = x.active::boolean, upload_id = x.upload_id,"
    " in_catalogue = TRUE FROM json_to_recordset(%s::json) AS x(name text, category text, currency text, url text,"
    " attributes text,"
    " price numeric, stock integer, active integer, upload_id bigint, id bigint) WHERE p.id = x.id",
}
CHANGED = ("name", "category", "currency", "url", "attributes", "price", "stock", "active", "upload_id", "id")
PICTURE = {
    "sqlite": "UPDATE behaviour_product SET image = %s, image_state = '', image_checked_at = NULL WHERE id = %s",
    "postgresql": "UPDATE behaviour_product AS p SET image = x.image, image_state = '', image_checked_at = NULL"
    " FROM json_to_recordset(%s::json) AS x(image text, id bigint) WHERE p.id = x.id",
}


class ProductLoader:
    """Loads products: new ones are made, changed ones follow the file, an empty cell changes nothing."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def observe(self, cleaned: Cleaned) -> None:
        """Nothing has to be remembered."""

    def parts(self, cleaned: Cleaned, after: str) -> Iterator[tuple[pl.DataFrame, str]]:
        """Yield the products in the order of their ids, and the last id of each part."""
        frame = cleaned.frame.filter(pl.col("item_id") > after).sort("item_id")
        frame = frame.select("item_id", *TEXTS, *(pl.col(name).cast(pl.Int64) for name in NUMBERS))
        frame = frame.with_columns(_each("attributes", _attributes))
        for part in frame.iter_slices(PART):
            yield part, part["item_id"][-1]

    def write(self, part: pl.DataFrame) -> int:
        """Make or change the products, keep the history of stock and price, return how many were new or changed.

        Raises
        ------
        django.db.IntegrityError : PostgreSQL, when somebody else made one of the products at this moment.
        """
        known = pl.DataFrame(bulk.fetch(FIND, part["item_id"]), schema=KNOWN, orient="row")
        known = known.with_columns(_each("attributes", _attributes))
        new = part.join(known, on="item_id", how="anti", maintain_order="left")
        noted = product_history.noted(self._upload, known["id"])
        known = product_history.as_noted(known, noted)
        return self._make(new) + self._change(part.join(known, on="item_id", suffix="_was"), noted)

    def _make(self, new: pl.DataFrame) -> int:
        if new.is_empty():
            return 0
        currency = pl.when(pl.col("currency") != "").then("currency").otherwise(pl.lit(Shop.current().currency))
        rows = new.select(
            "name", "category", "url", "image", "stock",
            sku="item_id",
            currency=currency,
            attributes=pl.when(pl.col("attributes") == "").then(pl.lit("{}")).otherwise("attributes"),
            price=pl.col("cents") / 100,
            active=pl.col("active").fill_null(1).cast(pl.Boolean),
            in_catalogue=pl.lit(value=True),
            demo=pl.lit(value=False),
            created_at=_utc_now(),
            upload_id=pl.lit(self._upload.pk),
        )  # fmt: skip
        bulk.insert_frame(Product, rows)
        told = rows.filter(pl.col("stock").is_not_null() | pl.col("price").is_not_null())
        ids = find(Product, told["sku"]).rename({"name": "sku", "id": "product_id"})
        product_history.note_stock(told.select("sku", "stock", "price").join(ids, on="sku"))
        return len(rows)

    def _change(self, both: pl.DataFrame, noted: dict[int, ProductChange]) -> int:
        """Change what differs, or set it aside where everybody sees the product.

        Products of an unfinished upload become this one's, or nobody would see them.
        """
        hidden = list(Upload.hidden_ids())
        said = [_said(name, pl.col(name) != "") for name in TEXTS]
        said += [_said(name, pl.col(name).is_not_null()) for name in NUMBERS]
        owner = pl.when(pl.col("upload_id").is_in(hidden)).then(pl.lit(self._upload.pk)).otherwise("upload_id")
        rows = both.with_columns(*said, upload_id=owner, upload_id_was="upload_id")
        differs = [pl.col(name).ne_missing(pl.col(f"{name}_was")) for name in (*TEXTS, *NUMBERS, "upload_id")]
        rows = rows.filter(pl.any_horizontal(*differs, pl.col("in_catalogue") == 0))
        unseen = pl.col("upload_id_was").is_in(hidden).fill_null(value=False)
        changes = rows.with_columns(in_catalogue=pl.lit(1), in_catalogue_was="in_catalogue")
        product_history.note(changes, self._upload, noted)
        self._write(rows.filter(unseen) if product_history.sets_aside(self._upload) else rows)
        return len(rows)

    def _write(self, rows: pl.DataFrame) -> None:
        rows = rows.with_columns(price=pl.col("cents") / 100)
        kept = pl.when(pl.col("attributes") == "").then(pl.lit("{}")).otherwise("attributes").alias("attributes")
        bulk.change(CHANGE, rows.with_columns(kept).select(CHANGED))
        bulk.change(PICTURE, rows.filter(pl.col("image") != pl.col("image_was")).select("image", "id"))
        moved = rows.filter(pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"{n}_was")) for n in ("cents", "stock")))
        product_history.note_stock(moved.select("stock", "price", product_id="id"))

    def finish(self, beat: Callable[[], None]) -> Counter[str]:
        """Nothing is left to do."""
        return Counter()

    def publish(self) -> Counter[str]:
        """Write what was set aside, inside the transaction that lets everybody see the upload."""
        product_history.publish(self._upload)
        return Counter()


def _said(name: str, given: pl.Expr) -> pl.Expr:
    return pl.when(given).then(pl.col(name)).otherwise(pl.col(f"{name}_was")).alias(name)


def _each(name: str, change: Callable[[str], str]) -> pl.Expr:
    """Change texts, equal ones once."""
    return pl.col(name).map_batches(
        lambda texts: texts.replace_strict(
            (known := texts.unique()), pl.Series([change(text) for text in known], dtype=pl.String)
        ),
        return_dtype=pl.String,
    )


def _attributes(text: str) -> str:
    """Return attributes as JSON of one form, so that equal ones are equal: {name: value}; other text is tags."""
    if text in ("", "{}"):
        return ""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {"tags": [tag.strip() for tag in re.split(r"[,;|]", text) if tag.strip()]}
    return json.dumps(said, sort_keys=True, ensure_ascii=False)


def _utc_now() -> pl.Expr:
    return pl.lit(now()).dt.convert_time_zone("UTC")
