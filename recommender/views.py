"""The recommender page: how good the models are, which one serves, and what it would pick for somebody."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailai.accounts.roles import ADMIN, MANAGER, has_role, require_login, require_role
from mailai.errors import ArtefactError, MailAIError
from mailai.ui.tables import paginate
from recommender import boards, queries, services, tasks
from recommender.models import TrainingRun


@require_login
def models(request: HttpRequest) -> HttpResponse:
    """Show the leaderboard, the history and what waits."""
    live = services.champion()
    board = boards.rows(live)
    context: dict[str, Any] = {
        "nav": "recommender",
        "live": live,
        "board": board,
        "axis": boards.axis(board),
        "jobs": boards.progress(),
        "history": paginate(request, queries.history(), per_page=10),
        "may_train": has_role(request.user, MANAGER, ADMIN),
        "has_events": live is not None or queries.telling_events().exists(),
    }
    context["trainings"] = [
        {"run": run, "label": boards.label_of(run), "reason": boards.said(run.reason)}
        for run in context["history"].rows
    ]
    if live:
        context["title"], context["why"] = boards.finding(live, board)
        context["challenger"] = next((row for row in board if row.state == boards.CHALLENGER), None)
        context["learnt"] = boards.learnt_from(live)
        context["health"] = boards.health(live)
    return render(request, "recommender/models.html", context)


@require_login
def progress(request: HttpRequest) -> HttpResponse:
    """Answer the page's question how far the training is; the last answer loads the page again."""
    jobs = boards.progress()
    answer = render(request, "recommender/_progress.html", {"jobs": jobs})
    if not jobs:
        answer["HX-Refresh"] = "true"
    return answer


@require_role(MANAGER, ADMIN)
@require_POST
def train(request: HttpRequest) -> HttpResponse:
    """Queue a training of every algorithm."""
    try:
        services.request_training(by=request.user)
        for run_id in services.waiting_runs():
            tasks.train.delay_on_commit(run_id)
        messages.success(request, _("Training has begun. The live model goes on serving meanwhile."))
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("recommender:models")


@require_role(MANAGER, ADMIN)
@require_POST
def promote(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let another model pick the products from now on."""
    run = get_object_or_404(TrainingRun, uuid=uuid)
    try:
        services.promote(run, by=request.user, reason=request.POST.get("reason", ""))
        text = _("%(model)s picks the products from now on. You can go back at any time.")
        messages.success(request, text % {"model": boards.label_of(run)})
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("recommender:models")


@require_login
def try_it(request: HttpRequest) -> HttpResponse:
    """Show what the live model and the best other one would pick for a shopper: named, or anybody."""
    words = request.GET.get("q", "")
    live, shopper = services.champion(), queries.shopper_to_try(words)
    context: dict[str, Any] = {"shopper": shopper, "words": words, "live": live, "nav": "recommender"}
    if live and shopper:
        other = next((run for run in queries.leaderboard() if run.pk != live.pk and run.artefact), None)
        try:
            context["columns"] = boards.compare(shopper, live, other)
            context["pairs"] = list(zip(*[column["items"] for column in context["columns"]], strict=False))
        except ArtefactError as error:
            context["error"] = error
    template = "recommender/_try.html" if request.htmx else "recommender/try.html"  # type: ignore[attr-defined]
    return render(request, template, context)
