"""Today: what changed, what to do next, what is on its way; and the welcome of an empty shop."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from analytics import charts, demo_setup, guidance, overview
from analytics.core.lift import pooled
from analytics.figures import StatCard, extra_revenue_card, rate_card, rate_text
from analytics.overview import Line, Period
from behaviour.models import Shop, Shopper
from campaigns.models import Campaign
from mailai.accounts.roles import ADMIN, MARKETER, UserRequest, has_role, require_login
from mailai.ui.charts import Chart
from mailai.ui.numbers import percent
from segments import growth

# A comparison over time needs two points.
MIN_WEEKS = 2
NOON, EVENING = 12, 18
MAX_ALERTS = 3


@require_login
def today(request: UserRequest) -> HttpResponse:
    """Show the shop's day, or how to begin."""
    shop = Shop.current()
    steps = [vars(step) for step in guidance.setup_steps(request.user, shop)]
    context = {"nav": "today", "shop": shop, "steps": steps, "n_done": sum(step["done"] for step in steps)}
    # Half a shop would be shown as a bad one, so whoever loads the sample data waits for all of them.
    if request.GET.get("loading") == "demo" and has_role(request.user, ADMIN) and not demo_setup.is_complete():
        waiting = {"loading": True, "n_shoppers": Shopper.objects.count()}
        return render(request, "analytics/first_run.html", context | waiting)
    if guidance.is_first_run():
        return render(request, "analytics/first_run.html", context)
    return render(request, "analytics/today.html", {**context, **_figures(request, shop)})


def _figures(request: UserRequest, shop: Shop) -> dict[str, Any]:
    now = overview.local_now(shop)
    lines = overview.recent_lines(now)
    coming, alerts = overview.coming(), growth.alerts()[:MAX_ALERTS]
    return {
        "now": now,
        "greeting": _greeting(now.hour),
        "first_name": request.user.name.split(" ")[0],
        "coming": coming,
        "n_sending": sum(row["state"] == Campaign.State.RUNNING for row in coming),
        "n_attention": sum(row["state"] == Campaign.State.PAUSED for row in coming)
        + (guidance.n_in_doubt() > 0)
        + len(alerts),
        "alerts": alerts,
        "may_dismiss": has_role(request.user, MARKETER, ADMIN),
        "cards": _cards(overview.period(lines, now), overview.period(lines, now - overview.PERIOD), shop),
        "chart": _chart(lines, shop, now),
        "recent": [_recent(line) for line in lines[: overview.N_RECENT]],
        "lift_axis": _axis(lines[: overview.N_RECENT]),
        "suggestions": guidance.suggestions(request.user, shop),
    }


def _greeting(hour: int) -> str:
    if hour < NOON:
        return _("Good morning")
    return _("Good afternoon") if hour < EVENING else _("Good evening")


def _cards(now: Period, before: Period, shop: Shop) -> list[StatCard]:
    complained = now.rate("complained")
    revenue = extra_revenue_card(
        pooled(now.lifts)[1],
        pooled(before.lifts)[1],
        n_control_buyers=sum(one.control.n_buyers for one in now.lifts),
        currency=shop.currency,
    )
    unsubscribed = now.rate("unsubscribed")
    return [
        revenue,
        rate_card(
            _("Click rate"),
            now.rate("clicked"),
            before=before.rate("clicked"),
            values=now.series("clicked"),
            help=_("Shoppers who clicked, of the emails delivered in the last 28 days, with the 95% range"),
        ),
        rate_card(
            _("Open rate (people)"),
            now.rate("opened"),
            before=before.rate("opened"),
            values=now.series("opened"),
            help=_("Opens by people; what mail programs fetch by themselves is left out"),
        ),
        rate_card(
            _("Unsubscribe rate"),
            unsubscribed,
            before=before.rate("unsubscribed"),
            up_is_good=False,
            values=now.series("unsubscribed"),
            range=""
            if unsubscribed.too_early
            else _("Complaints %(rate)s, limit 0.10%%") % {"rate": percent(complained.value)},
            help=_("Shoppers who unsubscribed, of the emails delivered in the last 28 days"),
        ),
    ]


def _chart(lines: list[Line], shop: Shop, now: datetime) -> Chart | None:
    complete = overview.complete(lines, shop, now)
    weeks = overview.weeks(complete, shop)
    if len(weeks) >= MIN_WEEKS:
        return charts.lift_by_week(weeks, overview.pooled_lift(complete))
    orders = overview.orders_per_week(shop, now)
    return charts.orders_by_week(orders) if orders else None


def _recent(line: Line) -> dict[str, Any]:
    ratio = line.lift.ratio
    return {
        "campaign": line.campaign,
        "delivered": line.counts["delivered"],
        "opened": rate_text(line.opened),
        "clicked": rate_text(line.clicked),
        "revenue": line.revenue,
        "lift": ratio and {"value": ratio.value - 1, "low": ratio.low - 1, "high": ratio.high - 1},
        "is_clear": line.lift.is_clear,
    }


def _axis(lines: list[Line]) -> tuple[float, float]:
    """Return one axis for all intervals of the table, so that they can be compared by eye."""
    ratios = [line.lift.ratio for line in lines if line.lift.ratio]
    low = min([0.0, *(ratio.low - 1 for ratio in ratios)])
    high = max([0.0, *(ratio.high - 1 for ratio in ratios)])
    room = (high - low) * 0.08 or 1.0
    return low - room, high + room
