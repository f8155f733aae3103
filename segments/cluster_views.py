"""The page of groups of similar shoppers. Everybody reads it, marketers name groups and make segments of them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailai.accounts.roles import MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import InputError
from segments import cluster_pages, cluster_services


@require_login
@require_safe
def groups(request: HttpRequest) -> HttpResponse:
    """The groups side by side."""
    context = {"nav": "segments", "may_edit": has_role(request.user, MARKETER), **cluster_pages.page()}
    return render(request, "segments/groups.html", context)


@require_role(MARKETER)
@require_POST
def rename(request: UserRequest, number: int) -> HttpResponse:
    """Give a group a name."""
    try:
        cluster_services.rename(number, request.POST.get("name", ""), by=request.user)
    except InputError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The name is saved."))
    return redirect("segments:groups")


@require_role(MARKETER)
@require_POST
def make_segment(request: UserRequest, number: int) -> HttpResponse:
    """Make a segment of a group and show it."""
    try:
        segment = cluster_services.make_segment(number, by=request.user)
    except InputError as error:
        messages.error(request, str(error))
        return redirect("segments:groups")
    return redirect("segments:detail", uuid=segment.uuid)
