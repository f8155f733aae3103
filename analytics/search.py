"""What the search field finds. An email address is never searched here: it would stand in a URL and in logs."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from behaviour.models import Product, Shopper
from campaigns.models import Campaign
from mailai.ui import shell
from segments.models import Segment

PER_KIND = 4
MIN_LETTERS = 2


@dataclass(frozen=True)
class Hit:
    """One thing that was found; ``kind`` says what it is."""

    kind: str
    label: str
    icon: str
    url: str


def find(user: Any, words: str) -> list[Hit]:
    """Return pages, campaigns, segments, products and shoppers (by pseudonym) that fit; four queries."""
    words = words.strip()
    if len(words) < MIN_LETTERS:
        return []
    if "@" in words:
        return [Hit(_("Shoppers"), _("Find a shopper by email address"), "user-search", reverse("analytics:shoppers"))]
    return [
        *_pages(user, words),
        *(_hit(_("Campaign"), one.name, "send", *_campaign_page(one)) for one in _campaigns(words)),
        *(_hit(_("Segment"), one.name, "users-group", "segments:detail", one.uuid) for one in _segments(words)),
        *(_hit(_("Shopper"), one, "user-circle", "analytics:shopper", one) for one in _shoppers(words)),
        *_products(words),
    ]


def _pages(user: Any, words: str) -> list[Hit]:
    rows = [row for row in shell.commands(user) if words.lower() in str(row["label"]).lower()]
    return [Hit(_("Page"), str(row["label"]), row["icon"], row["url"]) for row in rows[:PER_KIND]]


def _campaigns(words: str) -> Any:
    return Campaign.objects.filter(name__icontains=words).order_by("-pk")[:PER_KIND]


def _campaign_page(campaign: Campaign) -> tuple[str, Any]:
    drafted = campaign.state in (Campaign.State.DRAFT, Campaign.State.SCHEDULED)
    return ("campaigns:review" if drafted else "analytics:report"), campaign.uuid


def _segments(words: str) -> Any:
    return Segment.objects.filter(name__icontains=words)[:PER_KIND]


def _shoppers(words: str) -> Any:
    begin = words.upper() if words.upper().startswith("S-") else f"S-{words.upper()}"
    found = Shopper.objects.filter(pseudonym__startswith=begin).order_by("pseudonym")
    return found.values_list("pseudonym", flat=True)[:PER_KIND]


def _products(words: str) -> list[Hit]:
    found = Product.objects.filter(Q(name__icontains=words) | Q(sku__istartswith=words)).order_by("name", "pk")
    return [
        _hit(_("Product"), one.name or one.sku, "package", "behaviour:product", one.sku)
        for one in found.only("name", "sku")[:PER_KIND]
    ]


def _hit(kind: str, label: str, icon: str, url_name: str, *args: Any) -> Hit:
    return Hit(kind, label, icon, reverse(url_name, args=args))
