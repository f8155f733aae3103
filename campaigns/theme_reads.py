"""Reads of who opened and clicked which mails, and of what these said; set-based, arrays out."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Case, Count, Exists, F, IntegerField, Min, OuterRef, Q, QuerySet, Value, When

from behaviour.models import Product
from campaigns.core import mail_words
from campaigns.models import Campaign, Message, Variant
from mailai.chunks import chunks
from recommender.core.theme_text import Said
from recommender.core.themes import Exposures
from segments.builder.choices import Choices

# The newest campaigns that are learnt from, and so many of their mails at most: a million take 12 MB.
N_CAMPAIGNS, MAX_MAILS = 100, 5_000_000
READ_CHUNK, ID_CHUNK = 50_000, 2_000
# Who has not clicked by then will hardly do so; invented shoppers answer within the hour.
SETTLED, SETTLED_DEMO = timedelta(days=1), timedelta(hours=1)
NOTHING, OPENED, CLICKED, MACHINE = range(4)
# Categories that a mail is about at most; one that names a dozen is about none of them.
MAX_CATEGORIES = 6


def settled(at: datetime) -> "QuerySet[Message]":
    """Return the mails that arrived and were there long enough to be answered before a moment."""
    old = Q(sent_at__lte=at - SETTLED) | Q(campaign__demo=True, sent_at__lte=at - SETTLED_DEMO)
    return Message.objects.filter(old, state=Message.State.SENT, bounced_at=None).order_by()


def campaigns_to_learn_from(at: datetime) -> list[int]:
    """Return the ids of the newest campaigns with settled mails, oldest first; fewer of very large ones."""
    rows = settled(at).values("campaign").annotate(n=Count("pk"), first=Min("sent_at")).order_by("-first", "-campaign")
    found: list[int] = []
    total = 0
    for row in rows[:N_CAMPAIGNS]:
        total += row["n"]
        if found and total > MAX_MAILS:
            break
        found.append(row["campaign"])
    return found[::-1]


def new_campaigns(since: datetime, at: datetime, known: Collection[int]) -> bool:
    """Say whether the first mails of a campaign had their time between two moments; ``known`` ones are not asked for.

    Looked up by when mails were sent: what was settled before costs nothing.
    """
    sent = Message.objects.filter(state=Message.State.SENT, bounced_at=None).exclude(campaign__in=known).order_by()
    windows = [
        sent.filter(sent_at__gt=since - SETTLED, sent_at__lte=at - SETTLED),
        sent.filter(campaign__demo=True, sent_at__gt=since - SETTLED_DEMO, sent_at__lte=at - SETTLED_DEMO),
    ]
    found = {pk for rows in windows for pk in rows.values_list("campaign", flat=True).distinct()}
    before = Exists(settled(since).filter(campaign=OuterRef("pk")))
    return bool(found) and Campaign.objects.filter(~before, pk__in=found).exists()


def mails(
    campaign_ids: Sequence[int], at: datetime, shopper_ids: Collection[int] | None = None
) -> tuple[Exposures, np.ndarray]:
    """Return the settled mails of these campaigns, themes in their order, and the shopper of each place, ascending.

    With ``shopper_ids`` only theirs, places in that order, and whoever got none has none. What happened after ``at``
    did not happen.
    """
    found = settled(at).filter(campaign__in=list(campaign_ids))
    code = Case(
        When(clicked_at__lte=at, then=Value(CLICKED)),
        When(opened_at__lte=at, then=Value(OPENED)),
        When(machine_opened_at__lte=at, then=Value(MACHINE)),
        default=Value(NOTHING), output_field=IntegerField(),
    )  # fmt: skip
    asked = [found] if shopper_ids is None else [found.filter(shopper__in=ids) for ids in chunks(shopper_ids, ID_CHUNK)]
    parts = [np.empty((0, 3), np.int64)]
    for rows in asked:
        columns = rows.values_list("shopper_id", "campaign_id", code).iterator(chunk_size=READ_CHUNK)
        parts += [np.array(part, np.int64) for part in chunks(columns, READ_CHUNK)]
    shoppers, campaigns, what = np.concatenate(parts).T
    people = np.unique(shoppers) if shopper_ids is None else np.array(list(shopper_ids), np.int64)
    order = np.argsort(people, kind="stable")
    places = order[np.searchsorted(people, shoppers, sorter=order)] if len(shoppers) else shoppers
    number = {pk: n for n, pk in enumerate(campaign_ids)}
    themes = np.array([number[pk] for pk in campaigns.tolist()], np.int64)
    clicked, shape = what == CLICKED, (len(people), len(campaign_ids))
    return Exposures(places, themes, clicked, clicked | (what == OPENED), what != MACHINE, shape), people


def said(campaigns: Iterable[Campaign]) -> list[Said]:
    """Return what campaigns say, in their order: subjects and previews, categories, products, layout; three queries."""
    asked = list(campaigns)
    variants: dict[int, list[Variant]] = defaultdict(list)
    for variant in Variant.objects.filter(campaign__in=[one.pk for one in asked]).defer("compiled").order_by("label"):
        variants[variant.campaign_id].append(variant)
    sources = [one.mjml for rows in variants.values() for one in rows]
    linked = _linked({address for source in sources for address in mail_words.addresses(source)})
    paths = [path for path, _label in Choices().categories]
    return [_said(one, variants[one.pk], linked, paths) for one in asked]


def _linked(addresses: set[str]) -> dict[str, tuple[str, str]]:
    """Return name and category of the products behind addresses."""
    rows: list[tuple[str, str, str]] = []
    for part in chunks(addresses, ID_CHUNK):
        rows += Product.objects.filter(url__in=part).values_list("url", "name", "category")
    return {url: (name, category) for url, name, category in rows}


def _said(campaign: Campaign, variants: list[Variant], linked: dict[str, tuple[str, str]], paths: list[str]) -> Said:
    words = [mail_words.plain(text) for one in variants for text in (one.subject, one.preheader)]
    products = [linked[address] for one in variants for address in mail_words.addresses(one.mjml) if address in linked]
    categories = [*campaign.filters.get("categories", ()), *(category for _name, category in products if category)]
    categories += mail_words.named(" ".join(words), paths)
    text = " ".join([*words, *sorted({name for name, _category in products})])
    layout = next((one.template for one in variants if one.template), "")
    return Said(text, tuple(dict.fromkeys(categories))[:MAX_CATEGORIES], layout)


def of_shopper(shopper_id: int, at: datetime, n: int) -> "QuerySet[Message, Any]":
    """Return campaign, open and click of the newest mails of a shopper that had their time."""
    rows = settled(at).filter(shopper=shopper_id).order_by("-sent_at", "-pk")
    return rows.values("campaign_id", "opened_at", "clicked_at", "machine_opened_at", at=F("sent_at"))[:n]
