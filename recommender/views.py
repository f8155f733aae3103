"""The recommender page: how good the models are, which one serves, and what it would pick for somebody."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailai.accounts.roles import ADMIN, MANAGER, has_role, require_login, require_role
from mailai.errors import ArtefactError, InputError, MailAIError
from mailai.ui.tables import paginate
from recommender import boards, fairness, history_chart, queries, services, tasks, tuning, tuning_pages, words
from recommender.models import TrainingRun, Tuning
from recommender.said import said


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
        {
            "run": run,
            "label": words.label_of(run),
            "reason": said(run.reason),
            "error": said(run.error),
            "tuned": run.params.get("tuning", ""),
        }
        for run in context["history"].rows
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
        context |= _fairness(live) | _tunings()
        context["past"] = history_chart.chart(live)
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


def _tunings() -> dict[str, Any]:
    newest = tuning_pages.newest_chart()
    return {
        "tunings": tuning_pages.listed(),
        "tuning_form": tuning_pages.form(),
        "tuning_chart": newest[1] if newest else None,
        "tuning_charted": newest[0] if newest else None,
    }


@require_login
def tuning_of(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show a search for settings: what it found, its chart, every try."""
    one = get_object_or_404(Tuning.objects.select_related("requested_by"), uuid=uuid)
    context = {"nav": "recommender", "may_train": has_role(request.user, MANAGER, ADMIN)}
    return render(request, "recommender/tuning.html", context | tuning_pages.detail(one))


@require_role(MANAGER, ADMIN)
@require_POST
def tune(request: HttpRequest) -> HttpResponse:
    """Queue a search for better settings of an algorithm."""
    try:
        minutes = _minutes(request.POST.get("minutes", ""))
        tuning.request_tuning(request.POST.get("algorithm", ""), minutes * 60, by=request.user)
        for tuning_id, turn in tuning.next_one():
            tasks.tune.delay_on_commit(tuning_id, turn)
        messages.success(
            request, _("Tuning has begun. The next training uses what it finds, if it is better for sure.")
        )
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("recommender:models")


def _minutes(asked: str) -> int:
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked[:9]) <= tuning_pages.MOST_MINUTES:
        text = _("Give tuning between 1 and %(most)s minutes.")
        raise InputError(text % {"most": tuning_pages.MOST_MINUTES})
    return int(asked)


@require_role(MANAGER, ADMIN)
@require_POST
def end_tuning(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let a search make no further try, and judge what it found."""
    one = get_object_or_404(Tuning, uuid=uuid)
    try:
        tuning.end(one, by=request.user)
        messages.success(request, _("No further try is made. What was found so far is judged now."))
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("recommender:tuning", uuid=uuid)


@require_login
def progress(request: HttpRequest) -> HttpResponse:
    """Answer the page's question how far the work is; when a training or the last tuning ends the page loads again."""
    jobs = boards.progress()
    answer = render(request, "recommender/_progress.html", {"jobs": jobs})
    before = request.GET.get("tunings", "")
    trained = "training" in request.GET and not jobs.get("training")
    if not jobs or trained or str(len(jobs["tuning"])) != (before or str(len(jobs["tuning"]))):
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
    asked = request.GET.get("q", "")
    live, shopper = services.champion(), queries.shopper_to_try(asked)
    board = boards.rows(live)
    others = [row for row in board if row.usable]
    wanted = request.GET.get("with", "")
    other = next((row for row in others if row.key == wanted), others[0] if others else None)
    context: dict[str, Any] = {"shopper": shopper, "words": asked, "live": live, "nav": "recommender", "tried": True}
    context |= {"others": others, "other": other}
    if live and shopper:
        try:
            context["columns"] = boards.compare(shopper, live, other.run if other else None)
            context["pairs"] = list(zip(*[column["items"] for column in context["columns"]], strict=False))
        except ArtefactError as error:
            context["error"] = error
    template = "recommender/_try_card.html" if request.htmx else "recommender/try.html"  # type: ignore[attr-defined]
    return render(request, template, context)
