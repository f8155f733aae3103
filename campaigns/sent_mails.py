"""What segments may know about our mails (segments.mails)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from campaigns.models import Campaign, Message


class SentMails:
    """Messages as a segments.mails.MailSource."""

    def sent(self) -> QuerySet[Any]:
        """Return the messages that left, with when, by which campaign, and a person's first open and click."""
        # Also a message in doubt that turned out to be sent has its time; the control group never has one.
        left = Message.objects.filter(state=Message.State.SENT, sent_at__isnull=False)
        return left.annotate(at=F("sent_at"), campaign_uuid=F("campaign__uuid"))

    def names(self, campaigns: Iterable[UUID]) -> dict[UUID, str]:
        """Return the names of those campaigns that exist."""
        return dict(Campaign.objects.filter(uuid__in=list(campaigns)).values_list("uuid", "name"))
