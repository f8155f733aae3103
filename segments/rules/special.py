"""Conditions that are neither fields nor behaviour: a day that comes round, a list."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Min, Q, QuerySet

from behaviour.models import Shopper
from segments.models import Profile, ShopperListMember
from segments.rules.context import Context
from segments.rules.windows import ONE_DAY, anniversaries, midnight

PATHS = {"sign_up": "signed_up_at", "first_order": "profile__first_order_at"}


def anniversary(rule: Mapping[str, Any], context: Context, *, wanted: bool) -> Q:
    """Return whose sign-up or first order has its day within so many days; compared as moments, one range a year."""
    path, today = PATHS[rule["anniversary"]], context.today
    first, last = today + timedelta(days=rule["from_days"]), today + timedelta(days=rule["to_days"])
    holds = Q(pk__isnull=True)
    for begins, ends in anniversaries(first, last, _earliest(rule["anniversary"], context)):
        after = midnight(ends + ONE_DAY, context.zone)
        holds |= Q(**{f"{path}__gte": midnight(begins, context.zone), f"{path}__lt": after})
    return holds if wanted else ~holds | Q(**{f"{path}__isnull": True})


def _earliest(kind: str, context: Context) -> int:
    """Return the year of the first sign-up or order of the shop."""
    if kind == "sign_up":
        found = Shopper.objects.aggregate(at=Min("signed_up_at"))["at"]
    else:
        found = Profile.objects.aggregate(at=Min("first_order_at"))["at"]
    return found.astimezone(context.zone).year if found else context.today.year


def members(list_id: int) -> "QuerySet[Any]":
    """Return the ids of those on a list."""
    return ShopperListMember.objects.filter(list=list_id).values("shopper_id")
