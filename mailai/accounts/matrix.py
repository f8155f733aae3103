"""What each role may do, read from the views themselves, so that the page can't promise what the code refuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.translation import gettext_lazy as _

from mailai.accounts.roles import ROLES

# What people ask about, and the address that answers for it.
CAPABILITIES = (
    (_("Upload data and undo an upload"), _("CSV files of behaviour, products, shoppers"), "behaviour:import_new"),
    (_("See names and email addresses"), _("With a reason, written to the audit log"), "analytics:reveal"),
    (_("Build segments"), _("Rules over profiles"), "segments:new"),
    (_("Build and send campaigns"), _("Drafts, tests, sending, pausing"), "campaigns:new"),
    (_("Read reports"), _("Totals and rates"), "analytics:report"),
    (_("Train models and change the live one"), _("Train, promote, roll back"), "recommender:train"),
    (_("Sending accounts and shop settings"), _("Servers, sender names, postal address"), "campaigns:senders"),
    (_("People and audit log"), _("Invite, change roles, lock out"), "accounts:team"),
)


@dataclass(frozen=True)
class Capability:
    """One row of the matrix: may[i] answers for ROLES[i]."""

    label: str
    hint: str
    may: list[bool]


def capabilities() -> list[Capability]:
    """Return the rows whose pages exist."""
    allowed = dict(_named_views(get_resolver()))
    return [
        Capability(str(label), str(hint), [role in allowed[name] for role in ROLES])
        for label, hint, name in CAPABILITIES
        if name in allowed
    ]


def _named_views(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _named_views(entry, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            view: Any = entry.callback
            yield f"{namespace}{entry.name}", getattr(view, "allowed_roles", ())
