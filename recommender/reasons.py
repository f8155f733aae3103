"""Evidence in words. Each sentence says only what was counted."""

from collections.abc import Callable
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from recommender import queries
from recommender.filters import SEPARATOR
from recommender.picks import Pick

Because = dict[str, Any]
WEEK, MONTH, YEAR = 7.0, 30.44, 365.25
# Kinds whose sentence says less than that the product came back.
NEWS_FIRST = ("looked", "cart", "category", "trending", "popular", "newest")
# Translated when it is known which one is said: a batch says tens of thousands.
BECAUSE = {
    "purchase": gettext_noop("Because you bought %(product)s"),
    "rating": gettext_noop("Because you liked %(product)s"),
    "cart": gettext_noop("Because you put %(product)s in your cart"),
    "favourite": gettext_noop("Because you saved %(product)s"),
}
LOOKED = gettext_noop("Because you looked at %(product)s")


def reasons_for(batch: dict[int, list[Pick]], language: str = "") -> dict[int, list[str]]:
    """Return the sentence of each pick of each shopper; product names are looked up once for the whole batch.

    ``language`` is the reader's; empty = the one that is active.
    """
    wanted = {product for picks in batch.values() for pick in picks for product in pick.because.get("products", [])}
    names = queries.product_names(wanted)
    with translation.override(language or translation.get_language() or "en"):
        return {shopper: _sentences(picks, names) for shopper, picks in batch.items()}


def reason_texts(picks: list[Pick], language: str = "") -> list[str]:
    """Return the sentences of one shopper's picks."""
    return reasons_for({0: picks}, language)[0]


def _sentences(picks: list[Pick], names: dict[int, str]) -> list[str]:
    """Write one mail's reasons; where the evidence leaves a choice, each names another product."""
    used: set[int] = set()
    return [_sentence(pick.because, names, used) for pick in picks]


def _sentence(because: Because, names: dict[int, str], used: set[int]) -> str:
    kind = because.get("kind", "")
    if "back_at" in because and kind in NEWS_FIRST:
        return _("Back in stock")
    if kind in OF_PRODUCTS:
        return OF_PRODUCTS[kind](because, names, used)
    if kind in PLAIN:
        return PLAIN[kind](because)
    return _("Picked for you")


def _because(because: Because, names: dict[int, str], used: set[int]) -> str:
    """Name the product of hers that speaks for the pick, by what she did with it."""
    own = [pair for pair in zip(because.get("products", []), because.get("did", []), strict=False) if pair[0] in names]
    told = [pair for pair in own if pair[1]]
    if not told:
        return _("Picked for you")
    product, did = next((pair for pair in told if pair[0] not in used), told[0])
    used.add(product)
    return _(BECAUSE.get(did, LOOKED)) % {"product": names[product]}


def _again(because: Because) -> str:
    """Say what she did with the very product; the rhythm only where there is one."""
    did = next(iter(because.get("did", [])), "")
    if because.get("gap_days") and because.get("times", 0) > 1:
        return _rhythm(because["gap_days"])
    if because.get("times") or did == "purchase":
        return _("You bought it before")
    if did == "cart":
        return _cart(because)
    return _("You saved it") if did == "favourite" else _("You looked at it")


def _rhythm(days: float) -> str:
    """Say how often she orders it, in the unit in which a person would."""
    if days < WEEK * 1.5:
        n = max(round(days), 1)
        return ngettext("You reorder it about every day", "You reorder it about every %(n)s days", n) % {"n": n}
    if days < MONTH * 1.5:
        n = round(days / WEEK)
        return ngettext("You reorder it about every week", "You reorder it about every %(n)s weeks", n) % {"n": n}
    if days < YEAR * 1.5:
        n = round(days / MONTH)
        return ngettext("You reorder it about every month", "You reorder it about every %(n)s months", n) % {"n": n}
    n = round(days / YEAR)
    return ngettext("You reorder it about every year", "You reorder it about every %(n)s years", n) % {"n": n}


def _cart(because: Because) -> str:
    return _("It’s in your cart") if because.get("in_cart") else _("You put it in your cart")


def _looked(_because: Because) -> str:
    return _("You looked at it")


def _rated(because: Because) -> str:
    n = because.get("n", 0)
    return ngettext("Rated by %(n)s shopper", "Rated by %(n)s shoppers", n) % {"n": f"{n:,}"}


def _category(because: Because) -> str:
    name = because.get("category", "").split(SEPARATOR)[-1]
    return _("Popular in %(category)s") % {"category": name} if name else _popular(because)


def _trending(because: Because) -> str:
    n = because.get("n", 0)
    if not n:
        return _popular(because)
    return ngettext(
        "Trending: %(n)s shopper ordered it in the last %(days)s days",
        "Trending: %(n)s shoppers ordered it in the last %(days)s days",
        n,
    ) % {"n": f"{n:,}", "days": because["days"]}


def _newest(_because: Because) -> str:
    # Nobody ordered it, so nothing more may be claimed.
    return _("From our range")


def _neighbours(because: Because, names: dict[int, str], used: set[int]) -> str:
    n = because["n"]
    shared = [
        (product, both)
        for product, both in zip(because["products"], because["counts"], strict=True)
        if both and product in names
    ]
    if shared:
        product, both = next((pair for pair in shared if pair[0] not in used), shared[0])
        used.add(product)
        return ngettext(
            "A shopper who bought %(product)s, like you, also bought it",
            "Shoppers who bought %(product)s, like you, also bought it",
            both,
        ) % {"product": names[product]}
    if n:
        return ngettext(
            "%(n)s shopper with a taste like yours bought it",
            "%(n)s shoppers with a taste like yours bought it",
            n,
        ) % {"n": n}
    return _("Shoppers with a taste like yours looked at it")


def _popular(because: Because) -> str:
    n = because.get("n", 0)
    if not n:
        return _("A favourite of our shoppers")
    return ngettext(
        "Ordered by %(n)s shopper in the last %(days)s days",
        "Ordered by %(n)s shoppers in the last %(days)s days",
        n,
    ) % {"n": f"{n:,}", "days": because["days"]}


# Sentences that name products of hers, and those that don't.
OF_PRODUCTS: dict[str, Callable[[Because, dict[int, str], set[int]], str]] = {
    "because": _because,
    "neighbours": _neighbours,
}
PLAIN: dict[str, Callable[[Because], str]] = {
    "again": _again,
    "cart": _cart,
    "looked": _looked,
    "rated": _rated,
    "category": _category,
    "trending": _trending,
    "popular": _popular,
    "newest": _newest,
}
