"""What a campaign wishes of its picks (recommender.filters): as it is kept, in words, and how many products fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour.catalogue import sellable
from behaviour.models import Shop
from campaigns.models import Campaign
from mailai.ui import numbers
from recommender.filters import Filters

# The share of slots that a draw fills; where a campaign says nothing of it, the whole installation's share holds.
EXPLORATION = "exploration"


@dataclass(frozen=True)
class Fitting:
    """How many products fit the wishes, and how many of them one mail can show (at most so many of a category)."""

    n_products: int
    n_slots: int


def kept(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return wishes as a campaign keeps them: checked, and only those that were given.

    Raises
    ------
    InputError : a value makes no sense.
    """
    share = given.get(EXPLORATION)
    plain = Filters.from_json(dict(given), exploration=share or 0.0).to_json()
    return plain if share is None else plain | {EXPLORATION: float(share)}


def filters_of(campaign: Campaign, *, draw: bool = False) -> Filters:
    """Return what a campaign wants of its picks; ``draw``: with the share that is tried out, seeded by the campaign."""
    share = campaign.filters.get(EXPLORATION, default_share()) if draw else 0.0
    return Filters.from_json(campaign.filters, exploration=share, decision=campaign.seed)


def default_share() -> float:
    """Return the share of slots that is tried out where a campaign says nothing else."""
    return float(settings.MAILAI_EXPLORATION) / 100


def fitting(filters: Filters) -> Fitting:
    """Count the products that can be sold and fit; one query, a row a category."""
    rows = sellable().filter(filters.prices).order_by().values_list("category").annotate(n=Count("pk"))
    counts = [(category, n) for category, n in rows if filters.wants(category)]
    most = filters.per_category
    # What has no category is limited by none.
    slots = sum(min(n, most) if most and category else n for category, n in counts)
    return Fitting(sum(n for _category, n in counts), slots)


def words(campaign: Campaign) -> list[str]:
    """Return each wish as a short sentence for the composer; empty = nothing is wished."""
    filters, currency = filters_of(campaign), Shop.current().currency
    said = [_("bought products may come again")] if filters.repeats else []
    if filters.categories:
        said.append(_("only %(categories)s") % {"categories": numbers.listed(filters.categories)})
    if filters.not_categories:
        said.append(_("never %(categories)s") % {"categories": numbers.listed(filters.not_categories)})
    said += _prices(filters, currency)
    if n := filters.per_category:
        said.append(ngettext("at most %(n)s of a category", "at most %(n)s of a category", n) % {"n": n})
    if n := filters.rest_mails:
        text = ngettext("not what the last email showed", "not what the last %(n)s emails showed", n)
        said.append(text % {"n": n})
    if (share := campaign.filters.get(EXPLORATION)) is not None:
        said.append(_("%(share)s tried out") % {"share": numbers.percent(share)})
    return said


def _prices(filters: Filters, currency: str) -> list[str]:
    low, high = (
        None if limit is None else numbers.price(limit, currency)
        for limit in (filters.lowest_price, filters.highest_price)
    )
    if low and high:
        return [_("%(low)s to %(high)s") % {"low": low, "high": high}]
    if low:
        return [_("from %(price)s") % {"price": low}]
    return [_("up to %(price)s") % {"price": high}] if high else []
