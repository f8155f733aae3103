"""Everything that the report of a campaign shows: a fixed number of grouped queries, none per shopper."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncMinute
from django.utils import timezone
from django.utils.translation import gettext as _

from analytics.core.lift import Estimate, Group, Lift, lift, mean_interval
from analytics.core.rates import Rate, rate
from analytics.core.timeline import Series, binned, half_by
from behaviour.catalogue_pages import picture_address
from behaviour.models import Event, Shop
from campaigns.core import decisions
from campaigns.models import Campaign, LinkClick, Message

State = Message.State
SENT = Q(state=State.SENT)
# SMTP only says that it took the mail, so whatever was sent and did not come back counts as delivered.
DELIVERED = SENT & Q(bounced_at__isnull=True)
# A click needs an open mail, also where pictures are off.
OPENED = DELIVERED & (Q(opened_at__isnull=False) | Q(clicked_at__isnull=False))
MACHINE_ONLY = DELIVERED & Q(machine_opened_at__isnull=False, opened_at__isnull=True, clicked_at__isnull=True)
CLICKED = DELIVERED & Q(clicked_at__isnull=False)
ORDERED = DELIVERED & Q(ordered_at__isnull=False)
UNSUBSCRIBED = DELIVERED & Q(unsubscribed_at__isnull=False)
COMPLAINED = DELIVERED & Q(complained_at__isnull=False)
# Intention to treat: whoever drew an arm that sends, whatever became of the mail. Who was skipped before the draw
# carries no arm, and the control group knows nobody of that kind either.
TREATED = ~Q(arm__in=["", decisions.CONTROL])
CONTROL = Q(state=State.CONTROL)

COUNTS: dict[str, Any] = {
    "planned": Count("pk", filter=TREATED),
    "control": Count("pk", filter=CONTROL),
    "skipped": Count("pk", filter=Q(state=State.SKIPPED)),
    "waiting": Count("pk", filter=Q(state__in=[State.PLANNED, State.CLAIMED, State.SENDING])),
    "sent": Count("pk", filter=SENT),
    "failed": Count("pk", filter=Q(state=State.FAILED)),
    "in_doubt": Count("pk", filter=Q(state=State.IN_DOUBT)),
    "bounced": Count("pk", filter=SENT & Q(bounced_at__isnull=False)),
    "delivered": Count("pk", filter=DELIVERED),
    "opened": Count("pk", filter=OPENED),
    "machine_opened": Count("pk", filter=MACHINE_ONLY),
    "clicked": Count("pk", filter=CLICKED),
    "ordered": Count("pk", filter=ORDERED),
    "unsubscribed": Count("pk", filter=UNSUBSCRIBED),
    "complained": Count("pk", filter=COMPLAINED),
}
# Base of each rate; all others are shares of the delivered mails.
RATE_BASES = {"delivered": "sent", "bounced": "sent"}
# Rows of the tables of clicked products and links.
TOP_CLICKED = 8
# How many earlier campaigns say what is usual.
N_USUAL = 5
RATES = ("delivered", "bounced", "opened", "clicked", "ordered", "unsubscribed", "complained")


@dataclass(frozen=True)
class Part:
    """One row of a table that splits the campaign: a lifecycle stage or a variant."""

    key: str
    label: str
    delivered: int
    opened: int
    clicked: Rate
    ordered: int
    revenue: float


@dataclass(frozen=True)
class Clicked:
    """A product or a link: shoppers who clicked it, and their clicks."""

    label: str
    image: str
    n_shoppers: int
    n_clicks: int


@dataclass(frozen=True)
class Report:
    """Every figure of one campaign's report page."""

    campaign: Campaign
    currency: str
    attribution_days: int
    began_at: datetime | None
    last_sent_at: datetime | None
    # Orders count from the planned moment for so many days; until then the comparison is not final.
    counted_until: datetime | None
    is_final: bool
    counts: dict[str, int]
    rates: dict[str, Rate]
    # Of the campaigns just before, together.
    usual_rates: dict[str, Rate]
    revenue: float
    revenue_per_message: Estimate | None
    lift: Lift
    skipped: dict[str, int]
    series: Series
    half_of_clicks_minutes: float | None
    stages: list[Part]
    variants: list[Part]
    products: list[Clicked]
    links: list[Clicked]

    @property
    def per_hour(self) -> float | None:
        """Messages per hour while it was sending; None for fewer than two."""
        if not self.began_at or not self.last_sent_at or self.counts["sent"] < 2:
            return None
        hours = max((self.last_sent_at - self.began_at).total_seconds(), 1) / 3600
        return self.counts["sent"] / hours


