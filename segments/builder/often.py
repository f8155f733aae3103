"""Conditions that are often added: one click each."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from segments.models import Prediction


@dataclass(frozen=True)
class Often:
    """A ready condition. One that is ``open`` still wants a value; one with ``forecast`` wants predictions."""

    label: Any
    rule: dict[str, Any]
    open: bool = False
    forecast: bool = False


OFTEN: dict[str, Often] = {
    "twice": Often(
        _("Ordered twice in 90 days"),
        {"did": "purchase", "times": {"op": ">=", "n": 2}, "within": {"days": 90}},
    ),
    "opened": Often(_("Opened an email this month"), {"mail": "opened", "within": {"days": 30}}),
    "leaves": Often(_("Likely to leave"), {"field": "churn_chance", "op": ">=", "value": 0.5}, forecast=True),
    "orders": Often(
        _("Likely to order in 30 days"), {"field": "order_chance", "op": ">=", "value": 0.5}, forecast=True
    ),
    "viewed": Often(
        _("Viewed, but did not buy"),
        {
            "sequence": {
                "first": {"did": "view"}, "then": {"did": "purchase"}, "happened": False, "days": 3,
                "same_product": True,
            },
            "within": {"days": 30},
        },
    ),
    "lives": Often(_("Lives in…"), {"field": "country", "op": "=", "value": ""}, open=True),
}  # fmt: skip


def suggested() -> list[tuple[str, Any]]:
    """Return key and label of what can be suggested now."""
    forecast = Prediction.objects.exists()
    return [(key, one.label) for key, one in OFTEN.items() if forecast or not one.forecast]
