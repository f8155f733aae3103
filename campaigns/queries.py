"""Reads that span campaigns."""

from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Sum

from behaviour import consent
from behaviour.models import Shopper
from campaigns import planning
from campaigns.models import Campaign, Message

State = Message.State
FILTERS = {
    "draft": [Campaign.State.DRAFT],
    "scheduled": [Campaign.State.SCHEDULED],
    "sending": [Campaign.State.PLANNING, Campaign.State.RUNNING, Campaign.State.PAUSED],
    "sent": [Campaign.State.FINISHED, Campaign.State.CANCELLED],
}


def campaign_rows(which: str = "") -> "QuerySet[Campaign]":
    """Return campaigns with their counts, newest first; one query, each message read once."""
    rows = Campaign.objects.select_related("segment").prefetch_related("variants")
    if which in FILTERS:
        rows = rows.filter(state__in=FILTERS[which])
    sent = Q(messages__state=State.SENT)
    return rows.annotate(
        n_planned=Count("messages", filter=~Q(messages__state__in=[State.SKIPPED, State.CONTROL])),
        n_sent=Count("messages", filter=sent),
        n_delivered=Count("messages", filter=Q(messages__delivered_at__isnull=False)),
        n_opened=Count("messages", filter=Q(messages__opened_at__isnull=False)),
        n_clicked=Count("messages", filter=Q(messages__clicked_at__isnull=False)),
        n_ordered=Count("messages", filter=Q(messages__ordered_at__isnull=False)),
        revenue=Sum("messages__revenue"),
    ).order_by("-id")


def state_counts() -> dict[str, int]:
    """Count the campaigns behind each filter, "" being all."""
    by_state = dict(Campaign.objects.order_by().values_list("state").annotate(n=Count("pk")))
    counts = {name: sum(by_state.get(state, 0) for state in states) for name, states in FILTERS.items()}
    return {"": sum(by_state.values()), **counts}


@dataclass(frozen=True)
class Sample:
    """A shopper of the audience to look at a mail as, and her neighbours in the list."""

    shopper: Shopper
    number: int
    total: int


def sample(campaign: Campaign, number: int) -> Sample | None:
    """Return the number-th mailable shopper of the audience, biggest buyers first; numbers wrap around."""
    shoppers = _mailable(campaign)
    total = shoppers.count()
    if not total:
        return None
    number %= total
    return Sample(shoppers[number], number, total)


def first_shoppers(campaign: Campaign, n: int) -> "list[Shopper]":
    """Return the first n of the list that `sample` numbers."""
    return list(_mailable(campaign)[:n])


def _mailable(campaign: Campaign) -> "QuerySet[Shopper]":
    order = (F("profile__n_orders").desc(nulls_last=True), "pk")
    return consent.mailable(planning.audience(campaign)).select_related("profile").order_by(*order)
