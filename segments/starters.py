"""Four segments that every shop can start from."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Starter:
    """A ready-made rule and what it is good for."""

    key: str
    name: Any
    use: Any
    icon: str
    rule: dict[str, Any]


STARTERS: dict[str, Starter] = {
    starter.key: starter
    for starter in (
        Starter(
            "loyal",
            _("Loyal shoppers"),
            _("Three orders or more, and on time. Thank them, show them what is new."),
            "heart",
            {"all": [{"field": "stage", "op": "=", "value": "loyal"}]},
        ),
        Starter(
            "at-risk",
            _("At risk, high value"),
            _("Spent much, but are later than your shoppers usually are. Win them back."),
            "alert-triangle",
            {
                "all": [
                    {"field": "stage", "op": "=", "value": "at_risk"},
                    {"field": "monetary_score", "op": ">=", "value": 4},
                ]
            },
        ),
        Starter(
            "once",
            _("Bought once"),
            _("One order so far. Personal picks for the second one."),
            "shopping-bag",
            {"all": [{"field": "n_orders", "op": "=", "value": 1}]},
        ),
        Starter(
            "engaged",
            _("Engaged with email"),
            _("Clicked or opened often in the last 90 days. They like to hear from you."),
            "mail-opened",
            {
                "any": [
                    {"field": "n_clicks_90d", "op": ">=", "value": 1},
                    {"field": "n_opens_90d", "op": ">=", "value": 3},
                ]
            },
        ),
    )
}
