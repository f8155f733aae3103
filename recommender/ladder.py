"""The ladder: her own model, neighbours of what she looked at, her category, trending, popular, newest.

Each rung gives candidates for many shoppers at once; the rungs stand beside each other, best first, and the slots are
filled from the left (recommender.core.slots). Order and shrinkage: docs/recommender.md, part 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mailai.errors import ArtefactError
from recommender import artefacts, queries
from recommender.artefacts import Artefact
from recommender.batch import Asked, Stock
from recommender.core.interactions import KINDS, WEIGHTS, IdMap
from recommender.core.item_based import ItemBm25
from recommender.core.popular import MostPopular, Trending
from recommender.core.ranking import top_k
from recommender.picks import CATEGORY, LEVELS, NEWEST, PERSONAL, POPULAR, SIMILAR, TRENDING

# Models that give everybody the same.
FOR_EVERYBODY = {MostPopular.name: POPULAR, Trending.name: TRENDING}
# Whose neighbours of single products stand in where a shopper's own model knows too little.
ITEM_NEIGHBOURS = ItemBm25.name
# A category with fewer orders than this is mostly judged by the whole shop.
PRIOR_ORDERS = 25
# Something that she did so long ago says half as much about which category is hers.
FAVOURITE_DAYS = 90.0


@dataclass(frozen=True)
class Candidates:
    """Products that may fill the slots of some shoppers, best first.

    Attributes
    ----------
    products : int64 array of shape (n_shoppers, n_candidates), -1 = none
    scores : float32 array of that shape, comparable within a level
    levels : int8 array of that shape, index into LEVELS
    """

    products: np.ndarray
    scores: np.ndarray
    levels: np.ndarray

    @classmethod
    def none(cls, n_shoppers: int) -> "Candidates":
        """Return no candidates."""
        return cls.of(np.empty((n_shoppers, 0), np.int64), np.empty((n_shoppers, 0), np.float32), PERSONAL)

    @classmethod
    def of(cls, products: np.ndarray, scores: np.ndarray, level: str) -> "Candidates":
        """Return candidates that were all found on one rung."""
        return cls(products, scores, np.full(products.shape, LEVELS.index(level), np.int8))

    @classmethod
    def beside(cls, rungs: "Sequence[Candidates]") -> "Candidates":
        """Return the candidates of several rungs, the first rung first."""
        parts = zip(*((rung.products, rung.scores, rung.levels) for rung in rungs), strict=True)
        return cls(*(np.concatenate(part, axis=1) for part in parts))

    def at(self, rows: np.ndarray) -> "Candidates":
        """Return those of some shoppers."""
        return Candidates(self.products[rows], self.scores[rows], self.levels[rows])

    def put(self, rows: np.ndarray, source: "Candidates", places: np.ndarray) -> None:
        """Write into some rows what stands at these columns of ``source``, -1 = nothing; both have as many rows."""
        there, columns = places >= 0, np.maximum(places, 0)
        self.products[rows] = np.where(there, np.take_along_axis(source.products, columns, 1), -1)
        self.scores[rows] = np.where(there, np.take_along_axis(source.scores, columns, 1), 0)
        self.levels[rows] = np.take_along_axis(source.levels, columns, 1)


def own(artefact: Artefact | None, asked: Asked, n: int, stock: Stock | None) -> Candidates:
    """Return what the model that serves finds for each shopper; who refused that gets nothing from here."""
    if artefact is None:
        return Candidates.none(len(asked.shoppers))
    level = FOR_EVERYBODY.get(artefact.model.name, PERSONAL)
    found = _from_model(artefact, asked, n, stock, level)
    if level == PERSONAL:
        found.products[asked.refused] = -1
    return found


def rest(
    artefact: Artefact | None, asked: Asked, rows: np.ndarray, n: int, stock: Stock | None
) -> tuple[Candidates, Artefact | None]:
    """Return what the rungs below find for some shoppers, and the model behind the rung of neighbours."""
    some = asked.part(rows)
    near = neighbour_model() if len(some.rows) else None
    rungs = []
    if near:
        found = _from_model(near, some, n, stock, SIMILAR)
        found.products[some.refused] = -1
        rungs.append(found)
    if artefact:
        rungs.append(_of_favourites(artefact, some, n, stock))
        for level, scores in ((TRENDING, artefact.trending.item_scores), (POPULAR, artefact.popular.item_scores)):
            rungs.append(_shelf(artefact, scores, len(rows), n, stock, level))
    else:
        rungs.append(_best_sellers(asked, len(rows), n))
    newest = np.array(queries.newest_products(n, asked.filters.prices), np.int64)
    rungs.append(_for_everybody(newest, np.zeros(len(newest), np.float32), len(rows), NEWEST))
    return Candidates.beside(rungs), near


def neighbour_model() -> Artefact | None:
    """Return the newest model of neighbours of products; None while there is none, or its file is damaged."""
    run = queries.newest_of(ITEM_NEIGHBOURS)
    try:
        return artefacts.load(run) if run else None
    except ArtefactError:
        return None


def _from_model(artefact: Artefact, asked: Asked, n: int, stock: Stock | None, level: str) -> Candidates:
    items, scores = artefact.model.recommend(
        asked.interactions(artefact), n, exclude=asked.exclude(artefact), allowed=_allowed(artefact, stock)
    )
    return Candidates.of(_products(artefact, items), scores, level)


def _allowed(artefact: Artefact, stock: Stock | None) -> np.ndarray | None:
    return None if stock is None else stock.places(artefact.products.ids) >= 0


def _products(artefact: Artefact, items: np.ndarray) -> np.ndarray:
    if not len(artefact.products):
        return np.full(items.shape, -1, np.int64)
    return np.where(items >= 0, artefact.products.ids[np.maximum(items, 0)], -1).astype(np.int64)


def _shelf(artefact: Artefact, scores: np.ndarray, n_rows: int, n: int, stock: Stock | None, level: str) -> Candidates:
    items, best = top_k(scores[None, :], n, allowed=_allowed(artefact, stock))
    found = items[0] >= 0
    return _for_everybody(_products(artefact, items[0][found]), best[0][found], n_rows, level)


def _for_everybody(products: np.ndarray, scores: np.ndarray, n_rows: int, level: str) -> Candidates:
    shape = (n_rows, len(products))
    return Candidates.of(np.broadcast_to(products, shape), np.broadcast_to(scores, shape), level)


def _best_sellers(asked: Asked, n_rows: int, n: int) -> Candidates:
    """Serve without a model: what most shoppers ordered."""
    sellers = queries.best_sellers_up_to(asked.at)[:n]
    products = np.array([one.product for one in sellers], np.int64)
    return _for_everybody(products, np.array([one.n_buyers for one in sellers], np.float32), n_rows, POPULAR)


def _of_favourites(artefact: Artefact, asked: Asked, n: int, stock: Stock | None) -> Candidates:
    """Return what trends in the favourite category of each shopper."""
    favourites, names = favourite_categories(asked)
    favourites[asked.refused] = -1
    n_rows = len(asked.shoppers)
    if (favourites < 0).all():
        return Candidates.none(n_rows)
    items, scores, inside = _category_shelves(artefact, names, n, _allowed(artefact, stock))
    there = favourites >= 0
    chosen = np.where(there, favourites, 0)
    levels = np.where(inside[chosen], LEVELS.index(CATEGORY), LEVELS.index(TRENDING)).astype(np.int8)
    return Candidates(_products(artefact, np.where(there[:, None], items[chosen], -1)), scores[chosen], levels)


def favourite_categories(asked: Asked) -> tuple[np.ndarray, list[str]]:
    """Return the category of each shopper that her events speak for most, and what the categories are called.

    An event counts by its kind (WEIGHTS), half after 90 days. Returns int array of shape (n_shoppers,), -1 = none, and
    the names by code.
    """
    none = np.full(len(asked.shoppers), -1, np.int64)
    rows = dict(queries.categories_of(set(asked.products.tolist()))) if len(asked.products) else {}
    names = sorted(set(rows.values()))
    if not names:
        return none, []
    codes = {name: code for code, name in enumerate(names)}
    products = IdMap(np.fromiter(rows, np.int64, len(rows)))
    of_product = np.fromiter((codes[rows[one]] for one in products.ids.tolist()), np.int64, len(products))
    place = products.codes(asked.products)
    known = place >= 0
    keys = asked.rows[known].astype(np.int64) * len(names) + of_product[place[known]]
    worth = np.array([WEIGHTS[kind] for kind in KINDS])[asked.kinds[known]]
    cells, where = np.unique(keys, return_inverse=True)
    total = np.bincount(where, worth * np.exp2(-asked.ages[known] / FAVOURITE_DAYS), len(cells))
    shopper, category = np.divmod(cells, len(names))
    # The last one written stays: the heaviest, of equal ones the first by name.
    order = np.lexsort((-category, total))
    none[shopper[order]] = category[order]
    return none, names


def _category_shelves(
    artefact: Artefact, names: list[str], n: int, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what trends in each category, shrunk toward the whole shop.

    The share of product i in category c with n_c orders is ``(n_c * share_c(i) + m * share(i)) / (n_c + m)`` with
    m = 25, both shares of what was ordered lately: where c has few orders the best of the shop stand before its own
    (Zhai and Lafferty 2004, TOIS 22(2), section 3: Dirichlet prior).

    Returns
    -------
    items : int array of shape (n_categories, n), -1 = none
    shares : float32 array of that shape
    inside : bool array of that shape: the item is of the category itself
    """
    weight = artefact.trending.item_scores.astype(np.float64)
    usable = weight > 0 if allowed is None else (weight > 0) & allowed
    share = weight / max(float(weight.sum()), 1e-12)
    best, _scores = top_k(np.where(usable, weight, 0.0)[None, :], n)
    best = best[0][best[0] >= 0]
    members: dict[str, list[int]] = {}
    for product, category in queries.products_in(names):
        members.setdefault(category, []).append(product)
    items = np.full((len(names), n), -1, np.int64)
    shares, inside = np.zeros((len(names), n), np.float32), np.zeros((len(names), n), bool)
    for code, name in enumerate(names):
        mine = artefact.products.codes(np.array(members.get(name, []), np.int64))
        mine = np.unique(mine[mine >= 0])
        n_orders, of_category = float(artefact.n_orders[mine].sum()), max(float(weight[mine].sum()), 1e-12)
        mine = mine[usable[mine]]
        both = np.union1d(mine, best)
        belongs = np.isin(both, mine)
        rate = n_orders * weight[both] / of_category * belongs + PRIOR_ORDERS * share[both]
        rate /= n_orders + PRIOR_ORDERS
        order = np.lexsort((both, -rate))[:n]
        items[code, : len(order)], inside[code, : len(order)] = both[order], belongs[order]
        shares[code, : len(order)] = rate[order]
    return items, shares, inside
