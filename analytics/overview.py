"""What Today shows: a fixed number of grouped queries over campaigns, messages and orders."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from analytics.core.lift import Group, Lift, pooled
from analytics.core.rates import MIN_BASE, Rate, rate
from analytics.queries import COUNTS, ORDERED, campaign_lifts
from behaviour.models import Event, Shop
from campaigns.models import Campaign, Message

State = Campaign.State
PERIOD = timedelta(days=28)
N_WEEKS = 12
N_RECENT = 5
LEFT_THE_HOUSE = (State.RUNNING, State.PAUSED, State.FINISHED, State.CANCELLED)
COMING = (State.SCHEDULED, State.PLANNING, State.RUNNING, State.PAUSED)
# Orders per week change slowly; counting them reads every order of twelve weeks.
WEEKS_CACHED_SECONDS = 300
# Of campaigns whose window is over; a late upload or refund shows after this time.
LIFTS_CACHED_SECONDS = 600


@dataclass(frozen=True)
class Line:
    """One campaign with its counts and its lift."""

    campaign: Campaign
    counts: dict[str, int]
    revenue: float
    lift: Lift

    @property
    def opened(self) -> Rate:
        """Share of delivered mails that people opened."""
        return rate(self.counts["opened"], self.counts["delivered"])

    @property
    def clicked(self) -> Rate:
        """Share of delivered mails that were clicked."""
        return rate(self.counts["clicked"], self.counts["delivered"])


@dataclass(frozen=True)
class Period:
    """The campaigns that left within 28 days, added up."""

    lines: list[Line]

    def rate(self, name: str) -> Rate:
        """Return the rate of all delivered mails of the period together."""
        delivered = sum(line.counts["delivered"] for line in self.lines)
        return rate(sum(line.counts[name] for line in self.lines), delivered)

    def series(self, name: str) -> list[float]:
        """Return the rate of each campaign, oldest first, leaving out those too young to say."""
        rates = [rate(line.counts[name], line.counts["delivered"]) for line in reversed(self.lines)]
        return [one.value for one in rates if one.value is not None and one.n >= MIN_BASE]

    @property
    def lifts(self) -> list[Lift]:
        """Return the comparisons of the period's campaigns."""
        return [line.lift for line in self.lines]


@dataclass(frozen=True)
class Week:
    """Shoppers who ordered among those who were mailed and those held back, by the week of the campaign."""

    monday: date
    treated: Rate
    control: Rate


def recent_lines(now: datetime) -> list[Line]:
    """Return the campaigns of the last twelve weeks and the newest few, newest first."""
    campaigns = Campaign.objects.filter(state__in=LEFT_THE_HOUSE, send_at__isnull=False).order_by("-send_at")
    newest = list(campaigns[:N_RECENT])
    since = now - max(timedelta(weeks=N_WEEKS), 2 * PERIOD)
    older = campaigns.filter(send_at__gte=since).exclude(pk__in=[one.pk for one in newest])
    return with_figures([*newest, *older])


def with_figures(campaigns: list[Campaign]) -> list[Line]:
    """Add counts and lift to campaigns; a fixed number of queries, however many there are."""
    ids = [campaign.pk for campaign in campaigns]
    rows = (
        Message.objects.filter(campaign_id__in=ids)
        .order_by()
        .values("campaign_id")
        .annotate(**COUNTS, brought=Sum("revenue", filter=ORDERED))
    )
    counts: dict[int, dict[str, Any]] = {row["campaign_id"]: dict(row) for row in rows}
    lifts = _lifts(campaigns, timedelta(days=Shop.current().attribution_days))
    return [
        Line(
            campaign,
            {name: counts.get(campaign.pk, {}).get(name, 0) for name in COUNTS},
            float(counts.get(campaign.pk, {}).get("brought") or 0),
            lifts[campaign.pk],
        )
        for campaign in campaigns
    ]


def _lifts(campaigns: list[Campaign], window: timedelta) -> dict[int, Lift]:
    """Return each campaign's comparison; where all orders are in, it is remembered for some minutes."""
    over = timezone.now() - window
    keys = {f"analytics.lift.{one.pk}.{window.days}": one.pk for one in campaigns if one.send_at and one.send_at < over}
    found = {keys[key]: lift for key, lift in cache.get_many(keys).items()}
    missing = campaign_lifts([one.pk for one in campaigns if one.pk not in found], window)
    cache.set_many({key: missing[pk] for key, pk in keys.items() if pk in missing}, LIFTS_CACHED_SECONDS)
    return found | missing


