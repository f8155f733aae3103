"""Who got, opened, clicked or ignored mails; opens and clicks by people only."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, QuerySet

from behaviour.models import Event
from segments import mails
from segments.rules.context import Context
from segments.rules.windows import bounds

# When each happened, as segments.mails.MailSource gives it.
MOMENTS = {"got": "at", "ignored": "at", "opened": "opened_at", "clicked": "clicked_at"}


def shoppers(rule: Mapping[str, Any], context: Context, op: str, n: int) -> "QuerySet[Any]":
    """Return the ids of those to whom it happened with at least, or exactly, n mails; n is at least 1."""
    found = mails_within(rule, context)
    if found is None:
        return Event.objects.none().values("shopper_id")
    if (op, n) == (">=", 1):
        return found.values("shopper_id")
    grouped = found.values("shopper_id").annotate(n_times=Count("pk"))
    return grouped.filter(**{"n_times" if op == "=" else "n_times__gte": n}).values("shopper_id")


def mails_within(rule: Mapping[str, Any], context: Context) -> "QuerySet[Any] | None":
    """Return the mails that a condition is about; None while no app sends any."""
    found = mails.sent()
    if found is None:
        return None
    moment, window = MOMENTS[rule["mail"]], rule.get("within")
    start, end = bounds(window, context.now, context.zone if window else None)
    found = found.filter(**{f"{moment}__isnull": False}).order_by()
    if rule["mail"] == "ignored":
        found = found.filter(opened_at__isnull=True, clicked_at__isnull=True)
    if "campaign" in rule:
        found = found.filter(campaign_uuid=rule["campaign"])
    if start is not None:
        found = found.filter(**{f"{moment}__gte": start})
    return found if end is None else found.filter(**{f"{moment}__lt": end})
