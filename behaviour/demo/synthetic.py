"""Write a synthetic shop (behaviour.core.synthetic) into the database, block by block."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
from django.utils import timezone

from behaviour import bulk, consent, identity
from behaviour.core import synthetic
from behaviour.demo import pictures
from behaviour.demo.lookup import ids_of
from behaviour.models import Consent, Event, Identity, Product, Shopper, new_pseudonym
from mailai.errors import InputError, StateError

BLOCK = 100_000
PREFIX = "made-"
FIRST_KEY = UUID("6d616465-0000-8000-8000-000000000000").int
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


@dataclass(frozen=True)
class Made:
    """What a synthetic shop holds."""

    shoppers: int
    products: int
    events: int
    seed: int
    seconds: float


def make_shop(
    *, shoppers: int, products: int, events: int, seed: int = 0, add: bool = False, now: datetime | None = None
) -> Made:
    """Make a shop whose year ends yesterday; the same numbers and seed give the same rows.

    Raises
    ------
    StateError : there are real shoppers, and ``add`` was not given.
    InputError : a count is out of range.
    """
    if min(shoppers, products, events) < 1:
        raise InputError("A shop needs at least one shopper, one product and one event.")
    if not add and Shopper.objects.filter(demo=False).exists():
        raise StateError("This database holds real shoppers. Use an empty one, or say --add to mix them.")
    started, end = time.monotonic(), (now or timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = end - timedelta(days=synthetic.DAYS)
    rng = np.random.default_rng(seed)
    shop = synthetic.tastes(shoppers, products, rng)
    product_ids = _products(shop, end)
    shopper_ids = _shoppers(shop, first_day, end)
    _identities(shopper_ids, end)
    _events(shop, events, first_day, rng, shopper_ids=shopper_ids, product_ids=product_ids)
    made = Event.objects.filter(shopper__external_id__startswith=PREFIX).count()
    return Made(shoppers, products, made, seed, round(time.monotonic() - started, 1))


def _products(shop: synthetic.Tastes, at: datetime) -> np.ndarray:
    n, picture = len(shop.product_taste), pictures.store_picture("gift", "indigo")
    categories = [
        f"{ROOTS[taste]} > Range {number % 7 + 1}" for number, taste in enumerate(shop.product_taste.tolist())
    ]
    skus = [f"{PREFIX}{number}" for number in range(n)]
    bulk.insert(
        Product,
        {
            "sku": skus,
            "name": [f"{path.split(' > ')[0]} no. {number + 1}" for number, path in enumerate(categories)],
            "category": categories,
            "price": [Decimal(pence).scaleb(-2) for pence in shop.price_pence.tolist()],
            "currency": ["GBP"] * n,
            "url": [f"https://made.example/{sku}" for sku in skus],
            "image": [picture] * n,
            "stock": [0 if number % 25 == 24 else 100 for number in range(n)],
            "active": [True] * n,
            "demo": [True] * n,
            "created_at": [at] * n,
        },
    )
    return _ids(Product, n)


def _shoppers(shop: synthetic.Tastes, first_day: datetime, at: datetime) -> np.ndarray:
    n = len(shop.activity)
    bulk.insert(
        Shopper,
        {
            "pseudonym": [new_pseudonym() for _ in range(n)],
            "external_id": [f"{PREFIX}{number}" for number in range(n)],
            "locale": ["en-GB"] * n,
            "timezone": ["Europe/London"] * n,
            "country": ["United Kingdom"] * n,
            "signed_up_at": [first_day] * n,
            "marketing": ["unknown"] * n,
            "demo": [True] * n,
            "created_at": [at] * n,
        },
    )
    return _ids(Shopper, n)


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


def _events(
    shop: synthetic.Tastes, n_events: int, first_day: datetime, rng: np.random.Generator,
    *, shopper_ids: np.ndarray, product_ids: np.ndarray,
) -> None:  # fmt: skip
    for start in range(0, n_events, BLOCK):
        size = min(BLOCK, n_events - start)
        lines = synthetic.lines(shop, size, start // synthetic.LINES_PER_ORDER, rng)
        pence = shop.price_pence[lines.product] * lines.quantity
        bulk.insert(
            Event,
            {
                "shopper": shopper_ids[lines.shopper].tolist(),
                "kind": [Event.Kind.PURCHASE.value] * size,
                "product": product_ids[lines.product].tolist(),
                "at": [first_day + timedelta(minutes=minute) for minute in lines.minute.tolist()],
                "quantity": lines.quantity.tolist(),
                "amount": [Decimal(total).scaleb(-2) for total in pence.tolist()],
                "order_ref": [f"{PREFIX}{number}" for number in lines.order.tolist()],
                "dedupe_key": [UUID(int=FIRST_KEY + row) for row in range(start, start + size)],
            },
        )
