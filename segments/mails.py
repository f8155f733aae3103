"""The mails that shoppers got, known here by a registry: the app that sends them stands above this one."""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Model, QuerySet


class MailSource(Protocol):
    """Where sent mails are kept."""

    def sent(self) -> QuerySet[Any]:
        """Return the mails that left, a row each.

        Every row has ``shopper_id``, ``at`` (when it was sent), ``campaign_uuid``, and the first ``opened_at`` and
        ``clicked_at`` by a person, null where that never was: what a mail program fetched of its own accord is none.
        """

    def table(self) -> tuple[type[Model], tuple[str, ...]]:
        """Return the model of those rows, and the columns that ``sent`` reads."""

    def names(self, campaigns: Iterable[UUID]) -> dict[UUID, str]:
        """Return the names of those campaigns that exist."""

    def newest(self, n: int) -> dict[UUID, str]:
        """Return the names of the last campaigns that were sent, the newest first."""


_sources: list[MailSource] = []


def register(source: MailSource) -> None:
    """Make the one source of mails known; called when the app that sends them is ready."""
    _sources[:] = [source]


def sent() -> QuerySet[Any] | None:
    """Return the mails that left (MailSource.sent); None while no app sends any."""
    return _sources[0].sent() if _sources else None


def table() -> tuple[type[Model], tuple[str, ...]] | None:
    """Return where mails are kept (MailSource.table); None while no app sends any."""
    return _sources[0].table() if _sources else None


def names(campaigns: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of those campaigns that exist."""
    return _sources[0].names(campaigns) if _sources else {}


def newest(n: int) -> dict[UUID, str]:
    """Return the names of the last campaigns that were sent, the newest first."""
    return _sources[0].newest(n) if _sources else {}
