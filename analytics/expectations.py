"""What is expected of one shopper, beside the average shopper, in words."""

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Avg
from django.utils.dates import WEEKDAYS
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.why import Reason, reasons_of
from behaviour.models import Shopper
from mailai.ui import numbers
from segments.models import Prediction, Profile

# The averages of a run stay what they are; kept so long that a busy day reads them once.
AVERAGES_FOR = 24 * 3600
RARELY, OFTEN = 0.2, 0.6
HORIZONS = {"30d": gettext_lazy("30 days"), "90d": gettext_lazy("90 days"), "365d": gettext_lazy("12 months")}
# From so many expected orders on, the tenths say nothing.
MANY_ORDERS = 10


@dataclass(frozen=True)
class Span:
    """What is expected of a shopper within so many days, in words; each figure with its 80 % range below it."""

    name: Any
    orders: str
    orders_range: str
    spend: str
    spend_range: str
    nothing: str
    nothing_range: str


@dataclass(frozen=True)
class Expected:
    """A shopper's prediction with what it is compared to; chances and their averages are 0..1."""

    prediction: Prediction
    average_order: float
    average_churn: float
    reasons: list[Reason]
    spans: list[Span]

    @property
    def churn_kind(self) -> str:
        """Orange only where she is likelier to leave than others are."""
        return "warn" if self.prediction.churn_chance > self.average_churn else ""

    @property
    def next_category(self) -> str:
        """The last part of the category's path."""
        return self.prediction.next_category.rsplit(" > ", 1)[-1]


def expected_of(shopper: Shopper, profile: Profile | None, currency: str) -> Expected | None:
    """Return what the newest run expects of her; None while it says nothing. Two queries, three after a new run."""
    prediction = Prediction.objects.filter(pk=shopper.pk).first()
    if prediction is None:
        return None
    averages = _averages(prediction.run_id)
    reasons = reasons_of(prediction, profile, currency)
    spans = [_span(prediction, days, currency) for days in HORIZONS]
    return Expected(prediction, averages["order"], averages["churn"], reasons, spans)


def _span(prediction: Prediction, days: str, currency: str) -> Span:
    def ends(name: str) -> tuple[Any, Any, Any]:
        value, low, high = (getattr(prediction, f"{name}{end}") for end in ("", "_low", "_high"))
        return value, low, high

    orders, least, most = ends(f"orders_{days}")
    spend, cheap, dear = ends(f"spend_{days}")
    if days == "30d":
        value, low, high = ends("order_chance")
        nothing = 1 - value, 1 - high, 1 - low
    else:
        nothing = ends("churn_chance" if days == "90d" else "gone_chance")
    return Span(
        name=HORIZONS[days],
        orders=number_format(orders, 0 if orders >= MANY_ORDERS else 1),
        orders_range=f"{numbers.count(round(least))}–{numbers.count(round(most))}",
        spend=numbers.round_money(spend, currency),
        spend_range=""
        if cheap is None
        else f"{numbers.round_money(cheap, currency)}–{numbers.round_money(dear, currency)}",
        nothing=numbers.chance(nothing[0]),
        nothing_range="" if nothing[1] is None else numbers.chance_range(nothing[1], nothing[2]),
    )


def _averages(run_id: int) -> dict[str, float]:
    def read() -> dict[str, float]:
        return Prediction.objects.aggregate(order=Avg("order_chance"), churn=Avg("churn_chance"))

    return cache.get_or_set(f"analytics.expectations.{run_id}", read, AVERAGES_FOR) or read()


def best_time(profile: Profile | None) -> str:
    """Return when she is most likely to look, in words; "" while too little is known."""
    if profile is None or profile.best_hour is None:
        return ""
    hours = f"{profile.best_hour}:00"
    if profile.best_weekday is None:
        return _("around %(time)s") % {"time": hours}
    return _("%(weekday)s, around %(time)s") % {"weekday": WEEKDAYS[profile.best_weekday], "time": hours}


def sale_habit(profile: Profile | None) -> str:
    """Return how often she buys below the usual price; "" while no price is known."""
    if profile is None or profile.discount_share is None:
        return ""
    if profile.discount_share < RARELY:
        return _("Buys on sale: rarely")
    return _("Buys on sale: often") if profile.discount_share >= OFTEN else _("Buys on sale: sometimes")


def why_nothing(profile: Profile | None, *, any_run: bool) -> str:
    """Return in one sentence why nothing is expected of her."""
    if any_run and not (profile and profile.n_orders):
        return _("She has not ordered yet. What we expect of her stands here after the first order.")
    if any_run:
        return _("She is new since the last forecast. What we expect of her stands here after tonight's.")
    return _("Nothing is forecast yet. The forecast is made each night, once there are orders to learn from.")
