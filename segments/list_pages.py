"""What the pages of lists show, put together from queries and words."""

from typing import Any

from django.utils.translation import gettext as _

from mailai.ui import numbers
from segments import list_queries, usage
from segments.models import ShopperList

State = ShopperList.State


def rows(lists: list[ShopperList]) -> list[dict[str, Any]]:
    """Return the rows of the page; as many queries for one list as for all."""
    sizes, users = list_queries.sizes(lists), usage.users_of_lists(lists)
    return [
        {"list": one, "size": sizes.get(one.pk, 0), "source": source(one), "users": numbers.listed(users[one.pk])}
        for one in lists
    ]


def source(one: ShopperList) -> str:
    """Say where a list came from."""
    names = {"name": one.origin, "day": numbers.day(one.created_at)}
    if one.source == ShopperList.Source.FROZEN and not one.origin:
        return _("Shoppers of one cell of the migration, kept on %(day)s") % names
    if one.source == ShopperList.Source.FROZEN:
        return _("Segment “%(name)s”, frozen on %(day)s") % names
    if not one.n_rows and one.state == State.READY:
        return _("Made by hand on %(day)s") % names
    if one.origin:
        return _("Uploaded as %(name)s on %(day)s") % names
    return _("Pasted on %(day)s") % names


def detail(one: ShopperList) -> dict[str, Any]:
    """Return what the page of a list shows."""
    size = list_queries.sizes([one]).get(one.pk, 0) if one.state == State.READY else 0
    header, samples = one.file.get("header", []), one.file.get("samples", [])
    return {
        "list": one,
        "size": size,
        # Who was on it when it was made and is no shopper, or no other shopper, any more.
        "n_gone": max(0, one.n_members - size) if one.state == State.READY else 0,
        "source": source(one),
        "users": usage.users_of_lists([one])[one.pk],
        "columns": [(name, " · ".join(texts)) for name, texts in zip(header, samples, strict=False)],
        "uploaded": one.source == ShopperList.Source.UPLOADED,
    }
