"""What became of picks in mails that were sent; a worker looks through four weeks of mails for it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from behaviour.models import Shop
from mailai.accounts.roles import require_login
from recommender import outcomes, tasks


@require_login
def card(request: HttpRequest) -> HttpResponse:
    """Show how many picks were clicked and bought, for each way of choosing; asks again while a worker counts."""
    if outcomes.due():
        tasks.count_outcomes.delay()
    found = outcomes.outcomes()
    at, rows = found or (None, [])
    context = {"rows": rows, "counted_at": at, "days": outcomes.WINDOW.days}
    context |= {"bought_within": Shop.current().attribution_days, "min_shown": outcomes.MIN_SHOWN}
    context["demo"] = bool(rows) and all(row.demo for row in rows)
    return render(request, "recommender/_outcomes.html", context)
