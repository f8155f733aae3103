"""Shoppers and products that a shop's own programs send, and who the shopper of an event is."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import polars as pl
from django.db import IntegrityError, transaction

from behaviour import api_store, merging
from behaviour.core.api_events import ADDRESS, Event, Refusal, refusal
from behaviour.core.api_records import ProductRecord, ShopperRecord
from behaviour.core.cleaning import Cleaned
from behaviour.core.parsing import Block
from behaviour.core.people import BY_VISITOR
from behaviour.models import Shopper, Upload
from behaviour.people_loading import ShopperLoader
from behaviour.product_loading import ProductLoader
from behaviour.pseudonyms import BY_EMAIL, names_of

PEOPLE: dict[str, Any] = {
    "row": pl.Int64, "user_id": pl.String, "email": pl.String, "first_name": pl.String, "last_name": pl.String,
    "phone": pl.String, "country": pl.String, "locale": pl.String, "consent": pl.Boolean,
    "consent_at": pl.Datetime("us", "UTC"), "consent_source": pl.String, "suppressed": pl.String,
}  # fmt: skip
PRODUCTS: dict[str, Any] = {
    "item_id": pl.String, "name": pl.String, "category": pl.String, "currency": pl.String, "url": pl.String,
    "image": pl.String, "attributes": pl.String, "cents": pl.Int64, "stock": pl.Int64, "active": pl.Boolean,
}  # fmt: skip


def names(events: Sequence[Event]) -> Callable[[Event], str]:
    """Return what tells a shopper's name in the shop; who is named by address is stored first, who met is joined."""
    if not any(event.email or "@" in event.user_id or (event.user_id and event.visitor_id) for event in events):
        return lambda event: event.user_id.strip() or BY_VISITOR + event.visitor_id
    people = {pair: None for event in events if (pair := _who(event.user_id, event.email))[1]}
    with api_store.one_writer():
        found = _known_by_address(list(people)) if people else {}

    def name_of(event: Event) -> str:
        user, email = _who(event.user_id, event.email)
        return user or found.get(email) or BY_VISITOR + event.visitor_id

    met = {(BY_VISITOR + event.visitor_id, name_of(event)) for event in events if event.visitor_id}
    with api_store.one_writer():
        _join(sorted((visitor, name) for visitor, name in met if visitor != name))
    return name_of


def _known_by_address(people: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Store the addresses of (id, address), and return address -> name in the shop."""
    before = names_of(email for _user, email in people)
    _join([(before[email], user) for user, email in people if user and before[email].startswith(BY_EMAIL)])
    rows = [_person(place, ShopperRecord(user_id=user, email=email)) for place, (user, email) in enumerate(people)]
    ShopperLoader(Upload()).load_people(pl.DataFrame(rows, schema=PEOPLE, orient="row"))
    return names_of(email for _user, email in people)


def _join(pairs: Sequence[tuple[str, str]]) -> None:
    """Join names of one person, but those that were joined before: one query where all were."""
    if not pairs:
        return
    rows = Shopper.everything.filter(external_id__in=[name for name, _kept in pairs], merged_into__isnull=False)
    known = set(rows.values_list("external_id", "merged_into__external_id"))
    if new := [pair for pair in pairs if pair not in known]:
        api_store.find_or_make({kept for _name, kept in new}, ())
        merging.join(new)


def _who(user_id: str, email: str) -> tuple[str, str]:
    """Return id and address; an address that stands where an id belongs is an address."""
    user, address = user_id.strip(), email.strip().lower()
    if "@" in user and ADDRESS.match(user):
        return "", address or user.lower()
    return user, address


def save_shoppers(records: Sequence[tuple[int, ShopperRecord]], prefix: str) -> tuple[int, list[Refusal]]:
    """Make or change shoppers; return how many changed, and whose address belongs to somebody else."""
    rows = [_person(index, record) for index, record in records]
    frame = pl.DataFrame(rows, schema=PEOPLE, orient="row")
    loader = ShopperLoader(Upload(), proof=f"API key {prefix}", source="api")
    taken = dict(loader.taken(frame))
    frame = frame.filter(~pl.col("row").is_in(list(taken)))
    ids = [name for name in frame["user_id"].unique() if name]
    n_changed = _saved(lambda: loader.write(frame), ids, [])
    return n_changed, [refusal(index, "email_taken") for index in taken]


def _person(row: int, record: ShopperRecord) -> tuple[Any, ...]:
    user, email = _who(record.user_id, record.email)
    given = None if record.consent is None else record.consent == "given"
    return (
        row, user, email, record.first_name, record.last_name, record.phone, record.country, record.locale, given,
        record.consent_at, record.consent_source, "",
    )  # fmt: skip


def save_products(records: Sequence[tuple[int, ProductRecord]], _prefix: str) -> tuple[int, list[Refusal]]:
    """Make or change products; of one that stands twice in the batch the last counts."""
    rows = {record.item_id.strip(): _product(record) for _index, record in records}
    frame = pl.DataFrame(list(rows.values()), schema=PRODUCTS, orient="row").sort("item_id")
    loader = ProductLoader(Upload())
    return _saved(lambda: sum(loader.write(part) for part in _parts(loader, frame)), [], list(rows)), []


def _parts(loader: ProductLoader, frame: pl.DataFrame) -> list[pl.DataFrame]:
    return [part for part, _last in loader.parts(Cleaned(frame, [], Block(pl.DataFrame())), "")]


def _product(record: ProductRecord) -> tuple[Any, ...]:
    cents = None if record.price is None else round(record.price * 100)
    attributes = msgspec.json.encode(record.attributes).decode() if record.attributes else ""
    return (
        record.item_id.strip(), record.name, record.category, record.currency, record.url, record.image, attributes,
        cents, record.stock, record.active,
    )  # fmt: skip


def _saved(write: Callable[[], int], names: Sequence[str], items: Sequence[str]) -> int:
    """Write in one transaction; once more if somebody else made one of the rows at this moment."""
    try:
        with transaction.atomic():
            api_store.publish(names, items)
            return write()
    except IntegrityError:
        with transaction.atomic():
            return write()
