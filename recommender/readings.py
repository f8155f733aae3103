"""What was read of a large shop, kept in a file while a request is trained: other workers need not read it again."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np

from recommender import array_files
from recommender.core.catalogue import Catalogue
from recommender.core.dividing import Arrays
from recommender.core.interactions import IdMap
from recommender.core.splitting import Log
from recommender.reading import Shop

COLUMNS = ("users", "items", "kinds", "days", "stars")


def write(shop: Shop, read_at: datetime) -> str:
    """Write a shop and return the name of its file: 17 to 21 bytes an event."""
    countries, country = np.unique(shop.countries.astype(str), return_inverse=True)
    names = {
        "texts": shop.catalogue.texts, "category_names": shop.catalogue.category_names, "countries": countries.tolist(),
        "read_at": read_at.timestamp(), "demo": shop.demo,
    }  # fmt: skip
    arrays: Arrays = {name: getattr(shop.log, name) for name in COLUMNS}
    arrays |= {
        "shoppers": shop.shoppers.ids, "products": shop.products.ids, "categories": shop.catalogue.categories,
        "prices": shop.catalogue.prices, "country": country.astype(np.int16),
        "names": np.frombuffer(json.dumps(names).encode(), np.uint8),
    }  # fmt: skip
    return array_files.write("reading", arrays)


def read(name: str) -> tuple[Shop, datetime]:
    """Return a shop that was written, and when it was read from the database.

    Raises
    ------
    ArtefactError : the file is missing or damaged.
    """
    arrays = array_files.read(name)
    names: dict[str, Any] = json.loads(arrays["names"].tobytes())
    shoppers, products = IdMap(arrays["shoppers"]), IdMap(arrays["products"])
    log = Log(**{name: arrays[name] for name in COLUMNS}, n_users=len(shoppers), n_items=len(products))
    catalogue = Catalogue(names["texts"], arrays["categories"], names["category_names"], arrays["prices"])
    countries = np.array(names["countries"], object)[arrays["country"]]
    shop = Shop(log, shoppers, products, catalogue, countries, names["demo"])
    return shop, datetime.fromtimestamp(names["read_at"], UTC)
