"""Mails that went to shoppers, as this app sees them: who sends them registers a source (campaigns.sent)."""

from typing import Any, Protocol

from django.db.models import QuerySet


class MailSource(Protocol):
    """Where one kind of mail to shoppers can be read."""

    def sent(self) -> QuerySet[Any]:
        """Return the mails that left, a row each.

        Columns: shopper_id, at (when it left) and message (its uuid, as Event.message says it); campaign__uuid and
        campaign__name can be asked for, and cost a join only then.
        """


_sources: dict[str, MailSource] = {}


def register(name: str, source: MailSource) -> None:
    """Make a kind of mail known; called once by the AppConfig of the app that sends it."""
    _sources[name] = source


def sources() -> list[MailSource]:
    """Return all kinds of mail that this installation knows."""
    return list(_sources.values())
