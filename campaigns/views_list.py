"""The list of campaigns, and what can be done to one from there."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from behaviour.models import Shop
from campaigns import checks, planning, queries, services
from campaigns.models import Campaign
from mailai.accounts.models import User
from mailai.accounts.roles import MANAGER, MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import StateError
from mailai.ui.tables import paginate

MOVING = {Campaign.State.PLANNING, Campaign.State.RUNNING}


@require_login
def campaign_list(request: UserRequest) -> HttpResponse:
    """Show all campaigns; the table refreshes itself while one is sending."""
    which, may_edit = request.GET.get("state", ""), has_role(request.user, MARKETER)
    page = paginate(request, queries.campaign_rows(which))
    for row in page:
        row.url = _way_on(row, may_edit=may_edit)
    counts = queries.state_counts()
    context = {
        "nav": "campaigns",
        "page": page,
        "which": which,
        "filters": [(key, label, counts[key]) for key, label in _filters()],
        "moving": any(row.state in MOVING for row in page),
        "may_edit": may_edit,
        "may_stop": has_role(request.user, MARKETER, MANAGER),
    }
    partial = request.headers.get("HX-Target", "").endswith("campaign-table")
    with timezone.override(Shop.current().zone):
        return render(request, "campaigns/_table.html" if partial else "campaigns/list.html", context)


def _way_on(campaign: Campaign, *, may_edit: bool) -> str:
    """Return where a row leads: a draft to its first open step, what was sent to its report."""
    if campaign.state != Campaign.State.DRAFT:
        return reverse("analytics:report", args=[campaign.uuid])
    return reverse(f"campaigns:{checks.next_step(campaign)}", args=[campaign.uuid]) if may_edit else ""


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


def _pause(campaign: Campaign, *, by: User) -> None:
    if not planning.pause(campaign, by=by):
        raise StateError(_("Only a campaign that is sending can be paused."))


ACTIONS: dict[str, Callable[..., None]] = {"pause": _pause, "resume": planning.resume, "cancel": planning.cancel}


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
