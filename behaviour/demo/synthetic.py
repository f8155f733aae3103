"""Write a synthetic shop (behaviour.core.synthetic) into the database, block by block."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import polars as pl
from django.db import connection, transaction
from django.utils import timezone

from behaviour import bulk, consent, identity, turns
from behaviour.core import synthetic as core
from behaviour.core import synthetic_days as core_days
from behaviour.demo import pictures
from behaviour.demo.lookup import ids_of
from behaviour.models import Consent, Event, Identity, Product, Shopper, new_pseudonyms
from mailai.errors import InputError, StateError

BLOCK = 100_000
PREFIX = "made-"
# Keys of events and mails: UUIDs that begin like this and count in their second half.
KEY_START = "6d61646500008000"
FIRST_KEY, FIRST_OPEN, FIRST_MAIL = 0x8000_0000_0000_0000, 0x9000_0000_0000_0000, 0xA000_0000_0000_0000
ROOTS = (
    "Kitchen",
    "Garden",
    "Bags",
    "Toys",
    "Candles",
    "Stationery",
    "Clothes",
    "Sports",
    "Books",
    "Beauty",
    "Pets",
    "Home",
)
MAILABLE = 0.9
# What shoppers and products are drawn from is kept in memory, some 100 bytes each.
MOST = {"shoppers": 20_000_000, "products": 2_000_000, "events": 1_000_000_000, "opens": 1_000_000_000}


@dataclass(frozen=True)
class Made:
    """What a synthetic shop holds."""

    shoppers: int
    products: int
    events: int
    seed: int
    seconds: float


def make_shop(
    *, shoppers: int, products: int, events: int, opens: int = 0, seed: int = 0, add: bool = False,
    now: datetime | None = None,
) -> Made:  # fmt: skip
    """Make a shop whose year ends yesterday; the same numbers and seed give the same rows.

    ``opens`` are events email_open beside the others; each names a mail of its shopper, that no campaign sent.

    Raises
    ------
    StateError : there are real shoppers, and ``add`` was not given.
    InputError : a count is out of range.
    """
    if min(shoppers, products, events) < 1:
        raise InputError("A shop needs at least one shopper, one product and one event.")
    if opens < 0:
        raise InputError("There can't be fewer than no opened mails.")
    for name, n in (("shoppers", shoppers), ("products", products), ("events", events), ("opens", opens)):
        if n > MOST[name]:
            raise InputError(f"At most {MOST[name]:,} {name} can be made; {n:,} were asked for.")
    if not add and Shopper.objects.filter(demo=False).exists():
        raise StateError("This database holds real shoppers. Use an empty one, or say --add to mix them.")
    started, end = time.monotonic(), (now or timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = end - timedelta(days=core.DAYS)
    rng = np.random.default_rng(seed)
    shop = core.tastes(shoppers, products, rng)
    product_ids = _products(shop, end)
    shopper_ids = _shoppers(shop, first_day, end)
    _identities(shopper_ids, end)
    ids = {"shopper_ids": shopper_ids, "product_ids": product_ids}
    n_orders = 0
    with bulk.long_load():
        for start, size, span in _blocks(events):
            _insert(_deeds(core_days.deeds(shop, size, n_orders, rng, span=span), first_day, **ids), FIRST_KEY + start)
            n_orders += core_days.orders_of(size)
        for start, size, span in _blocks(opens):
            _insert(_opens(core_days.opens(shop, size, rng, span=span), first_day, shopper_ids), FIRST_OPEN + start)
    made = Event.objects.filter(shopper__external_id__startswith=PREFIX).count()
    return Made(shoppers, products, made, seed, round(time.monotonic() - started, 1))


def _blocks(n: int) -> Iterator[tuple[int, int, tuple[float, float]]]:
    """Cut n events into blocks that follow each other in time: (first, size, part of the year's trade)."""
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        yield start, size, (start / n, (start + size) / n)


def _products(shop: core.Tastes, at: datetime) -> np.ndarray:
    n, picture = len(shop.product_taste), pictures.store_picture("gift", "indigo")
    roots = [ROOTS[taste] for taste in shop.product_taste.tolist()]
    skus = [f"{PREFIX}{number}" for number in range(n)]
    frame = pl.DataFrame(
        {
            "sku": skus,
            "name": [f"{root} no. {number + 1}" for number, root in enumerate(roots)],
            "category": [f"{root} > Range {number % 7 + 1}" for number, root in enumerate(roots)],
            "price": shop.price_pence / 100,
            "url": [f"https://made.example/{sku}" for sku in skus],
            "stock": [0 if number % 25 == 24 else 100 for number in range(n)],
            "attributes": [f'{{"brand": "{root[:3]}wick {number % 5 + 1}"}}' for number, root in enumerate(roots)],
        }
    ).with_columns(
        currency=pl.lit("GBP"),
        image=pl.lit(picture),
        active=True,
        demo=True,
        created_at=pl.lit(at.replace(tzinfo=None)),
    )
    _insert_new(Product, "sku", frame)
    return _ids(Product, n)


def _shoppers(shop: core.Tastes, first_day: datetime, at: datetime) -> np.ndarray:
    n = len(shop.activity)
    frame = pl.DataFrame(
        {
            "pseudonym": new_pseudonyms(n),
            "external_id": [f"{PREFIX}{number}" for number in range(n)],
        }
    ).with_columns(
        locale=pl.lit("en-GB"), timezone=pl.lit("Europe/London"), country=pl.lit("United Kingdom"),
        signed_up_at=pl.lit(first_day.replace(tzinfo=None)), marketing=pl.lit("unknown"), demo=True,
        created_at=pl.lit(at.replace(tzinfo=None)),
    )  # fmt: skip
    _insert_new(Shopper, "external_id", frame)
    return _ids(Shopper, n)


def _insert_new(model: type[Product] | type[Shopper], key: str, frame: pl.DataFrame) -> None:
    """Insert the rows whose key is not there yet, block by block."""
    rows = model.everything.filter(**{f"{key}__startswith": PREFIX}).values_list(key, flat=True)
    known = pl.Series(list(rows), dtype=pl.String)
    for part in frame.filter(~pl.col(key).is_in(known.implode())).iter_slices(bulk.BATCH):
        with transaction.atomic():
            bulk.insert_frame(model, part)


def _ids(model: type[Product] | type[Shopper], n: int) -> np.ndarray:
    """Return the ids by number."""
    ids = ids_of(model, [f"{PREFIX}{number}" for number in range(n)])
    return np.array([ids[f"{PREFIX}{number}"] for number in range(n)], dtype=np.int64)


def _identities(shopper_ids: np.ndarray, at: datetime) -> None:
    """Give addresses to all and consent to most, a block at a time."""
    for start in range(0, len(shopper_ids), bulk.BATCH):
        numbers = range(start, min(start + bulk.BATCH, len(shopper_ids)))
        ids = {int(shopper_ids[number]): number for number in numbers}
        known = set(Identity.objects.filter(shopper_id__in=ids).values_list("shopper_id", flat=True))
        new = [(pk, number) for pk, number in ids.items() if pk not in known]
        identity.save_identities(
            [
                {"shopper_id": pk, "email": f"made-{number}@made.example", "first_name": f"Made {number}"}
                for pk, number in new
            ]
        )
        willing = [pk for pk, number in new if number % 100 < MAILABLE * 100]
        consent.give(willing, Consent.Purpose.MARKETING, source="make_shop", at=at)


def _deeds(
    made: core_days.Deeds, first_day: datetime, *, shopper_ids: np.ndarray, product_ids: np.ndarray
) -> pl.DataFrame:
    """Return a block of events as the table has them, without their keys."""
    pence, order = pl.col("pence"), pl.col("order")
    frame = pl.DataFrame(
        {
            "shopper_id": shopper_ids[made.shopper],
            "kind": made.kind,
            "product_id": product_ids[made.product],
            "minute": made.minute,
            "quantity": made.quantity,
            "pence": made.pence,
            "order": made.order,
        }
    )
    return frame.select(
        "shopper_id", "kind", "product_id", _at(first_day), "quantity",
        pl.when(pence >= 0).then(pence / 100).alias("amount"),
        pl.when(order >= 0).then(pl.format(f"{PREFIX}{{}}", order)).otherwise(pl.lit("")).alias("order_ref"),
    )  # fmt: skip


def _opens(made: core_days.Opens, first_day: datetime, shopper_ids: np.ndarray) -> pl.DataFrame:
    """Return a block of opened mails as the table has them, without their keys."""
    frame = pl.DataFrame({"shopper_id": shopper_ids[made.shopper], "minute": made.minute})
    mails = (made.shopper * core_days.MAILS + made.mail).tolist()
    return frame.select(
        "shopper_id", pl.lit(Event.Kind.EMAIL_OPEN.value).alias("kind"), _at(first_day), pl.lit(1).alias("quantity"),
        pl.lit("").alias("order_ref"),
        pl.Series("message", [f"{KEY_START}{FIRST_MAIL + mail:016x}" for mail in mails]),
    )  # fmt: skip


def _at(first_day: datetime) -> pl.Expr:
    return (pl.lit(first_day.replace(tzinfo=None)) + pl.duration(minutes=pl.col("minute"))).alias("at")


def _insert(frame: pl.DataFrame, first_key: int) -> None:
    """Insert events whose keys follow each other; those that are there already are passed over."""
    keys = [f"{KEY_START}{key:016x}" for key in range(first_key, first_key + len(frame))]
    frame = frame.with_columns(pl.Series("dedupe_key", keys))
    known = Event.everything.filter(dedupe_key__range=(UUID(keys[0]), UUID(keys[-1])))
    there = [key.hex for key in known.values_list("dedupe_key", flat=True)]
    frame = frame.filter(~pl.col("dedupe_key").is_in(pl.Series(there, dtype=pl.String).implode()))
    # Short transactions: on SQLite nobody else writes meanwhile.
    for part in frame.iter_slices(BLOCK if connection.vendor == "postgresql" else bulk.BATCH):
        with transaction.atomic():
            turns.hold()
            bulk.insert_frame(Event, part)
