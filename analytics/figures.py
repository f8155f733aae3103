"""Figures in words, for stat cards and verdicts: the finding where there is one, the topic where there is none."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.core.lift import MIN_BUYERS_FOR_MONEY, Estimate, Lift
from analytics.core.rates import MIN_BASE, MIN_EVENTS, Rate
from mailai.ui.numbers import NOTHING, count, lift, money, percent, percent_range, points

# Smaller changes than this share of the older rate are called no change.
FLAT_SHARE = 0.02
UP, DOWN, FLAT = "arrow-up-right", "arrow-down-right", "minus"


@dataclass(frozen=True)
class StatCard:
    """What components/stat_card.html shows."""

    label: str
    value: str
    range: str = ""
    change: str = ""
    change_kind: str = "flat"
    change_icon: str = FLAT
    values: list[float] = field(default_factory=list)
    help: str = ""


@dataclass(frozen=True)
class Verdict:
    """The answer of a campaign's report in one look."""

    kind: str
    icon: str
    chip: str
    title: str
    text: str


def rate_text(one: Rate) -> str:
    """Return a rate, or an en dash where there is too little."""
    return NOTHING if one.too_early else percent(one.value)


def rate_range(one: Rate) -> str:
    """Return a rate's range, or the bare counts where there is too little."""
    if one.too_early or one.low is None or one.high is None:
        return _("%(k)s of %(n)s, too early") % {"k": count(one.k), "n": count(one.n)}
    return percent_range(one.low, one.high)


def rate_card(label: str, now: Rate, *, before: Rate | None = None, up_is_good: bool = True, **more: Any) -> StatCard:
    """Return the card of a rate, with its change against an earlier one where both are known."""
    known = before is not None and not before.too_early and not now.too_early
    if not known or before is None or now.value is None or before.value is None:
        return StatCard(label, rate_text(now), more.pop("range", None) or rate_range(now), **more)
    difference = now.value - before.value
    kind, arrow = _direction(difference / before.value, up_is_good)
    return StatCard(
        label, rate_text(now), more.pop("range", None) or rate_range(now), points(difference), kind, arrow, **more
    )


def _direction(relative: float, up_is_good: bool) -> tuple[str, str]:
    if abs(relative) < FLAT_SHARE:
        return "flat", FLAT
    return ("up" if (relative > 0) == up_is_good else "down"), (UP if relative > 0 else DOWN)


def money_range(one: Estimate, currency: str) -> str:
    """Return both ends of a sum; in words when one is below zero, where a dash would read as a minus."""
    ends = {"low": money(one.low, currency), "high": money(one.high, currency)}
    return (_("%(low)s to %(high)s") if one.low < 0 else _("%(low)s–%(high)s")) % ends


def extra_revenue_card(
    now: Estimate | None, before: Estimate | None, *, n_control_buyers: int, currency: str
) -> StatCard:
    """Return the card of what mail really added, or when that can be said."""
    label = _("Extra revenue from email")
    about = _("What shoppers who were to get your emails spent more than the control group, within the days that count")
    if now is None:
        missing = _("from %(needed)s control orders on, now %(count)s") % {
            "needed": MIN_BUYERS_FOR_MONEY,
            "count": count(n_control_buyers),
        }
        return StatCard(label, NOTHING, missing, help=about)
    card = StatCard(
        label, money(now.value, currency), _("%(range)s vs control") % {"range": money_range(now, currency)}
    )
    if before is None or before.value <= 0:
        return StatCard(card.label, card.value, card.range, help=about)
    change = now.value / before.value - 1
    kind, arrow = _direction(change, True)
    return StatCard(card.label, card.value, card.range, lift(change), kind, arrow, help=about)


def verdict(found: Lift, currency: str, *, is_final: bool) -> Verdict:
    """Say whether the campaign worked, in words that the intervals bear."""
    if not found.control.n_shoppers:
        return Verdict(
            "line",
            "users-minus",
            _("No control group"),
            _("Nobody was held back, so nobody can say what this campaign added"),
            _("Keep a control group of 10% next time. Clicks and orders after a click are shown below."),
        )
    if found.treated.n_shoppers < MIN_BASE or found.treated.n_buyers + found.control.n_buyers < MIN_EVENTS:
        return _too_early(found)
    if found.ratio is None or not found.is_clear:
        return _unclear(found, is_final)
    more = found.ratio.value > 1
    share = percent_whole(abs(found.ratio.value - 1))
    title = (
        _("Shoppers who got it ordered %(share)s more than the control group")
        if more
        else _("Shoppers who got it ordered %(share)s less than the control group")
    ) % {"share": share}
    return Verdict(
        "good" if more else "bad",
        "trending-up" if more else "trending-down",
        _("It worked") if more else _("It did harm"),
        title,
        " ".join([_added(found, currency), _sure(found)]),
    )


def percent_whole(share: float) -> str:
    """Return a share as whole percent, for titles."""
    return f"{share * 100:,.0f}%"


def _too_early(found: Lift) -> Verdict:
    buyers = found.treated.n_buyers + found.control.n_buyers
    text = ngettext(
        "%(count)s shopper ordered so far. A comparison needs at least %(needed)s, and %(base)s who were to get it.",
        "%(count)s shoppers ordered so far. A comparison needs at least %(needed)s, and %(base)s who were to get it.",
        buyers,
    ) % {"count": count(buyers), "needed": MIN_EVENTS, "base": MIN_BASE}
    return Verdict("line", "hourglass", _("Too early"), _("Too early to say what this campaign added"), text)


def _unclear(found: Lift, is_final: bool) -> Verdict:
    title = (
        _("No clear difference from the control group")
        if is_final
        else _("No clear difference from the control group yet")
    )
    return Verdict("line", "equal", _("Not clear"), title, _sure(found) or _("Nobody of one group ordered yet."))


def _added(found: Lift, currency: str) -> str:
    if found.extra_orders is None:
        return ""
    orders = count(round(abs(found.extra_orders.value)))
    if found.extra_orders.value < 0:
        return _("About %(orders)s orders fewer than without it.") % {"orders": orders}
    if found.extra_revenue is None:
        return _("About %(orders)s extra orders; too few to put a sum on it.") % {"orders": orders}
    revenue = money(found.extra_revenue.value, currency)
    return _("About %(orders)s extra orders and %(revenue)s extra revenue (%(range)s).") % {
        "orders": orders,
        "revenue": revenue,
        "range": money_range(found.extra_revenue, currency),
    }


def _sure(found: Lift) -> str:
    if found.ratio is None:
        return ""
    return _("We are 95%% sure the true lift is between %(low)s and %(high)s.") % {
        "low": lift(found.ratio.low - 1),
        "high": lift(found.ratio.high - 1),
    }
