"""What shoppers did, what they may be sent, and where it came from."""

from behaviour.models.catalogue import Product, ProductChange, StockChange
from behaviour.models.events import Event
from behaviour.models.people import (
    ConsentState,
    Identity,
    Merge,
    Shopper,
    ShopperChange,
    masked,
    new_pseudonym,
    new_pseudonyms,
    stable_draw,
)
from behaviour.models.permission import Consent, Suppression
from behaviour.models.shop import Shop
from behaviour.models.uploads import ColumnMatch, Upload

__all__ = [
    "ColumnMatch",
    "Consent",
    "ConsentState",
    "Event",
    "Identity",
    "Merge",
    "Product",
    "ProductChange",
    "Shop",
    "Shopper",
    "ShopperChange",
    "StockChange",
    "Suppression",
    "Upload",
    "masked",
    "new_pseudonym",
    "new_pseudonyms",
    "stable_draw",
]
