"""Pages of segments. Marketers build them, managers and admins read them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailai.accounts.roles import ADMIN, MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import InputError, StateError
from mailai.ui.tables import paginate
from segments import builder, cluster_pages, growth, history, pages, panel, queries, rules, services, usage
from segments.models import Segment
from segments.starters import STARTERS


@require_login
@require_safe
def segment_list(request: HttpRequest) -> HttpResponse:
    """All segments with their size, and ready-made ones to start from."""
    page = paginate(request, queries.segment_list())
    names = set(Segment.objects.values_list("name", flat=True))
    context = {
        "nav": "segments",
        "page": page,
        "rows": pages.rows(list(page.rows)),
        "suggested": cluster_pages.suggested(),
        "starters": [one for one in STARTERS.values() if str(one.name) not in names],
        "may_edit": has_role(request.user, MARKETER),
    }
    return render(request, "segments/list.html", context)


@require_role(MARKETER)
def new(request: UserRequest) -> HttpResponse:
    """Build a new segment."""
    if request.method == "POST":
        return _edit(request, Segment())
    return _page(request, Segment(), builder.blank())


@require_login
@require_safe
def detail(request: UserRequest, uuid: UUID) -> HttpResponse:
    """One segment: its rule, its size, who can be emailed, six of them."""
    return _saved(request, get_object_or_404(Segment, uuid=uuid))


@require_login
@require_safe
def know(request: UserRequest, uuid: UUID) -> HttpResponse:
    """What is good to know of a segment: a card that comes behind its page; without htmx the page with it."""
    segment = get_object_or_404(Segment, uuid=uuid)
    found = panel.good_to_know(segment)
    if request.headers.get("HX-Request"):
        return render(request, "segments/_insights.html", {"insights": found})
    return _saved(request, segment, insights=found)


@require_login
@require_safe
def exact(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Count a saved segment exactly, behind the estimate that readers see first; without htmx the page with it."""
    segment = get_object_or_404(Segment, uuid=uuid)
    if request.headers.get("HX-Request"):
        return _counted(request, builder.from_rule(rules.validate(segment.rule)), exact=True, segment=segment)
    return _saved(request, segment, exact=True)


@require_role(MARKETER)
@require_POST
def edit(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Save a segment, or carry out a button of its builder."""
    return _edit(request, get_object_or_404(Segment, uuid=uuid))


@require_role(MARKETER)
@require_POST
def count(request: UserRequest) -> HttpResponse:
    """Count the rule in the form, at once or exactly; nothing is saved."""
    return _counted(request, builder.parse(request.POST), exact="exact" in request.POST)


@require_role(MARKETER)
@require_POST
def starter(request: UserRequest) -> HttpResponse:
    """Make one of the ready-made segments."""
    if request.POST.get("key") not in STARTERS:
        messages.error(request, _("There is no such example. Choose one from the list."))
        return redirect("segments:list")
    made = services.make_starter_segments(only=request.POST["key"], by=request.user)
    return redirect("segments:detail", uuid=made[0].uuid)


@require_role(MARKETER)
@require_POST
def duplicate(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make a copy to change."""
    segment = get_object_or_404(Segment, uuid=uuid)
    try:
        copy = services.duplicate_segment(segment, by=request.user)
    except InputError as error:
        messages.error(request, str(error))
        return redirect("segments:detail", uuid=uuid)
    messages.success(request, _("This is the copy. Change it as you like."))
    return redirect("segments:detail", uuid=copy.uuid)


@require_role(MARKETER)
@require_POST
def delete(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Remove a segment that no campaign uses."""
    segment = get_object_or_404(Segment, uuid=uuid)
    try:
        services.delete_segment(segment, by=request.user)
    except StateError as error:
        messages.error(request, str(error))
        return redirect("segments:detail", uuid=uuid)
    messages.success(request, _("“%(name)s” is deleted.") % {"name": segment.name})
    return redirect("segments:list")


@require_role(MARKETER, ADMIN)
@require_POST
def dismiss_alert(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Take the alert of a segment away, and go back to where it stood."""
    segment = get_object_or_404(Segment, uuid=uuid)
    if history.dismiss_alerts(segment, by=request.user):
        messages.success(request, _("The alert of “%(name)s” is dismissed.") % {"name": segment.name})
    back = request.POST.get("back", "")
    if back and url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect("segments:detail", uuid=segment.uuid)


def _counted(request: UserRequest, draft: builder.Node, *, exact: bool, segment: Segment | None = None) -> HttpResponse:
    found, counts = panel.counted(draft, exact=exact)
    nodes = [node for node in builder.walk(draft) if node.path != builder.ROOT]
    context = {
        "panel": found, "may_edit": has_role(request.user, MARKETER), "swapped": True, "segment": segment,
        "counts": [(node.path, counts.get(node.path)) for node in nodes],
    }  # fmt: skip
    return render(request, "segments/_counted.html", context)


def _edit(request: UserRequest, segment: Segment) -> HttpResponse:
    draft, name = builder.parse(request.POST), request.POST.get("name", "")
    action = request.POST.get("action", "save")
    if action != "save":
        draft = builder.changed(draft, action)
        return _page(request, segment, draft, name=name, unsaved=True)
    try:
        if not builder.is_whole(request.POST, draft):
            raise InputError(_("A condition of this form is not known. Look at those below, and save again."))
        services.save_segment(segment, name=name, rule=builder.to_rule(draft), by=request.user)
    except InputError as error:
        return _page(request, segment, draft, name=name, problem=str(error), unsaved=True)
    saved = _("“%(name)s” is saved.") % {"name": segment.name}
    messages.success(request, " ".join(filter(None, [saved, usage.uses(segment).sentence])))
    return redirect("segments:detail", uuid=segment.uuid)


def _saved(request: UserRequest, segment: Segment, **more: Any) -> HttpResponse:
    try:
        draft = builder.from_rule(rules.validate(segment.rule))
    except InputError as error:
        return _page(request, segment, builder.blank(), problem=str(error))
    return _page(request, segment, draft, **more)


def _page(
    request: UserRequest, segment: Segment, draft: builder.Node, *, exact: bool = False, **more: Any
) -> HttpResponse:
    """Show the builder; htmx gets the conditions at once and then asks for the counts."""
    swapped = bool(getattr(request, "htmx", False)) and request.method == "POST"
    may_edit = has_role(request.user, MARKETER)
    # Without script nobody asks again: what was posted is counted exactly, at once.
    exact = exact or request.method == "POST"
    found, counts = (panel.Panel("counting"), {}) if swapped else panel.counted(draft, exact=exact)
    context = {
        "nav": "segments", "segment": segment, "name": segment.name, "panel": found, "swapped": swapped,
        "tree": builder.shown(draft, counts, builder.Choices(segment)),
        "kinds": builder.GROUP_KINDS,
        "often": builder.suggested() if may_edit else [],
        "chart": growth.size_chart(segment) if segment.pk and not swapped else None,
        "alerts": growth.alerts(segment) if segment.pk and not swapped else [],
        "touches": usage.uses(segment).warning if segment.pk and may_edit and not swapped else "",
        "may_dismiss": has_role(request.user, MARKETER, ADMIN),
        "may_edit": may_edit,
        **more,
    }  # fmt: skip
    return render(request, "segments/_builder.html" if swapped else "segments/detail.html", context)
