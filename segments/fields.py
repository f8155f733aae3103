"""What a segment rule can ask about: the fields, and which comparisons each kind of field knows."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from behaviour.models import ConsentState
from segments.models import Profile

WHOLE, DECIMAL, MONEY, DAYS, CHOICE, TEXT, BOUGHT = "whole", "decimal", "money", "days", "choice", "text", "bought"
# A share or chance from 0 to 1; days until a date; the number of a group of the newest clustering.
SHARE, AHEAD, CLUSTER = "share", "ahead", "cluster"
NUMBERS = (WHOLE, DECIMAL, MONEY, SHARE, AHEAD, CLUSTER)
NUMERIC = (*NUMBERS, DAYS)
WHOLE_KINDS = (WHOLE, DAYS, AHEAD, CLUSTER)
LISTS = ("in", "not_in")
BETWEEN = "between"
PRESENCE = ("known", "unknown")
MEASURED = (">=", "<=", "=", "!=", ">", "<", BETWEEN, *PRESENCE)
OPERATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((WHOLE, DECIMAL, MONEY, SHARE, DAYS, AHEAD), MEASURED),
    CHOICE: ("=", "!=", *LISTS),
    CLUSTER: ("=", "!=", *LISTS, *PRESENCE),
    TEXT: ("=", "!=", *LISTS, *PRESENCE),
    BOUGHT: ("=", "!=", *LISTS),
}
MAX_NUMBER, MAX_DAYS, MAX_AHEAD = 1_000_000_000, 36_500, 3_650
# Holds also for who has no value at all: "country is not France" includes an unknown country.
NEGATIVE = {"!=": "=", "not_in": "in", "unknown": "known"}


@dataclass(frozen=True)
class Field:
    """One thing a rule can ask. `label` stands on the page, `subject` inside a sentence, `path` on the Shopper row.

    Numbers lie between `low` and `high`, both included. Where choices are `numbered`, the
    database holds their place in the list.
    """

    name: str
    kind: str
    path: str
    label: Any
    subject: Any
    group: Any
    choices: tuple[tuple[str, Any], ...] = ()
    low: float = -MAX_NUMBER
    high: float = MAX_NUMBER
    numbered: bool = False

    def stored(self, value: Any) -> Any:
        """Return what the database holds for a value of a rule."""
        return [key for key, _label in self.choices].index(value) if self.numbered else value


def _days(name: str, path: str, label: Any, subject: Any, group: Any) -> Field:
    return Field(name, DAYS, path, label, subject, group, low=0, high=MAX_DAYS)


def _share(name: str, path: str, label: Any, subject: Any, group: Any) -> Field:
    return Field(name, SHARE, path, label, subject, group, low=0, high=1)


def _whole(name: str, path: str, label: Any, subject: Any, group: Any, high: int) -> Field:
    return Field(name, WHOLE, path, label, subject, group, low=0, high=high)


WEEKDAYS = (
    ("monday", _("Monday")), ("tuesday", _("Tuesday")), ("wednesday", _("Wednesday")), ("thursday", _("Thursday")),
    ("friday", _("Friday")), ("saturday", _("Saturday")), ("sunday", _("Sunday")),
)  # fmt: skip
ORDERS, MONEY_GROUP, SCORES = _("Orders"), _("Spending"), _("Standing")
INTERESTS, EMAIL, PERSON, NEXT = _("Interests"), _("Email"), _("About the shopper"), _("What comes next")

FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("n_orders", WHOLE, "profile__n_orders", _("Orders"), _("number of orders"), ORDERS),
        Field(
            "n_orders_30d",
            WHOLE,
            "profile__n_orders_30d",
            _("Orders in 30 days"),
            _("number of orders in 30 days"),
            ORDERS,
        ),
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
        _days("days_since_last_order", "profile__last_order_at", _("Last order"), _("last order"), ORDERS),
        _days("days_since_first_order", "profile__first_order_at", _("First order"), _("first order"), ORDERS),
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
        _days("days_since_last_event", "profile__last_event_at", _("Last seen"), _("last visit"), INTERESTS),
        _days("days_since_last_view", "profile__last_view_at", _("Last look"), _("last look at a product"), INTERESTS),
        _days(
            "days_since_last_cart",
            "profile__last_cart_at",
            _("Last in the cart"),
            _("last product in the cart"),
            INTERESTS,
        ),
        Field(
            "n_views_30d",
            WHOLE,
            "profile__n_views_30d",
            _("Looks in 30 days"),
            _("number of looks at products in 30 days"),
            INTERESTS,
        ),
        Field(
            "n_visit_days_90d",
            WHOLE,
            "profile__n_visit_days_90d",
            _("Days with a visit in 90 days"),
            _("number of days with a visit in 90 days"),
            INTERESTS,
        ),
        Field(
            "favourite_brand", TEXT, "profile__favourite_brand", _("Favourite brand"), _("favourite brand"), INTERESTS
        ),
        Field("price_band", WHOLE, "profile__price_band", _("Price band"), _("price band"), INTERESTS, low=1, high=5),
        _share(
            "discount_share",
            "profile__discount_share",
            _("Bought at a discount"),
            _("share bought at a discount"),
            INTERESTS,
        ),
        _whole("best_hour", "profile__best_hour", _("Best hour"), _("best hour"), INTERESTS, 23),
        Field(
            "best_weekday",
            CHOICE,
            "profile__best_weekday",
            _("Best weekday"),
            _("best weekday"),
            INTERESTS,
            WEEKDAYS,
            numbered=True,
        ),
        Field(
            "cluster",
            CLUSTER,
            "profile__cluster",
            _("Group of similar shoppers"),
            _("group of similar shoppers"),
            SCORES,
            low=0,
            high=1000,
        ),
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
        _days("days_since_last_open", "profile__last_open_at", _("Last open"), _("last opened email"), EMAIL),
        _days("days_since_last_click", "profile__last_click_at", _("Last click"), _("last click"), EMAIL),
        _whole("engagement", "profile__engagement", _("Engagement with email"), _("engagement with email"), EMAIL, 100),
        _share("fatigue", "profile__fatigue", _("Tired of email"), _("tiredness of email"), EMAIL),
        Field(
            "n_received_30d",
            WHOLE,
            "profile__n_received_30d",
            _("Emails got in 30 days"),
            _("number of emails got in 30 days"),
            EMAIL,
        ),
        Field(
            "n_received_90d",
            WHOLE,
            "profile__n_received_90d",
            _("Emails got in 90 days"),
            _("number of emails got in 90 days"),
            EMAIL,
        ),
        _share(
            "order_chance",
            "prediction__order_chance",
            _("Likely to order in 30 days"),
            _("chance to order in 30 days"),
            NEXT,
        ),
        _share("churn_chance", "prediction__churn_chance", _("Likely to leave"), _("chance to leave"), NEXT),
        _share(
            "gone_chance",
            "prediction__gone_chance",
            _("Likely to be gone for a year"),
            _("chance to order nothing for a year"),
            NEXT,
        ),
        Field(
            "orders_30d",
            DECIMAL,
            "prediction__orders_30d",
            _("Expected orders in 30 days"),
            _("expected number of orders in 30 days"),
            NEXT,
        ),
        Field(
            "orders_90d",
            DECIMAL,
            "prediction__orders_90d",
            _("Expected orders in 90 days"),
            _("expected number of orders in 90 days"),
            NEXT,
        ),
        Field(
            "spend_30d",
            DECIMAL,
            "prediction__spend_30d",
            _("Expected spending in 30 days"),
            _("expected spending in 30 days"),
            NEXT,
        ),
        Field(
            "spend_90d",
            DECIMAL,
            "prediction__spend_90d",
            _("Expected spending in 90 days"),
            _("expected spending in 90 days"),
            NEXT,
        ),
        Field(
            "orders_365d",
            DECIMAL,
            "prediction__orders_365d",
            _("Expected orders in a year"),
            _("expected number of orders in a year"),
            NEXT,
        ),
        Field(
            "spend_365d",
            DECIMAL,
            "prediction__spend_365d",
            _("Expected spending in a year"),
            _("expected spending in a year"),
            NEXT,
        ),
        _whole(
            "value_percentile",
            "prediction__value_percentile",
            _("Expected spending, percentile"),
            _("percentile of expected spending"),
            NEXT,
            99,
        ),
        _whole(
            "order_percentile",
            "prediction__order_percentile",
            _("Likely to order, percentile"),
            _("percentile of the chance to order"),
            NEXT,
            99,
        ),
        _whole(
            "churn_percentile",
            "prediction__churn_percentile",
            _("Likely to leave, percentile"),
            _("percentile of the chance to leave"),
            NEXT,
            99,
        ),
        Field(
            "days_to_next_order",
            AHEAD,
            "prediction__next_order_on",
            _("Next order expected"),
            _("next expected order"),
            NEXT,
            low=-MAX_AHEAD,
            high=MAX_AHEAD,
        ),
        Field(
            "next_category", TEXT, "prediction__next_category", _("Next category"), _("expected next category"), NEXT
        ),
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
        _days("days_since_sign_up", "signed_up_at", _("Signed up"), _("sign-up"), PERSON),
    )
}
