"""What a segment rule can ask about: the fields, and which comparisons each kind of field knows."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from behaviour.models import ConsentState
from segments.models import Profile

WHOLE, DECIMAL, MONEY, DAYS, CHOICE, TEXT, BOUGHT = "whole", "decimal", "money", "days", "choice", "text", "bought"
NUMBERS = (WHOLE, DECIMAL, MONEY)
COMPARISONS = ("=", "!=", ">=", ">", "<=", "<")
LISTS = ("in", "not_in")
PRESENCE = ("known", "unknown")
OPERATORS: dict[str, tuple[str, ...]] = {
    WHOLE: (">=", "<=", "=", "!=", ">", "<", *PRESENCE),
    DECIMAL: (">=", "<=", "=", "!=", ">", "<", *PRESENCE),
    MONEY: (">=", "<=", "=", "!=", ">", "<", *PRESENCE),
    DAYS: (">=", "<=", "=", "!=", ">", "<", *PRESENCE),
    CHOICE: ("=", "!=", *LISTS),
    TEXT: ("=", "!=", *LISTS, *PRESENCE),
    BOUGHT: ("=", "!=", *LISTS),
}
# Holds also for who has no value at all: "country is not France" includes an unknown country.
NEGATIVE = {"!=": "=", "not_in": "in", "unknown": "known"}


@dataclass(frozen=True)
class Field:
    """One thing a rule can ask. `label` stands on the page, `subject` inside a sentence, `path` on the Shopper row."""

    name: str
    kind: str
    path: str
    label: Any
    subject: Any
    group: Any
    choices: tuple[tuple[str, Any], ...] = ()


ORDERS, MONEY_GROUP, SCORES = _("Orders"), _("Spending"), _("Standing")
INTERESTS, EMAIL, PERSON = _("Interests"), _("Email"), _("About the shopper")

FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("n_orders", WHOLE, "profile__n_orders", _("Orders"), _("number of orders"), ORDERS),
        Field(
            "n_orders_90d",
            WHOLE,
            "profile__n_orders_90d",
            _("Orders in 90 days"),
            _("number of orders in 90 days"),
            ORDERS,
        ),
        Field(
            "n_orders_365d",
            WHOLE,
            "profile__n_orders_365d",
            _("Orders in a year"),
            _("number of orders in a year"),
            ORDERS,
        ),
        Field(
            "n_products",
            WHOLE,
            "profile__n_products",
            _("Different products"),
            _("number of different products bought"),
            ORDERS,
        ),
        Field("days_since_last_order", DAYS, "profile__last_order_at", _("Last order"), _("last order"), ORDERS),
        Field("days_since_first_order", DAYS, "profile__first_order_at", _("First order"), _("first order"), ORDERS),
        Field(
            "order_gap_days",
            DECIMAL,
            "profile__order_gap_days",
            _("Days between orders"),
            _("usual number of days between orders"),
            ORDERS,
        ),
        Field("monetary", MONEY, "profile__monetary", _("Spent"), _("spending"), MONEY_GROUP),
        Field(
            "monetary_365d", MONEY, "profile__monetary_365d", _("Spent in a year"), _("spending in a year"), MONEY_GROUP
        ),
        Field("average_basket", MONEY, "profile__average_basket", _("Average order"), _("average order"), MONEY_GROUP),
        Field("stage", CHOICE, "profile__stage", _("Stage"), _("stage"), SCORES, tuple(Profile.Stage.choices)),
        Field("recency_score", WHOLE, "profile__recency_score", _("Recency score"), _("recency score"), SCORES),
        Field("frequency_score", WHOLE, "profile__frequency_score", _("Frequency score"), _("frequency score"), SCORES),
        Field("monetary_score", WHOLE, "profile__monetary_score", _("Spending score"), _("spending score"), SCORES),
        Field(
            "favourite_category",
            TEXT,
            "profile__favourite_category",
            _("Favourite category"),
            _("favourite category"),
            INTERESTS,
        ),
        Field("bought_category", BOUGHT, "", _("Bought"), _("shopping"), INTERESTS),
        Field("days_since_last_event", DAYS, "profile__last_event_at", _("Last seen"), _("last visit"), INTERESTS),
        Field(
            "n_opens_90d",
            WHOLE,
            "profile__n_opens_90d",
            _("Emails opened in 90 days"),
            _("number of emails opened in 90 days"),
            EMAIL,
        ),
        Field(
            "n_clicks_90d",
            WHOLE,
            "profile__n_clicks_90d",
            _("Clicks in 90 days"),
            _("number of clicks in 90 days"),
            EMAIL,
        ),
        Field("days_since_last_open", DAYS, "profile__last_open_at", _("Last open"), _("last opened email"), EMAIL),
        Field("days_since_last_click", DAYS, "profile__last_click_at", _("Last click"), _("last click"), EMAIL),
        Field(
            "marketing",
            CHOICE,
            "marketing",
            _("Marketing consent"),
            _("marketing consent"),
            PERSON,
            tuple(ConsentState.choices),
        ),
        Field("country", TEXT, "country", _("Country"), _("country"), PERSON),
        Field("language", TEXT, "locale", _("Language"), _("language"), PERSON),
        Field("days_since_sign_up", DAYS, "signed_up_at", _("Signed up"), _("sign-up"), PERSON),
    )
}
