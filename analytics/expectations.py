"""What is expected of one shopper, beside the average shopper, in words."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Avg
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from analytics.why import Reason, reasons_of
from behaviour.models import Shopper
from segments.models import Prediction, Profile

# The averages of a run stay what they are; kept so long that a busy day reads them once.
AVERAGES_FOR = 24 * 3600
RARELY, OFTEN = 0.2, 0.6


@dataclass(frozen=True)
class Expected:
    """A shopper's prediction with what it is compared to; chances and their averages are 0..1."""

    prediction: Prediction
    average_order: float
    average_churn: float
    reasons: list[Reason]

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
    return Expected(prediction, averages["order"], averages["churn"], reasons_of(prediction, profile, currency))


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
