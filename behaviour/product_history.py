"""What files and the API changed of products, and the way back when a file is undone."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from django.db import transaction
from django.utils.timezone import now

from behaviour import bulk
from behaviour.models import Product, ProductChange, StockChange, Upload

# As the loader of products names them: cents, not price; attributes as JSON text; numbers for yes and no.
FIELDS = (
    "name", "category", "currency", "url", "image", "attributes", "cents", "stock", "active", "in_catalogue",
)  # fmt: skip
# SQLite has one writer, for which everybody else waits: a part takes a fifth of a second.
BATCH = 1_000
RESTORE = {
    "sqlite": "UPDATE behaviour_product SET name = %s, category = %s, currency = %s, url = %s, image = %s,"
    " attributes = %s, price = %s, stock = %s, active = %s, in_catalogue = %s, image_state = %s WHERE id = %s",
    "postgresql": "UPDATE behaviour_product AS p SET name = x.name, category = x.category, currency = x.currency,"
    " url = x.url, image = x.image, attributes = x.attributes::jsonb, price = x.price, stock = x.stock,"
    " active = x.active::boolean, in_catalogue = x.in_catalogue::boolean, image_state = x.image_state"
    " FROM json_to_recordset(%s::json) AS x(name text, category text, currency text, url text, image text,"
    " attributes text, price numeric, stock integer, active integer, in_catalogue integer, image_state text,"
    " id bigint) WHERE p.id = x.id",
}
RESTORED = {
    **dict.fromkeys(("name", "category", "currency", "url", "image", "attributes"), pl.String),
    "price": pl.Float64,
    **dict.fromkeys(("stock", "active", "in_catalogue"), pl.Int64),
    "image_state": pl.String,
    "id": pl.Int64,
}
Values = dict[str, Any]


def note(rows: pl.DataFrame, upload: Upload) -> None:
    """Keep what changes of products: ``rows`` has id, the FIELDS and each of them with ``_was``."""
    kept = []
    for row in rows.iter_rows(named=True):
        names = [name for name in FIELDS if row[name] != row[f"{name}_was"]]
        before, after = ({name: row[f"{name}{end}"] for name in names} for end in ("_was", ""))
        if names:
            kept.append((row["id"], upload.pk, json.dumps(before), json.dumps(after)))
    schema = {"product_id": pl.Int64, "upload_id": pl.Int64, "before": pl.String, "after": pl.String}
    frame = pl.DataFrame(kept, schema=schema, orient="row")
    bulk.insert_frame(ProductChange, frame.with_columns(at=pl.lit(now()).dt.convert_time_zone("UTC")))


def restore(upload: Upload, beat: Callable[[], None]) -> int:
    """Give products back what an upload changed, where nothing newer changed it; return how many got something back.

    In short transactions, the newest change first; what is given back is forgotten with it, so that a killed run goes
    on where it was.
    """
    restored: set[int] = set()
    changes = ProductChange.objects.filter(upload=upload).order_by("-pk")
    while True:
        with transaction.atomic():
            some = list(changes[:BATCH])
            if not some:
                return len(restored)
            restored |= _restore(some, upload)
            ProductChange.objects.filter(pk__in=[one.pk for one in some]).delete()
        beat()


def _restore(changes: Sequence[ProductChange], upload: Upload) -> set[int]:
    """Undo some changes, newest first, and return the ids of products that changed by that."""
    ids = {one.product_id for one in changes}
    products = {one.pk: one for one in Product.everything.select_for_update().filter(pk__in=ids).order_by("pk")}
    values = {pk: _values(product) for pk, product in products.items()}
    was = {pk: dict(known) for pk, known in values.items()}
    newer = _newer(changes, upload)
    passed_on = set()
    for change in changes:
        for name, before in change.before.items():
            # Who changed it next would give it back to what is undone now: that one gets what was before both.
            follower = next((n for n in newer[change.product_id] if n.pk > change.pk and name in n.before), None)
            if follower is None:
                if values[change.product_id][name] == change.after[name]:
                    values[change.product_id][name] = before
            elif follower.before[name] == change.after[name]:
                follower.before[name] = before
                passed_on.add(follower)
    ProductChange.objects.bulk_update(passed_on, ["before"], batch_size=BATCH)
    changed = {pk: known for pk, known in values.items() if known != was[pk]}
    _write(changed, was, products)
    return set(changed)


def _newer(changes: Sequence[ProductChange], upload: Upload) -> dict[int, list[ProductChange]]:
    """Return what others changed of these products after the oldest of the changes, by product, oldest first."""
    ids = {one.product_id for one in changes}
    found: dict[int, list[ProductChange]] = defaultdict(list)
    rows = ProductChange.objects.filter(product_id__in=ids, pk__gt=min(one.pk for one in changes))
    for row in rows.order_by("pk"):
        if row.upload_id != upload.pk:
            found[row.product_id].append(row)
    return found


def _values(product: Product) -> Values:
    attributes = json.dumps(product.attributes, sort_keys=True, ensure_ascii=False) if product.attributes else ""
    return {
        **{name: getattr(product, name) for name in ("name", "category", "currency", "url", "image", "stock")},
        "attributes": attributes,
        "cents": None if product.price is None else round(product.price * 100),
        "active": int(product.active),
        "in_catalogue": int(product.in_catalogue),
    }


def _write(changed: dict[int, Values], was: dict[int, Values], products: dict[int, Product]) -> None:
    rows = [
        {
            **{name: value for name, value in known.items() if name in RESTORED},
            "attributes": known["attributes"] or "{}",
            "price": None if known["cents"] is None else known["cents"] / 100,
            # Another picture has not been looked at yet.
            "image_state": products[pk].image_state if known["image"] == was[pk]["image"] else "",
            "id": pk,
        }
        for pk, known in changed.items()
    ]
    frame = pl.DataFrame(rows, schema=RESTORED, orient="row")
    bulk.change(RESTORE, frame)
    moved = [pk for pk, known in changed.items() if any(known[n] != was[pk][n] for n in ("cents", "stock"))]
    note_stock(frame.filter(pl.col("id").is_in(moved)).select("stock", "price", product_id="id"))


def note_stock(rows: pl.DataFrame) -> None:
    """Keep stock and price of products (product_id, stock, price) from now on."""
    at = pl.lit(now()).dt.convert_time_zone("UTC")
    bulk.insert_frame(StockChange, rows.select("product_id", "stock", "price", at=at))
