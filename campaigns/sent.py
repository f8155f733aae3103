"""The mails of campaigns, for who wants to know what a shopper got (segments.mails)."""

from typing import Any

from django.db.models import F, QuerySet

from campaigns.models import Message


class SentMails:
    """Messages of campaigns that left; the control group got none."""

    def sent(self) -> QuerySet[Any]:
        """Return them with the columns that segments.mails.MailSource promises."""
        return Message.objects.filter(sent_at__isnull=False).annotate(at=F("sent_at"), message=F("uuid"))
