"""What the database tells of a shop, in codes: what trainings learn from, read once and in chunks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Case, F, FloatField, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from behaviour.models import Event, Product, Shopper
from behaviour.moments import Epoch
from mailai.chunks import chunks
from mailai.errors import StateError
from recommender import queries
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import KINDS, IdMap, distinct
from recommender.core.splitting import Log

Beat = Callable[[], None]
CHUNK = 50_000
# One event on its way from the database: 29 bytes.
EVENT = np.dtype([("shopper", "i8"), ("product", "i8"), ("kind", "u1"), ("seconds", "i8"), ("stars", "f4")])
NO_STARS = -1.0


@dataclass(frozen=True)
class Shop:
    """A shop as its database tells it.

    log : its events; shoppers, products : the ids of the codes; active products that nobody touched are there too
    catalogue : in the order of the product codes; countries : object array of shape (n_shoppers,), "" = unknown
    demo : demo shoppers are among them

    While it is read 29 bytes an event, then 17, 21 where there are ratings: 20 million events are 340 MB.
    """

    log: Log
    shoppers: IdMap
    products: IdMap
    catalogue: Catalogue
    countries: np.ndarray
    demo: bool

    @property
    def prices(self) -> np.ndarray:
        """Price of the product of each event, float32 of shape (n_events,), nan = unknown."""
        return np.asarray(self.catalogue.prices[self.log.items])


def read_shop(until: datetime, beat: Beat) -> Shop:
    """Read what happened up to a moment; ``beat`` is called after each chunk.

    Raises
    ------
    StateError : nothing happened that says what a shopper likes.
    """
    events = _rows(_telling(until), EVENT, beat)
    if not len(events):
        raise StateError(_("There is nothing to learn from yet. Upload orders first."))
    active = np.fromiter(Product.objects.filter(active=True).values_list("pk", flat=True).iterator(CHUNK), np.int64)
    shoppers, products = IdMap(events["shopper"]), IdMap(np.concatenate([distinct(events["product"]), active]))
    stars = np.where(events["stars"] < 0, np.float32(np.nan), events["stars"])
    log = Log(
        users=shoppers.codes(events["shopper"]),
        items=products.codes(events["product"]),
        kinds=events["kind"].copy(),
        days=events["seconds"] / queries.SECONDS_A_DAY,
        stars=np.empty(0, np.float32) if np.isnan(stars).all() else stars,
        n_users=len(shoppers),
        n_items=len(products),
    )
    del events
    return Shop(
        log, shoppers, products, _catalogue(products, beat), _countries(shoppers, beat), queries.behaviour_is_demo()
    )


def _telling(until: datetime) -> "QuerySet[Event, tuple[Any, ...]]":
    """Return the events that say something, ratings of few stars too: what predicts stars learns from them."""
    code = Case(*[When(kind=kind, then=Value(i)) for i, kind in enumerate(KINDS)], output_field=IntegerField())
    stars = Case(When(kind="rating", then=Cast("amount", FloatField())), default=Value(NO_STARS))
    rated = ~Q(kind="rating") | Q(amount__gte=0)
    events = Event.objects.filter(rated, kind__in=KINDS, product__isnull=False, at__lte=until).order_by()
    return events.values_list("shopper_id", "product_id", code, Epoch(F("at")), stars)


def _rows(found: "QuerySet[Any, tuple[Any, ...]]", kind: np.dtype, beat: Beat) -> np.ndarray:
    parts = [np.array(chunk, kind) for chunk in _chunks(found, beat)]
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _chunks(found: "QuerySet[Any, tuple[Any, ...]]", beat: Beat) -> Iterator[list[tuple[Any, ...]]]:
    for chunk in chunks(found.iterator(chunk_size=CHUNK), CHUNK):
        yield chunk
        beat()


def _catalogue(products: IdMap, beat: Beat) -> Catalogue:
    """Bring what the shop says of its products into the order of the codes; one that is gone says nothing."""
    texts, prices = [""] * len(products), np.full(len(products), np.nan, np.float32)
    paths = [""] * len(products)
    rows = Product.objects.order_by("pk").values_list("pk", "name", "category", "price", "attributes")
    for chunk in _chunks(rows, beat):
        codes = products.codes(np.array([row[0] for row in chunk], np.int64)).tolist()
        for code, (_pk, name, category, price, attributes) in zip(codes, chunk, strict=True):
            if code >= 0:
                texts[code], paths[code] = " ".join([name, *_words(attributes)]).strip(), category
                prices[code] = np.nan if price is None else float(price)
    names = sorted({path for path in paths if path})
    place = {path: number for number, path in enumerate(names)} | {"": -1}
    return Catalogue(texts, np.array([place[path] for path in paths], np.int32), names, prices)


def _words(attributes: dict[str, Any]) -> Iterable[str]:
    """Yield what attributes say: {"colour": "red", "tags": ["summer", "linen"]} is red, summer, linen."""
    for value in attributes.values():
        yield " ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _countries(shoppers: IdMap, beat: Beat) -> np.ndarray:
    countries = np.full(len(shoppers), "", object)
    rows = Shopper.objects.exclude(country="").order_by().values_list("pk", "country")
    for chunk in _chunks(rows, beat):
        codes = shoppers.codes(np.array([pk for pk, _country in chunk], np.int64))
        known = codes >= 0
        countries[codes[known]] = np.array([country for _pk, country in chunk], object)[known]
    return countries
