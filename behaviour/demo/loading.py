"""Load the demo shop. Every step asks first what is there, so a second call completes what a kill left open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import F, Min, Value
from django.db.models.functions import Concat
from django.urls import reverse
from django.utils import timezone

from behaviour import bulk, consent, identity
from behaviour.demo import catalogue, people, pictures, source
from behaviour.demo.lookup import ids_of
from behaviour.models import Consent, Event, Identity, Product, Shop, Shopper, Suppression
from mailai.accounts import audit
from mailai.crypto import blind_index
from mailai.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SEED = 352
SHOPPER_PREFIX, PRODUCT_PREFIX = "demo-", "demo-"
CONSENT_SOURCE = "demo"
# Keys of the demo's events: this number plus the line's position. They grow, so the index is filled at its end.
MOST_LINES = 10**7
FIRST_KEY = UUID("6d61696c-6169-8000-8000-000000000000").int
SHOP = {
    "name": "Northlane (demo)",
    "currency": "GBP",
    "timezone": source.ZONE,
    "postal_address": "Northlane, 12 Lantern Yard, Norwich, United Kingdom",
}
# Shares of the shoppers, chosen so that every reason for not getting a mail can be seen.
WITHDRAWN, NOT_ASKED, NO_ADDRESS, SUPPRESSED = 0.05, 0.07, 0.015, 0.01
OUT_OF_STOCK, NEARLY_OUT = 0.04, 0.06

Say = Callable[[str], None]


@dataclass(frozen=True)
class Loaded:
    """What the demo shop holds after loading."""

    shoppers: int
    products: int
    events: int
    seconds: float


def load_demo_shop(
    *, n_orders: int | None = None, by: Any = None, now: datetime | None = None, say: Say = lambda text: None
) -> Loaded:
    """Load the year of orders (or its last ``n_orders``), so that it ends yesterday or up to six days before.

    Raises
    ------
    InputError : less than one order is asked for.
    """
    if n_orders is not None and n_orders < 1:
        raise InputError("Ask for at least one order.")
    started, now = time.monotonic(), now or timezone.now()
    before = Shopper.everything.filter(demo=True).count()
    year = source.read_year(n_orders)
    weeks = _weeks(year, now)
    at = source.moved(year.orders["at"], weeks)
    say("Shop and products")
    _name_shop()
    products = _products(year.products)
    say("Shoppers, invented names and consent")
    shoppers = _shoppers(year, at)
    _identities_and_consent(year, shoppers, now)
    say("A year of orders")
    _events(year, at, shoppers, products)
    loaded = Loaded(
        len(shoppers),
        len(products),
        Event.everything.filter(shopper__demo=True).count(),
        round(time.monotonic() - started, 1),
    )
    if Shopper.everything.filter(demo=True).count() > before:
        audit.record("demo.load", Shop.current(), by=by, shoppers=loaded.shoppers, events=loaded.events)
    return loaded


def event_key(position: int) -> UUID:
    """Return the dedupe key of the order line at this position of the whole year."""
    return UUID(int=FIRST_KEY + position)


def _weeks(year: source.Year, now: datetime) -> int:
    """Return by how many weeks the year moves; what a load began with stays, even if it is completed weeks later."""
    # By their keys alone: a shopper of the demo may have been merged into another one since.
    first_there = Event.everything.filter(dedupe_key__gte=event_key(0), dedupe_key__lte=event_key(MOST_LINES))
    row = first_there.values("order_ref").annotate(at=Min("at")).order_by("dedupe_key").first()
    if row is not None:
        original = year.orders.loc[year.orders["order"] == int(row["order_ref"]), "at"]
        if len(original):
            gap = row["at"].replace(tzinfo=None) - original.iloc[0].to_pydatetime()
            return round(gap.total_seconds() / 604_800)
    return source.weeks_to_move(year.orders["at"].max().date(), Shop(timezone=source.ZONE).day_of(now))


def _name_shop() -> None:
    """Give a shop that nobody has named yet the demo's name; a real one keeps its own."""
    shop = Shop.current()
    if shop.name == Shop._meta.get_field("name").default:
        Shop.objects.filter(pk=shop.pk).update(**SHOP, url=settings.MAILAI_PUBLIC_URL)


def _products(rows: pd.DataFrame) -> list[int]:
    """Make the products that are missing and return the ids in the order of the rows."""
    skus = [PRODUCT_PREFIX + code for code in rows["item_id"]]
    there = ids_of(Product, skus)
    rng = np.random.default_rng(SEED)
    draws, amounts = rng.random(len(rows)), rng.integers(20, 400, len(rows))
    new = [
        _product(sku, name, price, _stock(draw, int(amount)))
        for sku, name, price, draw, amount in zip(skus, rows["name"], rows["price"], draws, amounts, strict=True)
        if sku not in there
    ]
    Product.objects.bulk_create(new, batch_size=bulk.BATCH, ignore_conflicts=True)
    _refresh_addresses()
    ids = ids_of(Product, skus)
    return [ids[sku] for sku in skus]


def _product(sku: str, description: str, price: float, stock: int) -> Product:
    look = catalogue.look(description)
    return Product(
        sku=sku,
        name=look.name,
        category=look.category,
        price=Decimal(str(price)).quantize(Decimal("0.01")),
        currency=SHOP["currency"],
        url=settings.MAILAI_PUBLIC_URL + reverse("behaviour:demo_product", args=[sku]),
        image=pictures.store_picture(look.icon, look.ground),
        stock=stock,
        active=look.on_sale,
        demo=True,
    )


