"""Evidence in words. Each sentence says only what was counted."""

from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from recommender import queries
from recommender.picks import Pick


def reasons_for(batch: dict[int, list[Pick]], language: str = "") -> dict[int, list[str]]:
    """Return the sentence of each pick of each shopper; product names are looked up once for the whole batch.

    ``language`` is the reader's; empty = the one that is active.
    """
    wanted = {product for picks in batch.values() for pick in picks for product in pick.because.get("products", [])[:1]}
    names = queries.product_names(wanted)
    with translation.override(language or translation.get_language() or "en"):
        return {shopper: [_sentence(pick.because, names) for pick in picks] for shopper, picks in batch.items()}


def reason_texts(picks: list[Pick], language: str = "") -> list[str]:
    """Return the sentences of one shopper's picks."""
    return reasons_for({0: picks}, language)[0]


def _sentence(because: dict[str, Any], names: dict[int, str]) -> str:
    if because.get("kind") == "neighbours":
        return _neighbours(because, names)
    return _popular(because)


def _neighbours(because: dict[str, Any], names: dict[int, str]) -> str:
    n = because["n"]
    product = next((names[p] for p in because["products"][:1] if p in names), "")
    if n and product:
        return ngettext(
            "A shopper who bought %(product)s, like you, also bought it",
            "Shoppers who bought %(product)s, like you, also bought it",
            n,
        ) % {"product": product}
    if n:
        return ngettext(
            "%(n)s shopper with a taste like yours bought it",
            "%(n)s shoppers with a taste like yours bought it",
            n,
        ) % {"n": n}
    return _("Shoppers with a taste like yours looked at it")


def _popular(because: dict[str, Any]) -> str:
    n = because.get("n", 0)
    if not n:
        return _("A favourite of our shoppers")
    return ngettext(
        "Ordered by %(n)s shopper in the last %(days)s days",
        "Ordered by %(n)s shoppers in the last %(days)s days",
        n,
    ) % {"n": f"{n:,}", "days": because["days"]}
