"""Shoppers and products as a shop's own programs send them: read and checked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from behaviour.core.api_events import ADDRESS, Id, Refusal, read_each, refusal
from behaviour.core.cleaning import HIGHEST_PRICE

Name = Annotated[str, Meta(max_length=100)]


class ShopperRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A shopper; what is left out stays as it is. ``user_id`` or ``email`` says who."""

    user_id: Annotated[Id, Meta(description="The shop's own id of the shopper.")] = ""
    email: Annotated[str, Meta(max_length=254, description="Stored encrypted.")] = ""
    first_name: Annotated[Name, Meta(description="Stored encrypted.")] = ""
    last_name: Annotated[Name, Meta(description="Stored encrypted.")] = ""
    phone: Annotated[str, Meta(max_length=40, description="Stored encrypted.")] = ""
    country: Annotated[str, Meta(max_length=60, description="Where she lives: Germany.")] = ""
    locale: Annotated[str, Meta(max_length=10, description="Such as en or zh-hans.")] = ""
    consent: (
        Annotated[Literal["given", "withdrawn"], Meta(description="What she said about marketing email.")] | None
    ) = None
    consent_at: (
        Annotated[datetime, Meta(tz=True, description="When; left out: now, and an earlier withdrawal stands.")] | None
    ) = None
    consent_source: Annotated[str, Meta(max_length=60, description="Where; left out: api.")] = ""


class ProductRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A product; what is left out stays as it is."""

    item_id: Annotated[str, Meta(min_length=1, max_length=120, description="The shop's own id of the product.")]
    name: Annotated[str, Meta(max_length=300, description="As it stands in emails.")] = ""
    category: Annotated[str, Meta(max_length=200, description="A path, broad first: Kitchen > Mugs.")] = ""
    price: Annotated[float, Meta(ge=0, le=HIGHEST_PRICE, description="For one piece, today.")] | None = None
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$", description="Three letters; left out: the shop's own.")] = ""
    url: Annotated[str, Meta(pattern="^(https?://.*)?$", max_length=500, description="Its page in the shop.")] = ""
    image: Annotated[str, Meta(pattern="^(https?://.*)?$", max_length=500, description="Its picture.")] = ""
    stock: (
        Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000, description="Pieces left; 0 keeps it out of emails.")]
        | None
    ) = None
    active: bool | None = None
    attributes: Annotated[dict[str, str | float | bool], Meta(description="Colour, size, brand and the like.")] = {}


_shopper = msgspec.json.Decoder(ShopperRecord)
_product = msgspec.json.Decoder(ProductRecord)


class _Shoppers(msgspec.Struct):
    shoppers: list[msgspec.Raw]


class _Products(msgspec.Struct):
    products: list[msgspec.Raw]


_shoppers = msgspec.json.Decoder(_Shoppers)
_products = msgspec.json.Decoder(_Products)
Read = tuple[list[tuple[int, Any]], list[Refusal]]


def read_shoppers(body: bytes, *, nul: bool) -> Read:
    """Read {"shoppers": […]}: (place, record) of those that can be read, and why the others can't.

    Raises
    ------
    msgspec.MsgspecError : the body as a whole is no batch.
    """
    good, refused = read_each(_shoppers.decode(body).shoppers, _shopper)
    return _judged(good, refused, nul=nul)


def read_products(body: bytes, *, nul: bool) -> Read:
    """Read {"products": […]}, as read_shoppers() does."""
    good, refused = read_each(_products.decode(body).products, _product)
    return _judged(good, refused, nul=nul)


def _judged(read: Sequence[tuple[int, Any]], refused: list[Refusal], *, nul: bool) -> Read:
    good = []
    for index, record in read:
        if code := _fault(record, nul=nul):
            refused.append(refusal(index, code))
        else:
            good.append((index, record))
    return good, refused


def _fault(record: Any, *, nul: bool) -> str:
    if nul and any(isinstance(value, str) and "\0" in value for value in msgspec.structs.astuple(record)):
        return "bad_text"
    if isinstance(record, ShopperRecord):
        if not (record.user_id or record.email):
            return "no_shopper"
        if record.email and not ADDRESS.match(record.email):
            return "bad_email"
    return ""