def period(lines: list[Line], end: datetime) -> Period:
    """Return the campaigns that left within the 28 days before ``end``."""
    return Period([line for line in lines if line.campaign.send_at and end - PERIOD <= line.campaign.send_at < end])


def complete(lines: list[Line], shop: Shop, now: datetime) -> list[Line]:
    """Return the campaigns of the last twelve weeks whose orders are all counted: younger ones would look weak."""
    since, until = now - timedelta(weeks=N_WEEKS), now - timedelta(days=shop.attribution_days)
    return [line for line in lines if line.campaign.send_at and since <= line.campaign.send_at <= until]


def weeks(lines: list[Line], shop: Shop) -> list[Week]:
    """Add up the comparisons by the week in which the campaigns left, oldest first; weeks without one are left out."""
    found: dict[date, list[Lift]] = {}
    for line in lines:
        if line.campaign.send_at and line.lift.difference:
            on = shop.day_of(line.campaign.send_at)
            found.setdefault(on - timedelta(days=on.weekday()), []).append(line.lift)
    return [
        Week(monday, _share([one.treated for one in lifts]), _share([one.control for one in lifts]))
        for monday, lifts in sorted(found.items())[-N_WEEKS:]
    ]


def _share(groups: list[Group]) -> Rate:
    return rate(sum(group.n_buyers for group in groups), sum(group.n_shoppers for group in groups))


def pooled_lift(lines: list[Line]) -> tuple[float, float, float] | None:
    """Return the relative lift over all campaigns together with its range; None without orders in the control group.

    The extra buyers are summed over campaigns and set against what the same shoppers would have bought like the
    control group.
    """
    orders, _money = pooled([line.lift for line in lines])
    expected = sum(line.lift.control.share * line.lift.treated.n_shoppers for line in lines if line.lift.difference)
    if orders is None or not expected:
        return None
    return orders.value / expected, orders.low / expected, orders.high / expected


def orders_per_week(shop: Shop, now: datetime) -> list[tuple[date, int]]:
    """Count orders in each of the last twelve full weeks of the shop's calendar up to the newest order."""
    newest = Event.objects.filter(kind=Event.Kind.PURCHASE).aggregate(at=Max("at"))["at"]
    if newest is None:
        return []
    today = shop.day_of(min(newest, now))
    # The week of the newest order is still filling, so it is left out.
    end = today - timedelta(days=today.weekday())
    key = f"analytics.weeks.{end}"
    found = cache.get(key)
    if found is None:
        found = _count_orders([end - timedelta(weeks=n) for n in range(N_WEEKS, -1, -1)], shop)
        cache.set(key, found, WEEKS_CACHED_SECONDS)
    return found


def _count_orders(mondays: list[date], shop: Shop) -> list[tuple[date, int]]:
    edges = [datetime(day.year, day.month, day.day, tzinfo=shop.zone) for day in mondays]
    orders = Event.objects.filter(kind=Event.Kind.PURCHASE, at__gte=edges[0], at__lt=edges[-1])
    counts = orders.aggregate(
        **{
            f"week{n}": Count("order_ref", filter=Q(at__gte=edges[n], at__lt=edges[n + 1]), distinct=True)
            for n in range(len(edges) - 1)
        }
    )
    return [(mondays[n], counts[f"week{n}"]) for n in range(len(edges) - 1)]


def coming() -> list[Any]:
    """Return what is being sent, waits for its time or is paused, with how far it is."""
    return list(
        Campaign.objects.filter(state__in=COMING)
        .annotate(
            n_planned=Count("messages", filter=~Q(messages__state__in=[Message.State.SKIPPED, Message.State.CONTROL])),
            n_sent=Count("messages", filter=Q(messages__state=Message.State.SENT)),
            n_in_doubt=Count("messages", filter=Q(messages__state=Message.State.IN_DOUBT)),
        )
        .order_by("send_at", "pk")[:6]
        .values("uuid", "name", "state", "send_at", "pause_reason", "n_planned", "n_sent", "n_in_doubt")
    )


def local_now(shop: Shop) -> datetime:
    """Return the time on the shop's clock."""
    return timezone.now().astimezone(shop.zone)
