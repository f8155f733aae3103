"""What files and the API change of products: noted, set aside until a file is published, and given back by its undo."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils.timezone import now

from behaviour import bulk
from behaviour.going_back import go_back, waits
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
# What a change says of a field, or else what the product has. Own products were written at once.
SAYS = {"sqlite": "json_extract(c.after, '$.{}')", "postgresql": "(c.after->>'{}')"}
TEXT = {"sqlite": "{}", "postgresql": "CAST({} AS jsonb)"}
PUBLISH = (
    "UPDATE behaviour_product SET name = COALESCE({name}, behaviour_product.name),"
    " category = COALESCE({category}, category), currency = COALESCE({currency}, currency),"
    " url = COALESCE({url}, url), image = COALESCE({image}, image),"
    " image_state = CASE WHEN {image} IS NULL THEN image_state ELSE '' END,"
    " image_checked_at = CASE WHEN {image} IS NULL THEN image_checked_at END,"
    " attributes = COALESCE({attributes}, attributes), price = COALESCE(CAST({cents} AS numeric) / 100.0, price),"
    " stock = COALESCE(CAST({stock} AS integer), stock),"
    " active = COALESCE(CAST(CAST({active} AS integer) AS boolean), active),"
    " in_catalogue = COALESCE(CAST(CAST({in_catalogue} AS integer) AS boolean), in_catalogue)"
    " FROM behaviour_productchange AS c WHERE c.product_id = behaviour_product.id AND c.upload_id = %s"
    " AND (behaviour_product.upload_id IS NULL OR behaviour_product.upload_id <> c.upload_id)"
)
PUBLISH_STOCK = (
    "INSERT INTO behaviour_stockchange (product_id, at, stock, price) SELECT p.id, %s, p.stock, p.price"
    " FROM behaviour_productchange AS c JOIN behaviour_product AS p ON p.id = c.product_id WHERE c.upload_id = %s"
    " AND (p.upload_id IS NULL OR p.upload_id <> c.upload_id) AND ({cents} IS NOT NULL OR {stock} IS NOT NULL)"
)
Values = dict[str, Any]


def sets_aside(upload: Upload) -> bool:
    """Say whether products that everybody sees must wait for the upload; without one they change at once."""
    return upload.pk is not None and waits(upload)


def noted(upload: Upload, product_ids: Iterable[int]) -> dict[int, ProductChange]:
    """Return product id -> what this upload changed of it before."""
    if upload.pk is None:
        return {}
    return {one.product_id: one for one in ProductChange.objects.filter(upload=upload, product__in=list(product_ids))}


def as_noted(products: pl.DataFrame, changes: dict[int, ProductChange]) -> pl.DataFrame:
    """Let products (id and the FIELDS) be as they will be with what was noted."""
    if not changes:
        return products
    rows = [{"id": pk, **dict.fromkeys(FIELDS)} | one.after for pk, one in changes.items()]
    said = pl.DataFrame(rows, schema={name: products.schema[name] for name in ("id", *FIELDS)})
    return products.update(said, on="id", how="left")


def note(rows: pl.DataFrame, upload: Upload, changes: dict[int, ProductChange]) -> None:
    """Keep what changes of products: ``rows`` has id, the FIELDS and each of them with ``_was``.

    What the upload changed of them before, ``changes``, becomes one with it.
    """
    kept = []
    for row in rows.iter_rows(named=True):
        names = [name for name in FIELDS if row[name] != row[f"{name}_was"]]
        before, after = ({name: row[f"{name}{end}"] for name in names} for end in ("_was", ""))
        if names:
            kept.append((row["id"], before, after))
    note_all(kept, upload, changes)


def note_all(said: Iterable[tuple[int, Values, Values]], upload: Upload, changes: dict[int, ProductChange]) -> None:
    """Keep (product id, fields before, fields after), as one with what the upload changed before."""
    rows, over = [], []
    for pk, before, after in said:
        if pk in changes:
            over.append(changes[pk].pk)
        first, so_far = (changes[pk].before, changes[pk].after) if pk in changes else ({}, {})
        rows.append((pk, upload.pk, json.dumps(before | first), json.dumps(so_far | after)))
    ProductChange.objects.filter(pk__in=over).delete()
    schema = {"product_id": pl.Int64, "upload_id": pl.Int64, "before": pl.String, "after": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    bulk.insert_frame(ProductChange, frame.with_columns(at=pl.lit(now()).dt.convert_time_zone("UTC")))


def publish(upload: Upload) -> None:
    """Write what was set aside; inside the transaction that publishes the upload. Some statements for all products."""
    if not ProductChange.objects.filter(upload=upload).exists():
        return
    _renew(upload)
    says = {name: SAYS[connection.vendor].format(name) for name in FIELDS}
    emptied = f"CASE WHEN {says['attributes']} = '' THEN '{{}}' ELSE {says['attributes']} END"
    written = says | {"attributes": TEXT[connection.vendor].format(emptied)}
    at = connection.ops.adapt_datetimefield_value(now())
    with connection.cursor() as cursor:
        cursor.execute(PUBLISH.format(**written), [upload.pk])
        cursor.execute(PUBLISH_STOCK.format(**says), [at, upload.pk])


def _renew(upload: Upload) -> None:
    """Let what was set aside stand upon what the shop's programs changed meanwhile."""
    later = ProductChange.objects.filter(product=OuterRef("product"), pk__gt=OuterRef("pk")).exclude(upload=upload)
    rows = ProductChange.objects.filter(Exists(later), upload=upload).select_related("product")
    old = list(rows.exclude(product__upload=F("upload")))
    said = [(one.product_id, {name: _values(one.product)[name] for name in one.after}, one.after) for one in old]
    ProductChange.objects.filter(pk__in=[one.pk for one in old]).delete()
    note_all(said, upload, {})


def restore(upload: Upload, beat: Callable[[], None]) -> int:
    """Give products back what an upload changed, where nothing newer changed it; return how many got something back.

    In short transactions, the newest change first; what is given back is forgotten with it, so that a killed run goes
    on where it was.
    """
    restored: set[int] = set()
    if waits(upload):
        # What was only set aside has changed nothing.
        rows = ProductChange.objects.filter(upload=upload).exclude(product__upload=upload)
        rows.delete()
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
    passed_on = {
        one for change in changes for one in go_back(change, values[change.product_id], newer[change.product_id])
    }
    ProductChange.objects.bulk_update(passed_on, ["before"], batch_size=BATCH)
    changed = {pk: known for pk, known in values.items() if known != was[pk]}
    _write(changed, was, products)
    return set(changed)


def _newer(changes: Sequence[ProductChange], upload: Upload) -> dict[int, list[ProductChange]]:
    """Return what others changed of these products after the oldest of the changes, by product, oldest first."""
    ids = {one.product_id for one in changes}
    found: dict[int, list[ProductChange]] = defaultdict(list)
    rows = ProductChange.objects.filter(product_id__in=ids, pk__gt=min(one.pk for one in changes))
    for row in rows.select_related("upload").order_by("pk"):
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
