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
from recommender import boards, fairness, queries, services, tasks, words
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
        "algorithms": services.choices_to_train(),
        "history": paginate(request, queries.history(), per_page=10),
        "may_train": has_role(request.user, MANAGER, ADMIN),
        "has_events": live is not None or queries.telling_events().exists(),
    }
    context["trainings"] = [
        {"run": run, "label": words.label_of(run), "reason": boards.said(run.reason)} for run in context["history"].rows
    ]
    if live:
        context["title"], context["why"] = boards.finding(live, board)
        context["challenger"] = next((row for row in board if row.state == boards.CHALLENGER), None)
        context["learnt"] = boards.learnt_from(live)
        context["health"] = boards.health(live)
        context["turns"] = boards.who_picked()
        context["choices"] = boards.choices(live, board, context["turns"])
        context["others"] = [row for row in board if row.usable]
        context["starred"] = [row for row in board if "stars" in row.metrics]
        context |= _fairness(live)
    return render(request, "recommender/models.html", context)


def _fairness(live: TrainingRun) -> dict[str, Any]:
    groups, bias = fairness.group_rows(live), fairness.bias_rows(live)
    return {
        "groups": groups,
        "group_finding": fairness.group_finding(groups) if groups else "",
        "group_axis": fairness.axis(groups),
        "bias": bias,
        "bias_finding": fairness.bias_finding(bias) if bias else "",
    }


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
    """Queue a training: of what is trained every night, of everything, or of one algorithm."""
    try:
        services.request_training(request.POST.get("algorithm") or services.AUTO, by=request.user)
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
        messages.success(request, text % {"model": words.label_of(run)})
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("recommender:models")


@require_login
def try_it(request: HttpRequest) -> HttpResponse:
    """Show what the live model and another one would pick for a shopper: named, or anybody."""
    said = request.GET.get("q", "")
    live, shopper = services.champion(), queries.shopper_to_try(said)
    board = boards.rows(live)
    others = [row for row in board if row.usable]
    wanted = request.GET.get("with", "")
    other = next((row for row in others if row.key == wanted), others[0] if others else None)
    context: dict[str, Any] = {"shopper": shopper, "words": said, "live": live, "nav": "recommender", "tried": True}
    context |= {"others": others, "other": other}
    if live and shopper:
        try:
            context["columns"] = boards.compare(shopper, live, other.run if other else None)
            context["pairs"] = list(zip(*[column["items"] for column in context["columns"]], strict=False))
        except ArtefactError as error:
            context["error"] = error
    template = "recommender/_try_card.html" if request.htmx else "recommender/try.html"  # type: ignore[attr-defined]
    return render(request, template, context)
