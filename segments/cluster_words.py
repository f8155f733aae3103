"""Groups of similar shoppers in words: their names, their figures, and why there are none."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from mailai.ui import numbers
from segments.core.clusters import FEWEST
from segments.models import Cluster, Clustering

# Trait -> at the beginning of a name, and further on in it.
TRAITS: dict[str, tuple[Any, Any]] = {
    "orders+": (gettext_lazy("Frequent buyers"), gettext_lazy("frequent orders")),
    "orders-": (gettext_lazy("Few orders"), gettext_lazy("few orders")),
    "basket+": (gettext_lazy("Big baskets"), gettext_lazy("big baskets")),
    "basket-": (gettext_lazy("Small baskets"), gettext_lazy("small baskets")),
    "recency+": (gettext_lazy("Long away"), gettext_lazy("long away")),
    "recency-": (gettext_lazy("Bought lately"), gettext_lazy("bought lately")),
    "discount+": (gettext_lazy("Bargain hunters"), gettext_lazy("at a discount")),
    "discount-": (gettext_lazy("Full-price buyers"), gettext_lazy("at full price")),
    "focus+": (gettext_lazy("Fans of one category"), gettext_lazy("one category")),
    "focus-": (gettext_lazy("Buyers of everything"), gettext_lazy("many categories")),
    "christmas+": (gettext_lazy("Christmas shoppers"), gettext_lazy("before Christmas")),
    "christmas-": (gettext_lazy("Not at Christmas"), gettext_lazy("not at Christmas")),
    "visits+": (gettext_lazy("Regular visitors"), gettext_lazy("often here")),
    "visits-": (gettext_lazy("Rare visitors"), gettext_lazy("seldom here")),
    "engagement+": (gettext_lazy("Readers of email"), gettext_lazy("read email")),
    "engagement-": (gettext_lazy("Hardly open email"), gettext_lazy("hardly open email")),
}
TOGETHER: dict[tuple[str, ...], Any] = {
    ("basket+", "christmas+"): gettext_lazy("Big baskets before Christmas"),
    ("basket-", "christmas+"): gettext_lazy("Small baskets before Christmas"),
    ("christmas+", "orders-"): gettext_lazy("Only before Christmas"),
    ("christmas+", "discount+"): gettext_lazy("Bargain hunters before Christmas"),
    ("recency+", "visits-"): gettext_lazy("Gone quiet"),
    ("orders+", "visits+"): gettext_lazy("Regulars"),
    ("basket+", "orders+"): gettext_lazy("Big baskets, often"),
    ("discount+", "focus+"): gettext_lazy("Bargain hunters of one category"),
}
# Figure -> its label.
FIGURES: dict[str, Any] = {
    "spending": gettext_lazy("Spent"),
    "orders": gettext_lazy("Orders"),
    "basket": gettext_lazy("Average order"),
    "recency": gettext_lazy("Last order, days ago"),
    "discount": gettext_lazy("At a discount"),
    "focus": gettext_lazy("One category"),
    "christmas": gettext_lazy("Before Christmas"),
    "visits": gettext_lazy("Visit days"),
    "engagement": gettext_lazy("Email, 0–100"),
}
MONEY, SHARES, WHOLE = ("spending", "basket"), ("discount", "focus", "christmas"), ("recency", "engagement")
# Kaufman and Rousseeuw (1990), Finding groups in data, chapter 2: reasonable structure above, hardly any below.
CLEAR, HARDLY = 0.5, 0.25
STAYED, MOSTLY = 0.9, 0.6


def names(clusters: Iterable[Cluster]) -> dict[int, str]:
    """Return the name of each group by number; no two are the same."""
    found: dict[int, str] = {}
    for one in clusters:
        name = said(one)
        found[one.number] = f"{name} ({one.number})" if name in found.values() else name
    return found


def said(cluster: Cluster) -> str:
    """Return the name that a person gave, or one said from the traits."""
    traits = [code for code in cluster.traits.get("traits", ()) if code in TRAITS]
    if cluster.name:
        return cluster.name
    if not traits:
        return _("Like most shoppers")
    words = [str(TOGETHER[pair])] if (pair := tuple(sorted(traits[:2]))) in TOGETHER else []
    words = words or [str(TRAITS[traits[0]][0]), *(str(TRAITS[code][1]) for code in traits[1:2])]
    words += [str(TRAITS[code][1]) for code in traits[2:]]
    return pgettext("between traits of a group", ", ").join(words)


def figure(name: str, mean: float | None, currency: str) -> str:
    """Return a group's mean as people write it."""
    if mean is None:
        return numbers.NOTHING
    if name in MONEY:
        return numbers.money(mean, currency)
    if name in SHARES:
        return numbers.percent(mean)
    return numbers.count(round(mean)) if name in WHOLE else f"{mean:,.1f}"


def why_none(clustering: Clustering | None) -> str:
    """Return why there are no groups; "" where there are."""
    if clustering is None:
        return _("Groups are made every night, once the profiles of your shoppers are.")
    if clustering.n_clusters:
        return ""
    if clustering.n_shoppers < FEWEST:
        n = clustering.n_shoppers
        has = ngettext("%(n)s shopper has ordered so far.", "%(n)s shoppers have ordered so far.", n) % {"n": n}
        return _("Groups begin to say something at %(few)s shoppers with an order.") % {"few": FEWEST} + f" {has}"
    return _("All shoppers with an order buy alike so far: there is nothing to tell groups apart by.")


def how_sure(clustering: Clustering) -> list[str]:
    """Return sentences on how clear the groups are and how far they stayed the same."""
    score = next((one["score"] for one in clustering.tried if one["k"] == clustering.n_clusters), 0.0)
    clear = _("The groups have soft edges: some shoppers stand in between.")
    if score > CLEAR:
        clear = _("The groups differ clearly.")
    elif score <= HARDLY:
        clear = _("The groups overlap much: take them as a rough sketch.")
    if clustering.stability is None:
        return [clear]
    if clustering.stability >= STAYED:
        return [clear, _("Nearly everybody is in the same group as at the last run.")]
    if clustering.stability >= MOSTLY:
        return [clear, _("Most are in the same group as at the last run.")]
    return [clear, _("Many changed their group since the last run.")]
