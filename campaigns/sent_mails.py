"""What segments may know about our mails (segments.mails), and about campaigns that use segments (segments.usage)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F, Model, QuerySet

from campaigns.models import Campaign, Message
from segments.models import Segment


def waiting() -> list[tuple[str, Any]]:
    """Return name and rule of the campaigns whose audience is not settled yet (segments.usage)."""
    found = Campaign.objects.filter(planned_at__isnull=True).exclude(state=Campaign.State.CANCELLED)
    rules = [(one.name, one.rule or _whole(one.segment)) for one in found.select_related("segment")]
    return [(name, rule) for name, rule in rules if rule]


def _whole(segment: Segment | None) -> dict[str, Any] | None:
    return {"segment": str(segment.uuid)} if segment else None


class SentMails:
    """Messages as a segments.mails.MailSource."""

    def sent(self) -> QuerySet[Any]:
        """Return the messages that left, with when, by which campaign, and a person's first open and click."""
        # Also a message in doubt that turned out to be sent has its time; the control group never has one.
        left = Message.objects.filter(state=Message.State.SENT, sent_at__isnull=False)
        return left.annotate(at=F("sent_at"), campaign_uuid=F("campaign__uuid"))

    def table(self) -> tuple[type[Model], tuple[str, ...]]:
        """Return the model of messages, and the columns that ``sent`` reads."""
        return Message, ("id", "shopper_id", "campaign_id", "state", "sent_at", "opened_at", "clicked_at")

    def names(self, campaigns: Iterable[UUID]) -> dict[UUID, str]:
        """Return the names of those campaigns that exist."""
        return dict(Campaign.objects.filter(uuid__in=list(campaigns)).values_list("uuid", "name"))

    def newest(self, n: int) -> dict[UUID, str]:
        """Return the names of the last campaigns that were sent, the newest first."""
        sent = Campaign.objects.filter(planned_at__isnull=False).order_by("-planned_at", "-pk")
        return dict(sent.values_list("uuid", "name")[:n])
