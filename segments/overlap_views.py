"""The page of overlaps. Everybody reads it, marketers make segments of combinations."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailai.accounts.roles import MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import InputError
from segments import overlap_pages


@require_login
@require_safe
def overlap(request: HttpRequest) -> HttpResponse:
    """The combinations of some segments; what can't be compared says why."""
    choosable, asked = overlap_pages.choosable(), request.GET.getlist("s")
    context: dict[str, Any] = {
        "nav": "segments", "choosable": choosable, "asked": set(asked), "may_edit": has_role(request.user, MARKETER),
        "enough": len(choosable) >= overlap_pages.FEWEST,
    }  # fmt: skip
    if context["enough"]:
        try:
            segments = overlap_pages.chosen(choosable, asked)
            context |= {"asked": {str(one.uuid) for one in segments}, **overlap_pages.page(segments)}
        except InputError as error:
            context["problem"] = str(error)
    return render(request, "segments/overlap.html", context, status=422 if "problem" in context else 200)


@require_role(MARKETER)
@require_POST
def make_segment(request: UserRequest) -> HttpResponse:
    """Make a segment of one combination and show it."""
    asked = request.POST.getlist("s")
    try:
        segments = overlap_pages.chosen(overlap_pages.choosable(), asked)
        inside = [UUID(one) for one in request.POST.getlist("in") if one in asked]
        made = overlap_pages.make_segment(segments, inside, by=request.user)
    except InputError as error:
        messages.error(request, str(error))
        return redirect("segments:overlap")
    messages.success(request, _("“%(name)s” is made. Give it another name if you like.") % {"name": made.name})
    return redirect("segments:detail", uuid=made.uuid)
