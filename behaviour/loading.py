"""Clean rows into the database, a chunk at a time, inside the caller's transaction. Each loads a row once, ever."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
from django.db.models import Model
from django.utils.timezone import now

from behaviour import bulk
from behaviour.core.cleaning import Cleaned
from behaviour.models import Event, Product, Shop, Shopper, StockChange, Upload, new_pseudonym

BATCH = 5000
# Ids kept in memory between chunks; above it the map starts again.
MOST_KNOWN = 200_000


class Ids:
    """The ids of things by the shop's own name for them; missing ones are made, set-based."""

    def __init__(self, model: type[Model], field: str, upload: Upload) -> None:
        self._model, self._field, self._upload = model, field, upload
        self._known: dict[str, int] = {}

    def of(self, names: Iterable[str]) -> dict[str, int]:
        """Return name -> id of all these names."""
        wanted = sorted({name for name in names if name} - self._known.keys())
        if len(self._known) > MOST_KNOWN:
            self._known = {}
            wanted = sorted({name for name in names if name})
        self._look_up(wanted)
        missing = [name for name in wanted if name not in self._known]
        if missing:
            bulk.insert(self._model, {self._field: missing, **self._defaults(len(missing))})
            self._look_up(missing)
        return self._known

    def _look_up(self, names: Sequence[str]) -> None:
        rows = self._model._default_manager.filter(**{f"{self._field}__in": names})
        self._known.update(rows.values_list(self._field, "pk"))

    def _defaults(self, n: int) -> dict[str, list[Any]]:
        if self._model is Shopper:
            return shopper_columns(n, self._upload.pk)
        return product_columns(n, self._upload.pk)


def shopper_columns(n: int, upload_id: int) -> dict[str, list[Any]]:
    """Return the columns of ``n`` new shoppers about whom nothing is known."""
    empty = [""] * n
    return {
        "pseudonym": [new_pseudonym() for _number in range(n)],
        "locale": empty,
        "timezone": empty,
        "country": empty,
        "marketing": ["unknown"] * n,
        "demo": [False] * n,
        "created_at": [now()] * n,
        "upload": [upload_id] * n,
    }


def product_columns(n: int, upload_id: int) -> dict[str, list[Any]]:
    """Return the columns of ``n`` new products of which only the code is known."""
    empty = [""] * n
    return {
        "name": empty,
        "category": empty,
        "currency": [Shop.current().currency] * n,
        "url": empty,
        "image": empty,
        "active": [True] * n,
        "in_catalogue": [False] * n,
        "demo": [False] * n,
        "created_at": [now()] * n,
        "upload": [upload_id] * n,
    }


