"""Keeps what a piece of each product usually costs (UsualPrice), and says whose profile that changes."""

from collections.abc import Iterable

import polars as pl
from django.db import transaction

from behaviour import turns
from behaviour.models import Event, Product
from segments import reading
from segments.core import deeds, prices
from segments.models import UsualPrice

# More products than this, and reading all purchases is faster than looking for theirs.
MANY = 2000
BATCH = 1000
PURCHASES = "e.kind = 'purchase' AND e.product_id IS NOT NULL"
# Counts of parts are added up when there are so many rows of them.
HELD_ROWS = 2_000_000


class Counter:
    """Counts lines by product and price while events are read, part by part."""

    def __init__(self) -> None:
        self.parts: list[pl.DataFrame] = []
        self.held = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Count the purchases among these deeds."""
        found = prices.price_counts(prices.priced(deeds.purchases(rows)))
        self.parts.append(found)
        self.held += len(found)
        if self.held > HELD_ROWS:
            self.parts = [prices.added(self.parts)]
            self.held = 0

    def usual(self) -> pl.DataFrame:
        """Return product and usual (cents) of all that was counted."""
        return prices.usual_prices(prices.added([NOTHING, *self.parts]))


NOTHING = pl.DataFrame(schema={"product": pl.Int64, "piece": pl.Int64, "n": pl.Int64})


def stored() -> pl.DataFrame:
    """Return product and usual (cents) as they are kept."""
    cents = "(price * 100)::int8" if reading.postgres() else "cast(round(price * 100) AS integer)"
    sql = f"SELECT product_id, {cents} FROM segments_usualprice"  # noqa: S608 names of our own
    return reading.table(sql, (), {"product": pl.Int64, "usual": pl.Int64})


def renew(products: Iterable[int] | None) -> pl.DataFrame:
    """Read the prices of these products anew, or of all, and return what is kept then and, as ``before``, was."""
    wanted = None if products is None else sorted(products)
    if wanted is not None and len(wanted) > MANY:
        wanted = None
    before = stored()
    if wanted == []:
        return before.with_columns(before=pl.col("usual"))
    counter = Counter()
    only, values = (PURCHASES, ()) if wanted is None else (f"{PURCHASES} AND e.product_id IN {{many}}", tuple(wanted))
    for block in reading.events(only=only, values=values):
        counter.add(deeds.unpacked(block()))
    return keep(counter.usual(), before, within=wanted)


def keep(usual: pl.DataFrame, before: pl.DataFrame, within: list[int] | None = None) -> pl.DataFrame:
    """Write the prices that changed, of these products or of all; return product, usual, before (null: none)."""
    both = before.rename({"usual": "before"}).join(usual, on="product", how="full", coalesce=True)
    if within is not None:
        untouched = ~pl.col("product").is_in(within)
        both = both.with_columns(pl.when(untouched).then(pl.col("before")).otherwise(pl.col("usual")).alias("usual"))
    changed = both.filter(~pl.col("usual").eq_missing(pl.col("before")))
    for part in changed.iter_slices(BATCH):
        _write(part)
    return both.sort("product")


@transaction.atomic
def _write(changed: pl.DataFrame) -> None:
    # A product that was removed meanwhile keeps no price.
    turns.hold()
    wanted = dict(changed.select("product", "usual").iter_rows())
    existing = Product.everything.filter(pk__in=wanted).values_list("pk", flat=True)
    UsualPrice.objects.filter(pk__in=[pk for pk, cents in wanted.items() if cents is None]).delete()
    UsualPrice.objects.bulk_create(
        [UsualPrice(product_id=pk, price=cents / 100) for pk in existing if (cents := wanted[pk]) is not None],
        update_conflicts=True, unique_fields=["product"], update_fields=["price"],
    )  # fmt: skip


def buyers(prices_now: pl.DataFrame) -> set[int]:
    """Return who bought something whose usual price changed: her share of discounts may be another now."""
    changed = prices_now.filter(~pl.col("usual").eq_missing(pl.col("before")))["product"].to_list()
    found: set[int] = set()
    for start in range(0, len(changed), BATCH):
        bought = Event.objects.filter(kind=Event.Kind.PURCHASE, product_id__in=changed[start : start + BATCH])
        found.update(bought.order_by().values_list("shopper_id", flat=True).distinct())
    return found
