"""The page that says how good the predictions are. Everybody who may log in reads it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mailai.accounts.roles import require_login
from segments import prediction_pages, predictions
from segments.models import PredictionRun


@require_login
@require_safe
def model_card(request: HttpRequest) -> HttpResponse:
    """Show the run that serves, its errors and its track record."""
    run = predictions.latest()
    newest = PredictionRun.objects.order_by("-pk").first()
    context = {
        "nav": "segments",
        "run": run,
        "running": newest if newest and newest.state == PredictionRun.State.RUNNING else None,
        "failed": newest if newest and newest.state == PredictionRun.State.FAILED else None,
        "card": prediction_pages.card(run) if run and run.n_shoppers else None,
    }
    return render(request, "segments/predictions.html", context)