def campaign_report(campaign: Campaign, now: datetime | None = None) -> Report:
    """Return every figure of the campaign's report."""
    now = now or timezone.now()
    shop = Shop.current()
    messages = Message.objects.filter(campaign=campaign)
    totals = messages.aggregate(
        **COUNTS,
        revenue=Sum("revenue", filter=ORDERED),
        began_at=Min("sent_at"),
        last_at=Max("sent_at"),
        due=Max("due_at"),
    )
    counts = {name: totals[name] for name in COUNTS}
    days = timedelta(days=shop.attribution_days)
    ends = totals["due"] + days if totals["due"] else None
    opens, clicks = (_minutes(messages, field, totals["began_at"]) for field in ("opened_at", "clicked_at"))
    return Report(
        campaign=campaign,
        currency=shop.currency,
        attribution_days=shop.attribution_days,
        began_at=totals["began_at"],
        last_sent_at=totals["last_at"],
        counted_until=min(ends, now) if ends else None,
        is_final=bool(ends and ends <= now),
        counts=counts,
        rates=rates_of(counts),
        usual_rates=rates_of(usual_counts(campaign)),
        revenue=float(totals["revenue"] or 0),
        revenue_per_message=_per_message(messages, counts["delivered"]),
        lift=campaign_lifts([campaign.pk], days)[campaign.pk],
        skipped=skip_reasons(messages),
        series=binned(opens, clicks, _span(opens + clicks)),
        half_of_clicks_minutes=half_by(clicks),
        stages=_parts(messages, "shopper__profile__stage"),
        variants=_parts(messages, "variant__label", "variant__subject"),
        products=clicked_products(campaign),
        links=clicked_links(campaign),
    )


def campaign_lifts(campaign_ids: list[int], window: timedelta) -> dict[int, Lift]:
    """Compare planned and held-back shoppers of each campaign by their orders in the window; two queries for all.

    The window opens at the planned moment for both groups, so the time that sending takes favours neither.
    """
    rows = (
        Message.objects.filter(TREATED | CONTROL, campaign_id__in=campaign_ids)
        .order_by()
        .values("campaign_id")
        .annotate(treated=COUNTS["planned"], control=COUNTS["control"], first=Min("due_at"), last=Max("due_at"))
    )
    sizes: dict[int, Any] = {row["campaign_id"]: row for row in rows}
    bought: dict[tuple[int, bool], list[tuple[int, float]]] = {}
    for pk, state, n_orders, spent in _buyers(list(sizes.values()), window):
        bought.setdefault((pk, state == State.CONTROL), []).append((n_orders, float(spent or 0)))

    def group(pk: int, control: bool) -> Group:
        found = bought.get((pk, control), [])
        n_shoppers = sizes.get(pk, {}).get("control" if control else "treated", 0)
        spent = np.array([amount for _n, amount in found], dtype=float)
        return Group(n_shoppers, len(found), sum(n for n, _amount in found), spent)

    return {pk: lift(group(pk, False), group(pk, True)) for pk in campaign_ids}


def _buyers(sizes: list[dict[str, Any]], window: timedelta) -> Any:
    """One row per message whose shopper ordered in the window: campaign, state, number of orders, what they cost.

    Each campaign brings its own span of time as constants, so that the database reads the orders of those days and not
    those of years; the parts are joined into one query.
    """
    parts = [
        Message.objects.filter(
            TREATED | CONTROL,
            # A join passes by the manager that hides the events of an import that still runs.
            Q(shopper__events__upload=None) | Q(shopper__events__upload__hidden=False),
            campaign_id=size["campaign_id"],
            shopper__events__kind=Event.Kind.PURCHASE,
            shopper__events__at__range=(size["first"], size["last"] + window),
            due_at__lte=F("shopper__events__at"),
            due_at__gt=F("shopper__events__at") - window,
        )
        .order_by()
        .values("pk")
        .annotate(n_orders=Count("shopper__events__order_ref", distinct=True), spent=Sum("shopper__events__amount"))
        .values_list("campaign_id", "state", "n_orders", "spent")
        for size in sizes
    ]
    return parts[0].union(*parts[1:], all=True) if parts else []


