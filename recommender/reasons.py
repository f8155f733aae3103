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
    sentences = []
    for pick in picks:
        kind = pick.because.get("kind")
        if kind == "neighbours":
            sentences.append(_neighbours(pick.because, names, used))
        elif kind == "popular":
            sentences.append(_popular(pick.because))
        else:
            # Nobody ordered it, so nothing more may be claimed.
            sentences.append(_("From our range"))
    return sentences


def _neighbours(because: dict[str, Any], names: dict[int, str], used: set[int]) -> str:
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


def _popular(because: dict[str, Any]) -> str:
    n = because.get("n", 0)
    if not n:
        return _("A favourite of our shoppers")
    return ngettext(
        "Ordered by %(n)s shopper in the last %(days)s days",
        "Ordered by %(n)s shoppers in the last %(days)s days",
        n,
    ) % {"n": f"{n:,}", "days": because["days"]}
