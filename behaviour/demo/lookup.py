"""Ids of the rows that a made-up shop stands on, whoever made them."""

from collections.abc import Sequence

import polars as pl

from behaviour import api_store
from behaviour.models import Product, Shopper
from behaviour.names import find

BATCH = 20_000


def ids_of(model: type[Product] | type[Shopper], names: Sequence[str]) -> dict[str, int]:
    """Return name -> id of shoppers or products.

    A file may have named them too. Who was merged since leads on to whom she is now; what only an unfinished upload
    brought is seen from now on, or the shop would stand on rows that go with it.
    """
    ids: dict[str, int] = {}
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        api_store.publish(some if model is Shopper else (), some if model is Product else ())
        ids |= dict(find(model, pl.Series(some, dtype=pl.String)).rows())
    return ids
