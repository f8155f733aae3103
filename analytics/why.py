"""Why a shopper is likely, or unlikely, to order: sentences that say only what was counted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailai.ui import numbers
from segments.models import Prediction, Profile

MONTH_DAYS = 30.44


@dataclass(frozen=True)
class Reason:
    """One thing that drives a chance; ``raises`` says in which direction."""

    text: str
    raises: bool


def reasons_of(prediction: Prediction, profile: Profile | None, currency: str) -> list[Reason]:
    """Return the reasons of a prediction as sentences, strongest first; what there are no words for is left out."""
    found = []
    for reason in prediction.reasons:
        say = SENTENCES.get(reason.get("code", ""))
        text = say(profile, currency) if say and profile else ""
        if text:
            found.append(Reason(text, reason.get("weight", 0) >= 0))
    return found


def _days_since(moment: datetime) -> int:
    return max((timezone.now() - moment).days, 0)


def _recency(profile: Profile, _currency: str) -> str:
    if profile.last_order_at is None:
        return ""
    days = _days_since(profile.last_order_at)
    if profile.order_gap_days is None:
        return ngettext("Her last order was %(n)s day ago.", "Her last order was %(n)s days ago.", days) % {"n": days}
    usual = round(profile.order_gap_days)
    if usual <= 1:
        return ngettext(
            "She usually orders every day; it has been %(n)s day.",
            "She usually orders every day; it has been %(n)s days.",
            days,
        ) % {"n": days}
    return ngettext(
        "She usually orders every %(usual)s days; it has been %(n)s day.",
        "She usually orders every %(usual)s days; it has been %(n)s days.",
        days,
    ) % {"usual": usual, "n": days}


def _orders(profile: Profile, _currency: str) -> str:
    if not profile.n_orders:
        return ""
    return ngettext(
        "She ordered %(n)s time, %(recent)s of it in the last year.",
        "She ordered %(n)s times, %(recent)s of them in the last year.",
        profile.n_orders,
    ) % {"n": numbers.count(profile.n_orders), "recent": numbers.count(profile.n_orders_365d)}


def _tenure(profile: Profile, _currency: str) -> str:
    if profile.first_order_at is None:
        return ""
    months = round(_days_since(profile.first_order_at) / MONTH_DAYS)
    if not months:
        return _("Her first order is less than a month old.")
    return ngettext(
        "Her first order was %(n)s month ago.", "Her first order was %(n)s months ago.", months
    ) % {"n": months}  # fmt: skip


def _spending(profile: Profile, currency: str) -> str:
    if profile.average_basket is None:
        return ""
    return _("She spends %(amount)s an order.") % {"amount": numbers.money(profile.average_basket, currency)}


def _visits(profile: Profile, _currency: str) -> str:
    if profile.last_cart_at is not None and _days_since(profile.last_cart_at) <= 30:
        days = _days_since(profile.last_cart_at)
        if not days:
            return _("She put something in the cart today.")
        return ngettext(
            "She put something in the cart %(n)s day ago.", "She put something in the cart %(n)s days ago.", days
        ) % {"n": days}
    if not profile.n_views_30d:
        return _("She looked at nothing in the last 30 days.")
    return ngettext(
        "She looked at a product once in the last 30 days.",
        "She looked at products %(n)s times in the last 30 days.",
        profile.n_views_30d,
    ) % {"n": numbers.count(profile.n_views_30d)}


def _emails(profile: Profile, _currency: str) -> str:
    if not profile.n_opens_90d and not profile.n_clicks_90d:
        return _("She opened no email in the last 90 days.")
    return _("In 90 days she opened emails %(opens)s times and clicked %(clicks)s times.") % {
        "opens": numbers.count(profile.n_opens_90d),
        "clicks": numbers.count(profile.n_clicks_90d),
    }


# The groups of figures that the forecast explains itself by.
SENTENCES: dict[str, Callable[[Profile, str], str]] = {
    "recency": _recency,
    "orders": _orders,
    "tenure": _tenure,
    "spending": _spending,
    "visits": _visits,
    "emails": _emails,
}
