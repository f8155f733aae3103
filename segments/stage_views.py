"""The page of migration between stages or RFM groups. Everybody reads it, marketers make segments of who moved."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from behaviour.models import Shop
from mailai.accounts.roles import MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import InputError, StateError
from segments import lists, stage_pages, stage_words
from segments.models import StageSnapshot
from segments.stage_pages import Chosen


@require_login
@require_safe
def migration(request: HttpRequest) -> HttpResponse:
    """Who went from which stage, or group, to which between two days."""
    kind, context = stage_words.STAGES, dict[str, Any](nav="segments")
    try:
        kind = stage_pages.kind_of(request.GET.get("by", ""))
        now = stage_pages.chosen(kind, request.GET.get("from", ""), request.GET.get("to", ""))
    except InputError as error:
        now, context["problem"] = stage_pages.chosen(kind, "", ""), str(error)
    context["kinds"] = [(one.key, StageSnapshot.Kind(one.key).label, one is kind) for one in stage_words.KINDS.values()]
    context |= stage_pages.page(now) if now else {}
    return render(request, "segments/migration.html", context, status=422 if "problem" in context else 200)


@require_login
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """The shoppers of one cell."""
    try:
        now, found = _asked(request.GET)
    except InputError as error:
        messages.error(request, str(error))
        return redirect("segments:migration")
    context = {
        "nav": "segments", "period": stage_pages.period(now), "currency": Shop.current().currency,
        "asked": {name: request.GET.get(name, "") for name in ("was", "is")} | now.query,
        "back": f"{reverse('segments:migration')}?{urlencode(now.query)}",
        "may_edit": has_role(request.user, MARKETER), **found,
    }  # fmt: skip
    return render(request, "segments/migration_people.html", context)


@require_role(MARKETER)
@require_POST
def make_segment(request: UserRequest) -> HttpResponse:
    """Make a segment of the shoppers of one cell and show it."""
    try:
        _now, found = _asked(request.POST)
        kept = lists.freeze_shoppers(found["ids"], name=found["name"], by=request.user)
        made = lists.make_segment(kept, by=request.user)
    except (InputError, StateError) as error:
        messages.error(request, str(error))
        return redirect("segments:migration")
    messages.success(
        request, _("“%(name)s” is made. It holds these shoppers and stays as it is.") % {"name": made.name}
    )
    return redirect("segments:detail", uuid=made.uuid)


def _asked(given: QueryDict) -> tuple[Chosen, dict[str, Any]]:
    kind = stage_pages.kind_of(given.get("by", ""))
    now = stage_pages.chosen(kind, given.get("from", ""), given.get("to", ""))
    if now is None:
        raise InputError(_("There are not two days to compare yet."))
    return now, stage_pages.people(now, given.get("was", ""), given.get("is", ""))