class EventLoader:
    """Loads events; at the end names and prices new products and places new shoppers by what the file said of them."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._shoppers = Ids(Shopper, "external_id", upload)
        self._products = Ids(Product, "sku", upload)
        self._said: dict[str, list[pl.DataFrame]] = {"name": [], "each": [], "country": []}

    def observe(self, cleaned: Cleaned) -> None:
        """Remember what the rows say about products and shoppers; asked of every chunk, loaded before or not."""
        bought = cleaned.frame.filter(pl.col("kind").is_in(["purchase", "refund"]))
        for about, what in (("item_id", "name"), ("item_id", "each"), ("user_id", "country")):
            rows = bought.filter(pl.col(what).is_not_null() & (pl.col(about) != ""))
            if what != "each":
                rows = rows.filter(pl.col(what) != "")
            if len(rows):
                # A return says something only about what was never bought in this file.
                counted = rows.group_by(about, what, maintain_order=True).agg(len=(pl.col("kind") == "purchase").sum())
                self._said[what].append(counted)
                if len(self._said[what]) > 50:
                    self._said[what] = [_summed(self._said[what])]

    def load(self, cleaned: Cleaned) -> int:
        """Insert the events that are not there yet, sorted by key, and return how many."""
        frame = cleaned.frame.sort("key")
        keys = [UUID(bytes=key) for key in frame["key"]]
        known = set(Event.objects.filter(dedupe_key__in=keys).values_list("dedupe_key", flat=True))
        fresh = [at for at, key in enumerate(keys) if key not in known]
        if not fresh:
            return 0
        frame, keys = frame[fresh], [keys[at] for at in fresh]
        shoppers = self._shoppers.of(frame["user_id"].to_list())
        products = self._products.of(frame["item_id"].to_list())
        return bulk.insert(
            Event,
            {
                "shopper": [shoppers[name] for name in frame["user_id"]],
                "kind": frame["kind"].to_list(),
                "product": [products.get(name) for name in frame["item_id"]],
                "at": frame["at"].to_list(),
                "quantity": frame["quantity"].to_list(),
                "amount": [None if cents is None else Decimal(cents).scaleb(-2) for cents in frame["cents"]],
                "order_ref": frame["order_id"].to_list(),
                "message": [_uuid(text) for text in frame["message_id"]],
                "dedupe_key": keys,
                "upload": [self._upload.pk] * len(keys),
            },
        )

    def finish(self) -> None:
        """Fill in what is still empty: a product's most frequent name and median price, a shopper's country."""
        names, prices, countries = (_summed(self._said[what]) for what in ("name", "each", "country"))
        self._fill(Product, "sku", "name", _most_frequent(names, "name"))
        self._fill(Product, "sku", "price", _medians(prices))
        self._fill(Shopper, "external_id", "country", _most_frequent(countries, "country"))

    def _fill(self, model: type[Model], key: str, field: str, values: dict[str, Any]) -> None:
        names = sorted(values)
        empty = {field: None} if field == "price" else {field: ""}
        for start in range(0, len(names), BATCH):
            rows = list(
                model._default_manager.filter(**{f"{key}__in": names[start : start + BATCH]}, **empty).only("pk", key)
            )
            for row in rows:
                setattr(row, field, values[getattr(row, key)])
            model._default_manager.bulk_update(rows, [field], batch_size=500)


def _summed(parts: list[pl.DataFrame]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame()
    frame = pl.concat(parts)
    return frame.group_by(frame.columns[:2], maintain_order=True).agg(pl.col("len").sum())


def _most_frequent(counted: pl.DataFrame, what: str) -> dict[str, str]:
    """Return the value that each thing has most often; the first one where several do."""
    if counted.is_empty():
        return {}
    about = counted.columns[0]
    best = counted.sort("len", descending=True, maintain_order=True).unique(about, keep="first", maintain_order=True)
    limit = Product._meta.get_field("name").max_length if what == "name" else 60
    return {name: value[:limit] for name, value in best.select(about, what).rows()}


def _medians(counted: pl.DataFrame) -> dict[str, Decimal]:
    if counted.is_empty():
        return {}
    weight = pl.when(pl.col("len").sum().over("item_id") == 0).then(1).otherwise(pl.col("len"))
    each = counted.with_columns(pl.col("each").repeat_by(weight)).explode("each")
    rows = each.group_by("item_id").agg(pl.col("each").median()).rows()
    return {name: Decimal(str(round(price, 2))) for name, price in rows}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


class ProductLoader:
    """Loads products: new ones are made, changed ones follow the file, an empty cell changes nothing."""

    FIELDS = ("name", "category", "price", "currency", "url", "image", "stock", "active")

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def observe(self, cleaned: Cleaned) -> None:
        """Nothing has to be remembered."""

    def load(self, cleaned: Cleaned) -> int:
        """Make or change the products, keep the history of stock and price, return how many were new or changed."""
        rows = {row["item_id"]: _product_fields(row) for row in cleaned.frame.sort("item_id").iter_rows(named=True)}
        there = {row.sku: row for row in Product.objects.filter(sku__in=rows)}
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
        Product.objects.bulk_create(new, ignore_conflicts=True)
        Product.objects.bulk_update(changed, self.FIELDS, batch_size=200)
        self._history(new, moved)
        return len(new) + len(changed)

    def _history(self, new: list[Product], moved: list[Product]) -> None:
        ids = dict(Product.objects.filter(sku__in=[row.sku for row in new]).values_list("sku", "pk"))
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
    return fields | {name: row[name] for name in ("stock", "active") if row[name] is not None}
