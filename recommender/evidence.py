"""Why each product was chosen: what the models say, in ids, with what was counted in the database at that moment."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recommender import queries
from recommender.artefacts import Artefact
from recommender.batch import Asked
from recommender.core.interactions import KINDS
from recommender.ladder import Candidates
from recommender.picks import CATEGORY, LEVELS, NEWEST, PERSONAL, POPULAR, SIMILAR, TRENDING

Because = dict[str, Any]
# What she did with a product, the strongest first: a sentence says the strongest.
STRENGTH = ("purchase", "rating", "cart", "favourite", "email_click", "view")
CART = KINDS.index("cart")
# A cart that was filled longer ago is taken for forgotten.
CART_DAYS = 30.0
COUNTED = (CATEGORY, TRENDING, POPULAR)


def because(asked: Asked, chosen: Candidates, model: Artefact | None, near: Artefact | None) -> list[list[Because]]:
    """Return the evidence of each chosen product, in lists as ``chosen`` has its rows; {} where it has none.

    ``model`` stands behind the personal rung, ``near`` behind the neighbours of products.
    """
    found = [[_of_rung(level) for level in row] for row in chosen.levels.tolist()]
    for artefact, level in ((model, PERSONAL), (near, SIMILAR)):
        if artefact:
            _explain(found, asked, chosen, artefact, level)
    _say_what_she_did(found, asked)
    products = chosen.products.tolist()
    _say_what_is_in_the_cart(found, asked, products)
    _count_buyers(found, asked, products)
    _name_categories(found, products)
    _say_what_came_back(found, asked, products)
    return found


def _of_rung(level: int) -> Because:
    return {"kind": LEVELS[level]} if LEVELS[level] in (*COUNTED, NEWEST) else {}


def _explain(found: list[list[Because]], asked: Asked, chosen: Candidates, artefact: Artefact, level: str) -> None:
    """Ask the model about its own picks, for all shoppers at once; items become product ids."""
    mine = (chosen.levels == LEVELS.index(level)) & (chosen.products >= 0)
    rows = np.flatnonzero(mine.any(axis=1))
    if not len(rows):
        return
    flat = artefact.products.codes(chosen.products[rows].ravel())
    items = np.where(mine[rows], flat.reshape(len(rows), -1), -1)
    answers = artefact.model.explain(asked.interactions(artefact).of(rows), items)
    for row, answer in zip(rows.tolist(), answers, strict=True):
        for place in np.flatnonzero(mine[row]).tolist():
            found[row][place] = _with_ids(answer[place], artefact.products.ids)


def _with_ids(evidence: Because, ids: np.ndarray) -> Because:
    if "items" not in evidence:
        return dict(evidence)
    rest = {name: value for name, value in evidence.items() if name != "items"}
    return rest | {"products": [int(ids[item]) for item in evidence["items"]]}


def _say_what_she_did(found: list[list[Because]], asked: Asked) -> None:
    """Add to evidence that names her own products what she did with each: a sentence says "bought" only if it is so."""
    cells = [
        (row, product, one)
        for row, line in enumerate(found)
        for one in line
        if one.get("kind") in ("because", "again")
        for product in one.get("products", ())
    ]
    if not cells:
        return
    rank = np.array([STRENGTH.index(kind) for kind in KINDS])
    span = int(asked.products.max(initial=0)) + 1
    keys = asked.rows.astype(np.int64) * span + asked.products
    order = np.lexsort((rank[asked.kinds], keys))
    keys, strongest = keys[order], rank[asked.kinds][order]
    wanted = np.array([row * span + product for row, product, _one in cells], np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    for (_row, _product, one), key, where in zip(cells, wanted.tolist(), place.tolist(), strict=True):
        known = len(keys) > 0 and int(keys[where]) == key
        one.setdefault("did", []).append(STRENGTH[int(strongest[where])] if known else "")


def _say_what_is_in_the_cart(found: list[list[Because]], asked: Asked, products: Sequence[Sequence[int]]) -> None:
    """Add whether a product that she put into the cart can still lie there: lately, and not taken out since."""
    cells = [
        (row, product, one)
        for row, (line, of_row) in enumerate(zip(found, products, strict=True))
        for one, product in zip(line, of_row, strict=True)
        if one.get("kind") == "cart" or (one.get("kind") == "again" and one.get("did") == ["cart"])
    ]
    if not cells:
        return
    mine = asked.kinds == CART
    put: dict[tuple[int, int], float] = {}
    for row, product, age in zip(asked.rows[mine], asked.products[mine], asked.ages[mine], strict=True):
        put[int(row), int(product)] = min(float(age), put.get((int(row), int(product)), float("inf")))
    shoppers = {int(asked.shoppers[row]) for row, _product, _one in cells}
    taken_out = queries.taken_out_of_carts(shoppers, {product for _row, product, _one in cells}, asked.at)
    for row, product, one in cells:
        age = put.get((row, product), float("inf"))
        out_at = taken_out.get((int(asked.shoppers[row]), product))
        out_age = (asked.at - out_at).total_seconds() / queries.SECONDS_A_DAY if out_at else float("inf")
        one["in_cart"] = age <= CART_DAYS and age < out_age


def _kinds(found: list[list[Because]], products: Sequence[Sequence[int]], kinds: Sequence[str]) -> set[int]:
    return {
        product
        for line, row in zip(found, products, strict=True)
        for one, product in zip(line, row, strict=True)
        if one.get("kind") in kinds and product >= 0
    }


def _count_buyers(found: list[list[Because]], asked: Asked, products: Sequence[Sequence[int]]) -> None:
    """Give what many bought its number of buyers, counted up to the moment of the decision."""
    wanted = _kinds(found, products, COUNTED)
    buyers = queries.recent_buyers(wanted, asked.at) if wanted else {}
    for line, row in zip(found, products, strict=True):
        for one, product in zip(line, row, strict=True):
            if one.get("kind") in COUNTED:
                one |= {"n": buyers.get(product, 0), "days": queries.POPULAR_DAYS}


def _name_categories(found: list[list[Because]], products: Sequence[Sequence[int]]) -> None:
    wanted = _kinds(found, products, [CATEGORY])
    names = dict(queries.categories_of(wanted)) if wanted else {}
    for line, row in zip(found, products, strict=True):
        for one, product in zip(line, row, strict=True):
            if one.get("kind") == CATEGORY:
                one["category"] = names.get(product, "")


def _say_what_came_back(found: list[list[Because]], asked: Asked, products: Sequence[Sequence[int]]) -> None:
    """Add when a product came back in stock, as seconds since 1970."""
    chosen = {product for row in products for product in row if product >= 0}
    back = queries.back_in_stock(chosen, asked.at) if chosen else {}
    for line, row in zip(found, products, strict=True) if back else ():
        for one, product in zip(line, row, strict=True):
            if product in back:
                one["back_at"] = int(back[product].timestamp())
