"""What became of one campaign."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from analytics import charts, exports
from analytics.core.lift import Group
from analytics.core.rates import MIN_EVENTS
from analytics.figures import StatCard, money_range, percent_whole, rate_card, rate_range, verdict
from analytics.queries import Clicked, Part, Report, campaign_report
from behaviour.models import Shop
from campaigns.models import Campaign, Message
from mailai.accounts.roles import require_login
from mailai.stats import wilson
from mailai.ui.exports import csv_answer, csv_parts
from mailai.ui.numbers import NOTHING, count, money, percent, price
from segments.models import Profile

LIVE = (Campaign.State.PLANNING, Campaign.State.RUNNING)
# The report of a demo campaign fills while its invented shoppers react; after a day it is looked at in peace.
DEMO_LIVE = timedelta(days=1)


@require_login
def report(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show the report; asked for by the page itself while mails leave, only what changes."""
    campaign = get_object_or_404(Campaign.objects.select_related("segment"), uuid=uuid)
    context = {"nav": "campaigns", "campaign": campaign, **_context(campaign)}
    template = "analytics/_report.html" if request.headers.get("HX-Request") else "analytics/report.html"
    return render(request, template, context)


@require_login
def report_csv(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Send every figure of the report as a file."""
    campaign = get_object_or_404(Campaign, uuid=uuid)
    return csv_answer(csv_parts(exports.rows(campaign_report(campaign))), f"report-{campaign.name}")


def _context(campaign: Campaign) -> dict[str, Any]:
    figures = campaign_report(campaign)
    currency = figures.currency
    return {
        "report": figures,
        "is_live": _is_live(campaign),
        "verdict": verdict(figures.lift, currency, is_final=figures.is_final),
        "groups": _groups(figures),
        "cards": _cards(figures),
        "funnel": _funnel(figures),
        "funnel_title": _funnel_title(figures),
        "chart": charts.over_time(figures, reverse("analytics:report_csv", args=[campaign.uuid])),
        "products": _shares(figures.products, figures),
        "links": _shares(figures.links, figures),
        "clicked_title": _clicked_title(figures),
        "stages": [{"part": part, "label": _stage(part.key)} for part in figures.stages],
        "stages_title": _stages_title(figures),
        "click_rate": figures.rates["clicked"].value or 0,
        "click_axis": _click_axis(figures),
        "skipped": [(Message.Skip(reason).label if reason else NOTHING, n) for reason, n in figures.skipped.items()],
        "per_hour": figures.per_hour,
    }


def _is_live(campaign: Campaign) -> bool:
    if campaign.state in LIVE:
        return True
    fresh = campaign.send_at is not None and timezone.now() - campaign.send_at < DEMO_LIVE
    return fresh and campaign.state == Campaign.State.FINISHED and Shop.current().demo_reacts


def _groups(figures: Report) -> list[dict[str, Any]]:
    """Return both sides of the comparison on one axis, in orders per 1,000 shoppers."""
    sides = [
        (_("Got email, %(count)s shoppers"), figures.lift.treated, ""),
        (_("Control, %(count)s shoppers"), figures.lift.control, "ctl"),
    ]
    from_counts = [(label, group, kind, _thousand(group)) for label, group, kind in sides if group.n_shoppers]
    top = max([1.0, *(ends[2] for *_rest, ends in from_counts)]) * 1.08
    return [
        {
            "label": label % {"count": count(group.n_shoppers)},
            "value": ends[0],
            "low": ends[1],
            "high": ends[2],
            "axis_high": top,
            "kind": kind,
        }
        for label, group, kind, ends in from_counts
    ]


def _thousand(group: Group) -> tuple[float, float, float]:
    low, high = wilson(group.n_buyers, group.n_shoppers)
    return group.share * 1000, low * 1000, high * 1000


def _cards(figures: Report) -> list[StatCard]:
    counts, rates, usual = figures.counts, figures.rates, figures.usual_rates
    each = figures.revenue_per_message
    total = money(figures.revenue, figures.currency)
    return [
        rate_card(
            _("Delivered"),
            rates["delivered"],
            before=usual["delivered"],
            range=_("%(count)s bounced") % {"count": count(counts["bounced"])},
        ),
        rate_card(_("Opened (people)"), rates["opened"], before=usual["opened"]),
        rate_card(_("Clicked"), rates["clicked"], before=usual["clicked"]),
        rate_card(_("Ordered after a click"), rates["ordered"], before=usual["ordered"]),
        StatCard(
            _("Revenue per email"),
            price(each.value, figures.currency) if each else NOTHING,
            _("%(range)s, total %(total)s") % {"range": money_range(each, figures.currency), "total": total}
            if each
            else _("total %(total)s") % {"total": total},
            help=_("Orders within %(days)s days after a click, the last click counts")
            % {"days": figures.attribution_days},
        ),
        rate_card(
            _("Unsubscribed"),
            rates["unsubscribed"],
            before=usual["unsubscribed"],
            up_is_good=False,
            range=_("%(range)s, %(count)s complaints")
            % {"range": rate_range(rates["unsubscribed"]), "count": count(counts["complained"])},
        ),
    ]


def _funnel(figures: Report) -> list[dict[str, Any]]:
    names = {
        "sent": _("Sent"),
        "delivered": _("Delivered"),
        "opened": _("Opened"),
        "clicked": _("Clicked"),
        "ordered": _("Ordered"),
    }
    steps: list[dict[str, Any]] = []
    for name, label in names.items():
        n, before = figures.counts[name], steps[-1]["count"] if steps else 0
        steps.append({"label": label, "count": n, "share": n / before if before else None})
    return steps


def _funnel_title(figures: Report) -> str:
    clicked, ordered = figures.counts["clicked"], figures.counts["ordered"]
    if clicked >= MIN_EVENTS and ordered < clicked / 2:
        return _("Most who clicked did not order yet")
    return _("From send to order")


def _shares(things: list[Clicked], figures: Report) -> list[dict[str, Any]]:
    """Add the share of all clickers to each product or link."""
    base = figures.counts["clicked"]
    return [
        {"thing": one, "image": one.image, "share": min(one.n_shoppers / base, 1.0) if base else 0.0} for one in things
    ]


def _clicked_title(figures: Report) -> str:
    picks = sum(one.n_clicks for one in figures.products)
    everything = picks + sum(one.n_clicks for one in figures.links)
    if picks < MIN_EVENTS:
        return _("What they clicked")
    return _("Products earned %(share)s of clicks") % {"share": percent_whole(picks / everything)}


def _click_axis(figures: Report) -> float:
    """Return one end for all interval bars of the tables, so that they can be compared by eye."""
    parts = [part.clicked for part in [*figures.stages, *figures.variants] if not part.clicked.too_early]
    return max([one.high for one in parts if one.high], default=1.0) * 1.05


def _stage(key: str) -> str:
    return str(dict(Profile.Stage.choices).get(key, _("No profile yet")))


def _stages_title(figures: Report) -> str:
    total = sum(part.revenue for part in figures.stages)
    best: Part | None = max(figures.stages, key=lambda part: part.revenue, default=None)
    if best is None or total <= 0 or sum(part.ordered for part in figures.stages) < MIN_EVENTS:
        return _("By lifecycle stage")
    return _("%(share)s of the revenue came from: %(stage)s") % {
        "share": percent(best.revenue / total),
        "stage": _stage(best.key),
    }