def _stock(draw: float, amount: int) -> int:
    if draw < OUT_OF_STOCK:
        return 0
    return 1 + amount % 5 if draw < OUT_OF_STOCK + NEARLY_OUT else amount


def _refresh_addresses() -> None:
    """Let the links follow when the installation answers under another address than before."""
    base = settings.MAILAI_PUBLIC_URL + reverse("behaviour:demo_product", args=["x"]).removesuffix("x/")
    moved_away = Product.objects.filter(demo=True, sku__startswith=PRODUCT_PREFIX).exclude(url__startswith=base)
    moved_away.update(url=Concat(Value(base), F("sku"), Value("/")))


def _shoppers(year: source.Year, at: Sequence[datetime]) -> dict[int, int]:
    """Make the shoppers that are missing and return the data set's number -> id."""
    import pandas as pd

    first_order = pd.Series(at).groupby(year.orders["shopper"].to_numpy()).min()
    invented = people.invent(list(year.shoppers["country"]), np.random.default_rng(SEED))
    rows = [
        Shopper(
            external_id=f"{SHOPPER_PREFIX}{number}",
            country=country,
            locale=person.locale,
            timezone=person.timezone,
            signed_up_at=first_order[number].to_pydatetime(),
            demo=True,
        )
        for number, country, person in zip(year.shoppers["shopper"], year.shoppers["country"], invented, strict=True)
    ]
    Shopper.objects.bulk_create(rows, batch_size=bulk.BATCH, ignore_conflicts=True)
    ids = ids_of(Shopper, [row.external_id for row in rows])
    return {int(number): ids[f"{SHOPPER_PREFIX}{number}"] for number in year.shoppers["shopper"]}


def _identities_and_consent(year: source.Year, shoppers: dict[int, int], now: datetime) -> None:
    """Invent who the shoppers are and what they allowed; nothing is written twice, and nothing about real people."""
    rng = np.random.default_rng(SEED)
    invented = people.invent(list(year.shoppers["country"]), rng)
    address_draws, consent_draws, block_draws = rng.random((3, len(invented)))
    ids = np.array([shoppers[int(number)] for number in year.shoppers["shopper"]])
    own = set(Shopper.everything.filter(demo=True, merged_into=None).values_list("pk", flat=True))
    known = set(Identity.objects.filter(shopper__demo=True).values_list("shopper_id", flat=True))
    identity.save_identities(
        [
            {"shopper_id": int(pk), "email": "" if draw < NO_ADDRESS else person.email,
             "first_name": person.first_name, "last_name": person.last_name}
            for pk, person, draw in zip(ids, invented, address_draws, strict=True)
            if pk in own and pk not in known
        ]
    )  # fmt: skip
    asked = set(Consent.objects.filter(source=CONSENT_SOURCE).values_list("shopper_id", flat=True))
    said_no = [int(pk) for pk in ids[consent_draws < WITHDRAWN] if pk in own and pk not in asked]
    said_yes = [int(pk) for pk in ids[consent_draws >= WITHDRAWN + NOT_ASKED] if pk in own and pk not in asked]
    consent.give(said_yes, Consent.Purpose.MARKETING, source=CONSENT_SOURCE, at=now)
    consent.withdraw(said_no, Consent.Purpose.MARKETING, source=CONSENT_SOURCE, at=now)
    blocked = [blind_index(invented[number].email) for number in np.flatnonzero(block_draws < SUPPRESSED)]
    half = len(blocked) // 2
    consent.suppress_all(blocked[:half], Suppression.Reason.COMPLAINED)
    consent.suppress_all(blocked[half:], Suppression.Reason.BOUNCED)


def _events(year: source.Year, at: Sequence[datetime], shoppers: dict[int, int], products: Sequence[int]) -> None:
    """Insert the order lines that are missing, whole batches at a time.

    They pass by `services.record_events` because their keys are known and new by construction; the table's own
    unique key still refuses a second copy.
    """
    lines, offset = year.lines, source.N_LINES - len(year.lines)
    ends = [*range(bulk.BATCH, len(lines), bulk.BATCH), len(lines)]
    last_keys = [event_key(offset + end - 1) for end in ends]
    done = set(Event.everything.filter(dedupe_key__in=last_keys).values_list("dedupe_key", flat=True))
    order_shoppers = [shoppers[int(number)] for number in year.orders["shopper"]]
    order_refs = [str(number) for number in year.orders["order"]]
    product_ids = np.asarray(products)
    for end, last_key in zip(ends, last_keys, strict=True):
        if last_key in done:
            continue
        start = (end - 1) // bulk.BATCH * bulk.BATCH
        part = lines.iloc[start:end]
        orders = part["order"].tolist()
        pence = (part["quantity"].astype("int64") * part["pence"]).tolist()
        bulk.insert(
            Event,
            {
                "shopper": [order_shoppers[order] for order in orders],
                "kind": [Event.Kind.PURCHASE.value] * len(part),
                "product": product_ids[part["product"].to_numpy()].tolist(),
                "at": [at[order] for order in orders],
                "quantity": part["quantity"].tolist(),
                "amount": [Decimal(total).scaleb(-2) for total in pence],
                "order_ref": [order_refs[order] for order in orders],
                "dedupe_key": [event_key(offset + row) for row in range(start, end)],
            },
        )