def _per_message(messages: "QuerySet[Message]", n_delivered: int) -> Estimate | None:
    spent = np.array(list(messages.filter(ORDERED).values_list("revenue", flat=True)), dtype=float)
    return mean_interval(Group(n_delivered, spent.size, spent.size, spent))


def skip_reasons(messages: "QuerySet[Message]") -> dict[str, int]:
    """Count who will not get it, by reason, most frequent first."""
    rows = messages.filter(state=State.SKIPPED).order_by().values_list("skip_reason").annotate(n=Count("pk"))
    return dict(sorted(rows, key=lambda row: -row[1]))


def _minutes(messages: "QuerySet[Message]", field: str, began_at: datetime | None) -> list[tuple[float, int]]:
    """Count first opens or clicks per minute since sending began."""
    if began_at is None:
        return []
    start = began_at.replace(second=0, microsecond=0)
    rows = (
        messages.filter(DELIVERED, **{f"{field}__isnull": False})
        .order_by()
        .values_list(TruncMinute(field))
        .annotate(n=Count("pk"))
    )
    return sorted(((at - start).total_seconds() / 60, n) for at, n in rows)


def _span(points: list[tuple[float, int]]) -> float:
    """Return the minutes that the time chart covers: all that happened, at least a quarter of an hour."""
    return max([15.0, *(minutes + 1 for minutes, _ in points)])


def _parts(messages: "QuerySet[Message]", key: str, label: str = "") -> list[Part]:
    rows = (
        messages.filter(SENT)
        .order_by()
        .values(key, *([label] if label else []))
        .annotate(
            **{name: COUNTS[name] for name in ("delivered", "opened", "clicked", "ordered")},
            brought=Sum("revenue", filter=ORDERED),
        )
        .order_by(F("brought").desc(nulls_last=True), "-delivered")
    )
    return [
        Part(
            key=row[key] or "",
            label=row[label] if label else "",
            delivered=row["delivered"],
            opened=row["opened"],
            clicked=rate(row["clicked"], row["delivered"]),
            ordered=row["ordered"],
            revenue=float(row["brought"] or 0),
        )
        for row in rows
    ]


def clicked_products(campaign: Campaign) -> list[Clicked]:
    """Return the products that were clicked, most shoppers first."""
    rows = _clicks(campaign, "product__name", of_products=True).values_list(
        "product__name", "product__sku", "product__image", "product__image_state", "shoppers", "n"
    )
    return [
        Clicked(name or sku, picture_address(sku, image, state), people, n)
        for name, sku, image, state, people, n in rows[:TOP_CLICKED]
    ]


def clicked_links(campaign: Campaign) -> list[Clicked]:
    """Return the clicked links that lead to no product, most shoppers first; a deleted product leaves its place."""
    rows = _clicks(campaign, "link__number", of_products=False).values_list(
        "link__label", "link__url", "link__pick", "shoppers", "n"
    )
    return [
        Clicked(label or url or _("Pick %(place)s") % {"place": (pick or 0) + 1}, "", people, n)
        for label, url, pick, people, n in rows[:TOP_CLICKED]
    ]


def _clicks(campaign: Campaign, then_by: str, *, of_products: bool) -> "QuerySet[Any]":
    return (
        LinkClick.objects.filter(message__campaign=campaign, product__isnull=not of_products)
        .values("product_id" if of_products else "link_id")
        .annotate(shoppers=Count("message", distinct=True), n=Sum("n_clicks"))
        .order_by("-shoppers", then_by)
    )


def usual_counts(campaign: Campaign) -> dict[str, int]:
    """Add up the counts of the campaigns just before this one, to compare its rates with; all zero for the first."""
    if campaign.send_at is None:
        return dict.fromkeys(COUNTS, 0)
    before = Campaign.objects.filter(state=Campaign.State.FINISHED, send_at__lt=campaign.send_at).order_by("-send_at")
    ids = list(before.values_list("pk", flat=True)[:N_USUAL])
    return Message.objects.filter(campaign_id__in=ids).aggregate(**COUNTS)


def rates_of(counts: dict[str, int]) -> dict[str, Rate]:
    """Return every rate on its base."""
    return {name: rate(counts[name], counts[RATE_BASES.get(name, "delivered")]) for name in RATES}
