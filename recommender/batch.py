"""What one call of ``top_products`` works on: who asks, what they did, what may not be shown, what there is."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from scipy.sparse import csr_matrix

from recommender import queries
from recommender.artefacts import Artefact
from recommender.core.base import RatesItems
from recommender.core.interactions import KINDS, PURCHASE, IdMap, Interactions, build, distinct, pairs_of
from recommender.filters import Filters
from recommender.shown import shown

RATING = KINDS.index("rating")


@dataclass(frozen=True)
class Asked:
    """A batch of shoppers.

    Attributes
    ----------
    shoppers : int64 array of shape (n_shoppers,)
    rows, products, kinds, ages : arrays of shape (n_events,): place in ``shoppers``, product id, index into KINDS,
        days before the moment
    refused : bool array of shape (n_shoppers,): said no to personal picks
    out : Pairs of place and product id that may not come
    """

    shoppers: np.ndarray
    k: int
    at: datetime
    filters: Filters
    rows: np.ndarray
    products: np.ndarray
    kinds: np.ndarray
    ages: np.ndarray
    refused: np.ndarray
    out: "Pairs"

    @classmethod
    def read(cls, shopper_ids: list[int], k: int, at: datetime, filters: Filters) -> "Asked":
        """Read the newest events, refusals and earlier mails of a batch: three queries for every 2,000 shoppers."""
        places = {shopper: place for place, shopper in enumerate(shopper_ids)}
        events = queries.shopper_events(shopper_ids, at)
        rows = np.fromiter((places[one] for one in events[:, 0].tolist()), np.int32, len(events))
        mailed = shown(shopper_ids, filters.rest_mails, at)
        mailed_rows = np.fromiter((places[one] for one in mailed[:, 0].tolist()), np.int32, len(mailed))
        bought = np.zeros(len(events), bool) if filters.repeats else events[:, 2] == PURCHASE
        return cls(
            shoppers=np.asarray(shopper_ids, np.int64), k=k, at=at, filters=filters, rows=rows, products=events[:, 1],
            kinds=events[:, 2], ages=(at.timestamp() - events[:, 3]) / queries.SECONDS_A_DAY,
            refused=np.isin(shopper_ids, list(queries.profiling_refused(shopper_ids))),
            out=Pairs(
                np.concatenate([rows[bought], mailed_rows]), np.concatenate([events[bought, 1], mailed[:, 1]])
            ),
        )  # fmt: skip

    def part(self, rows: np.ndarray) -> "Asked":
        """Return some of the shoppers, in the order of ``rows``."""
        place = np.full(len(self.shoppers), -1, np.int64)
        place[rows] = np.arange(len(rows))
        mine, out = place[self.rows] >= 0, place[self.out.rows] >= 0
        return replace(
            self, shoppers=self.shoppers[rows], rows=place[self.rows[mine]], products=self.products[mine],
            kinds=self.kinds[mine], ages=self.ages[mine], refused=self.refused[rows],
            out=Pairs(place[self.out.rows[out]], self.out.products[out]),
        )  # fmt: skip

    def interactions(self, artefact: Artefact) -> Interactions:
        """Return the rows of these shoppers in the codes of a model, which itself stays as it was trained."""
        rows, products, kinds, ages = self.rows, self.products, self.kinds, self.ages
        stars: np.ndarray | None = None
        if isinstance(artefact.model, RatesItems):
            rows, products, kinds, ages, stars = self._with_stars()
        users = build(
            rows, artefact.products.codes(products), kinds, ages,
            n_users=len(self.shoppers), n_items=len(artefact.products), stars=stars,
        )  # fmt: skip
        return replace(users, known=artefact.shoppers.codes(self.shoppers))

    def _with_stars(self) -> tuple[np.ndarray, ...]:
        """Return rows, products, kinds, ages and stars (nan = no rating), the ratings of few stars among them."""
        rated = queries.shopper_ratings(self.shoppers.tolist(), self.at)
        order, rest = np.argsort(self.shoppers, kind="stable"), self.kinds != RATING
        rows = order[IdMap(self.shoppers).codes(rated[:, 0].astype(np.int64))]
        ages = (self.at.timestamp() - rated[:, 2]) / queries.SECONDS_A_DAY
        return (
            np.concatenate([self.rows[rest], rows]),
            np.concatenate([self.products[rest], rated[:, 1].astype(np.int64)]),
            np.concatenate([self.kinds[rest], np.full(len(rated), RATING)]),
            np.concatenate([self.ages[rest], ages]),
            np.concatenate([np.full(int(rest.sum()), np.nan), rated[:, 3]]).astype(np.float32),
        )

    def exclude(self, artefact: Artefact) -> csr_matrix:
        """Return what may not come, in the codes of a model: csr_matrix of ones, shape (n_shoppers, n_items)."""
        codes = artefact.products.codes(self.out.products)
        there = codes >= 0
        return pairs_of(self.out.rows[there], codes[there], len(self.shoppers), len(artefact.products))


class Pairs:
    """Pairs of a place and a product id, to be looked up.

    Parameters
    ----------
    rows, products : int arrays of shape (n_pairs,)
    """

    def __init__(self, rows: np.ndarray, products: np.ndarray) -> None:
        self.rows, self.products = rows.astype(np.int64), products.astype(np.int64)
        self.span = int(self.products.max(initial=0)) + 1
        self.keys = distinct(self.rows * self.span + self.products)

    def have(self, rows: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Say of each cell whether it is among them.

        rows : int array of shape (n,); products : int array of shape (n, n_products). Returns bool of that shape.
        """
        if not len(self.keys):
            return np.zeros(products.shape, bool)
        keys = rows.astype(np.int64)[:, None] * self.span + products
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.asarray((self.keys[place] == keys) & (products >= 0) & (products < self.span))


@dataclass(frozen=True)
class Stock:
    """What a mail may show within the filters.

    Attributes
    ----------
    products : int64 array of shape (n_products,), sorted
    categories : int32 array of that shape, -1 = none
    """

    products: np.ndarray
    categories: np.ndarray

    @classmethod
    def read(cls, filters: Filters, product_ids: np.ndarray | None = None) -> "Stock":
        """Read all of it, or what some products are; one query, 50,000 products take a fifth of a second."""
        rows = queries.stock_rows(filters.prices, None if product_ids is None else product_ids.tolist())
        codes: dict[str, int] = {}
        for _product, category in rows:
            codes.setdefault(category, len(codes))
        wanted = np.fromiter((filters.wants(category) for category in codes), bool, len(codes))
        categories = np.fromiter((codes[category] for _product, category in rows), np.int32, len(rows))
        products = np.fromiter((product for product, _category in rows), np.int64, len(rows))
        kept = wanted[categories] if len(rows) else np.zeros(0, bool)
        categories[categories == codes.get("", -1)] = -1
        return cls(products[kept], categories[kept])

    def places(self, products: np.ndarray) -> np.ndarray:
        """Return the place of each product in here, -1 = not in here; any shape."""
        if not len(self.products):
            return np.full(products.shape, -1, np.int64)
        place = np.minimum(np.searchsorted(self.products, products), len(self.products) - 1)
        return np.where(self.products[place] == products, place, -1)

    def categories_of(self, products: np.ndarray) -> np.ndarray:
        """Return the code of the category of each product, -1 = none or not in here; any shape."""
        place = self.places(products)
        if not len(self.products):
            return place
        return np.where(place >= 0, self.categories[place], -1)
