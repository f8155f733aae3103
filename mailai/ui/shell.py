"""The frame around every page: which entries a person sees. Pages that come later appear by themselves."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailai.accounts.roles import has_role

Text = str | Promise


@dataclass(frozen=True)
class Entry:
    """One way to go. ``key`` is what views pass as ``nav``; ``keys`` is its shortcut, as shown."""

    key: str
    label: Text
    icon: str
    url_name: str
    keys: str = ""
    # Where it leads those who may not open the first.
    else_url_name: str = ""


@dataclass(frozen=True)
class Group:
    """Entries under one quiet heading."""

    label: Text
    entries: list[Any] = field(default_factory=list)


NAVIGATION = (
    Group("", [Entry("today", _("Today"), "sun-high", "analytics:today", "G T")]),
    Group(
        _("Audience"),
        [
            Entry("shoppers", _("Shoppers"), "user-circle", "analytics:shoppers", "G A"),
            Entry("segments", _("Segments"), "users-group", "segments:list", "G S"),
        ],
    ),
    Group(
        _("Send"),
        [
            Entry("campaigns", _("Campaigns"), "send", "campaigns:list", "G C"),
            Entry("inbox", _("Demo inbox"), "inbox", "campaigns:inbox"),
        ],
    ),
    Group(_("Learn"), [Entry("recommender", _("Recommender"), "sparkles", "recommender:models")]),
    Group(
        _("Set up"),
        [
            Entry("data", _("Data"), "database-import", "behaviour:imports", else_url_name="behaviour:products"),
            Entry("admin", _("Admin"), "settings", "accounts:team"),
        ],
    ),
)
ACTIONS = (
    Entry("new-campaign", _("New campaign"), "plus", "campaigns:new", "C"),
    Entry("new-segment", _("New segment"), "users-group", "segments:new"),
    Entry("predictions", _("Predictions"), "chart-dots", "segments:predictions"),
    Entry("upload", _("Upload a file"), "upload", "behaviour:import_new"),
    Entry("products", _("Products"), "package", "behaviour:products"),
    Entry("sending", _("Sending connections"), "at", "campaigns:senders"),
    Entry("audit", _("Audit log"), "history", "accounts:audit"),
    Entry("shop", _("Shop settings"), "building-store", "behaviour:shop"),
    Entry("profile", _("Your profile"), "user", "accounts:profile"),
)
BOTTOM_KEYS = ("today", "campaigns", "shoppers")


def allowed_url(user: Any, url_name: str) -> str:
    """Return the address if the page exists and this person may open it, else an empty text."""
    target = _target(url_name)
    if target is None:
        return ""
    url, roles = target
    return url if not roles or has_role(user, *roles) else ""


def navigation(user: Any) -> list[Group]:
    """Return the groups of the side bar, without what this person can't open."""
    groups = [Group(group.label, _rows(user, group.entries)) for group in NAVIGATION]
    return [group for group in groups if group.entries]


def bottom_bar(user: Any) -> list[dict[str, Any]]:
    """Return the entries of the phone's bottom bar; the page adds "More"."""
    rows = {row["key"]: row for group in navigation(user) for row in group.entries}
    return [rows[key] for key in BOTTOM_KEYS if key in rows]


def commands(user: Any) -> list[dict[str, Any]]:
    """Return what the command palette offers before anything is typed: actions, then pages."""
    pages = [entry for group in NAVIGATION for entry in group.entries]
    return _rows(user, [*ACTIONS, *pages])


def _rows(user: Any, entries: Any) -> list[dict[str, Any]]:
    found = (
        (entry, allowed_url(user, entry.url_name) or (entry.else_url_name and allowed_url(user, entry.else_url_name)))
        for entry in entries
    )
    return [
        {"key": entry.key, "label": entry.label, "icon": entry.icon, "url": url, "keys": entry.keys}
        for entry, url in found
        if url
    ]


@cache
def _target(url_name: str) -> tuple[str, tuple[str, ...]] | None:
    try:
        url = reverse(url_name)
        return url, getattr(resolve(url).func, "allowed_roles", ())
    except (NoReverseMatch, Resolver404):
        return None
