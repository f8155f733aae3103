"""The list of campaigns, and what can be done to one from there."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import planning, queries, services
from campaigns.models import Campaign
from mailai.accounts.roles import MANAGER, MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import StateError
from mailai.ui.tables import paginate

MOVING = {Campaign.State.PLANNING, Campaign.State.RUNNING}


@require_login
def campaign_list(request: UserRequest) -> HttpResponse:
    """Show all campaigns; the table refreshes itself while one is sending."""
    which = request.GET.get("state", "")
    page = paginate(request, queries.campaign_rows(which))
    counts = queries.state_counts()
    context = {
        "nav": "campaigns",
        "page": page,
        "which": which,
        "filters": [(key, label, counts[key]) for key, label in _filters()],
        "moving": any(row.state in MOVING for row in page),
        "may_edit": has_role(request.user, MARKETER),
        "may_stop": has_role(request.user, MARKETER, MANAGER),
    }
    partial = request.headers.get("HX-Target", "").endswith("campaign-table")
    return render(request, "campaigns/_table.html" if partial else "campaigns/list.html", context)


def _filters() -> list[tuple[str, str]]:
    return [
        ("", _("All")),
        ("draft", _("Drafts")),
        ("scheduled", _("Scheduled")),
        ("sending", _("Sending")),
        ("sent", _("Sent")),
    ]


@require_role(MARKETER)
@require_POST
def duplicate(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make a draft like this campaign."""
    copy = services.duplicate(get_object_or_404(Campaign, uuid=uuid), by=request.user)
    messages.success(request, _("This is a copy. Change what you like; nothing is sent before the last step."))
    return redirect("campaigns:audience", copy.uuid)


@require_role(MARKETER)
@require_POST
def delete(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Throw a draft away."""
    campaign = get_object_or_404(Campaign, uuid=uuid)
    try:
        services.delete_draft(campaign, by=request.user)
        messages.success(request, _("The draft “%(name)s” was deleted.") % {"name": campaign.name})
    except StateError as error:
        messages.error(request, str(error))
    return redirect("campaigns:list")


ACTIONS = {"pause": planning.pause, "resume": planning.resume, "cancel": planning.cancel}


@require_role(MARKETER, MANAGER)
@require_POST
def steer(request: UserRequest, uuid: UUID, action: str) -> HttpResponse:
    """Pause, resume or cancel."""
    campaign = get_object_or_404(Campaign, uuid=uuid)
    if action not in ACTIONS:
        return redirect("campaigns:list")
    try:
        ACTIONS[action](campaign, by=request.user)
    except StateError as error:
        messages.error(request, str(error))
    if request.POST.get("back") == "report":
        return redirect("analytics:report", uuid)
    return redirect("campaigns:list")
