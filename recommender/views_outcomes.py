"""What became of picks in mails that were sent; loaded by itself, since it looks through four weeks of mails."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from behaviour.models import Shop
from mailai.accounts.roles import require_login
from recommender import outcomes


@require_login
def card(request: HttpRequest) -> HttpResponse:
    """Show how many picks were clicked and bought, for each way of choosing."""
    rows = outcomes.outcomes()
    context = {"rows": rows, "days": outcomes.WINDOW.days, "bought_within": Shop.current().attribution_days}
    context |= {"demo": bool(rows) and all(row.demo for row in rows), "min_shown": outcomes.MIN_SHOWN}
    return render(request, "recommender/_outcomes.html", context)
