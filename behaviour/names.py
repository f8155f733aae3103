"""Ids of shoppers and products by the shop's own names for them, a block of names at a time."""

from collections.abc import Callable, Iterable

import polars as pl
from django.db import transaction
from django.utils.timezone import now

from behaviour import bulk
from behaviour.models import Product, Shop, Shopper, Upload, new_pseudonyms

# Names kept in memory between blocks (about 10 MB); above it the map starts again.
MOST_KNOWN = 150_000
BATCH = 5000
SCHEMA = {"name": pl.String, "id": pl.Int64}
# Who was merged is found under the name of old.
FIND = {
    Shopper: "SELECT external_id, COALESCE(merged_into_id, id) FROM behaviour_shopper WHERE external_id IN {many}",
    Product: "SELECT sku, id FROM behaviour_product WHERE sku IN {many}",
}
Model = type[Shopper] | type[Product]


def find(model: Model, names: pl.Series) -> pl.DataFrame:
    """Return ``name`` and ``id`` of those that exist; one query."""
    rows = bulk.fetch(FIND[model], names) if len(names) else []
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


class Names:
    """Finds ids and makes what is missing. Ids are remembered from block to block, in memory that stays bounded."""

    def __init__(self, model: Model, make: Callable[[pl.Series], object]) -> None:
        self._model, self._make = model, make
        self._known = pl.DataFrame(schema=SCHEMA)

    def forget(self) -> None:
        """Look everything up again from now on."""
        self._known = self._known.clear()

    def ids(self, names: pl.Series) -> pl.DataFrame:
        """Return ``name`` and ``id`` of all these names but "", each once."""
        wanted = pl.DataFrame({"name": names.unique()}).filter(pl.col("name") != "")
        # The few that are wanted are looked for among the many that are known; the other way costs ten times as much.
        known = self._known.join(wanted, on="name")
        missing = wanted.join(known, on="name", how="anti")["name"].sort()
        if len(self._known) + len(missing) > MOST_KNOWN:
            self.forget()
            known, missing = self._known, wanted["name"].sort()
        found = find(self._model, missing)
        new = pl.DataFrame({"name": missing}).join(found, on="name", how="anti")["name"].sort()
        if len(new):
            for part in new.to_frame().iter_slices(BATCH):
                # Without a transaction around them, SQLite commits each row.
                with transaction.atomic():
                    self._make(part["name"])
            found = pl.concat([found, find(self._model, new)])
        self._known = pl.concat([self._known, found])
        return pl.concat([known, found])


def adopt(model: Model, ids: Iterable[int], upload: Upload) -> None:
    """Let shoppers or products of unfinished uploads be this upload's own, or nobody would see them."""
    if unfinished := list(Upload.hidden_ids().exclude(pk=upload.pk)):
        model._base_manager.filter(pk__in=list(ids), upload__in=unfinished).update(upload=upload)


def new_shoppers(upload: Upload) -> Names:
    """Return what finds shoppers and makes those that the file is the first to name."""
    return Names(Shopper, lambda names: bulk.insert_frame(Shopper, _shopper_rows(names, upload.pk)))


def new_products(upload: Upload) -> Names:
    """Return what finds products and makes those that no catalogue has named yet."""
    return Names(Product, lambda names: bulk.insert_frame(Product, _product_rows(names, upload.pk)))


def _shopper_rows(names: pl.Series, upload_id: int) -> pl.DataFrame:
    """Return rows of new shoppers about whom nothing but the name is known."""
    return pl.DataFrame({"external_id": names}).with_columns(
        pl.Series("pseudonym", new_pseudonyms(len(names))),
        *(pl.lit("").alias(name) for name in ("locale", "timezone", "country")),
        marketing=pl.lit("unknown"),
        demo=pl.lit(value=False),
        created_at=pl.lit(now()).dt.convert_time_zone("UTC"),
        upload_id=pl.lit(upload_id),
    )


def _product_rows(names: pl.Series, upload_id: int) -> pl.DataFrame:
    """Return rows of new products that no catalogue has named yet."""
    return pl.DataFrame({"sku": names}).with_columns(
        *(pl.lit("").alias(name) for name in ("name", "category", "url", "image")),
        currency=pl.lit(Shop.current().currency),
        active=pl.lit(value=True),
        in_catalogue=pl.lit(value=False),
        demo=pl.lit(value=False),
        created_at=pl.lit(now()).dt.convert_time_zone("UTC"),
        upload_id=pl.lit(upload_id),
    )
