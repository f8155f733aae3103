"""Pages of lists of shoppers. Marketers make them, managers and admins read them."""

import io
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from mailai.accounts import audit
from mailai.accounts.roles import MARKETER, UserRequest, has_role, require_login, require_role
from mailai.errors import InputError, MailAIError
from mailai.ui import numbers
from mailai.ui.exports import csv_answer
from mailai.ui.tables import paginate
from segments import exporting, list_pages, list_queries, list_uploads, list_writing, lists, name_rules, rules, tasks
from segments.models import Segment, ShopperList

State = ShopperList.State


@require_login
@require_safe
def all_lists(request: HttpRequest) -> HttpResponse:
    """All lists: where they came from, who is on them, what uses them."""
    page = paginate(request, list_queries.listed())
    context = {
        "nav": "segments",
        "page": page,
        "rows": list_pages.rows(list(page.rows)),
        "may_edit": has_role(request.user, MARKETER),
    }
    return render(request, "segments/lists.html", context)


@require_role(MARKETER)
def new(request: UserRequest) -> HttpResponse:
    """Take a file or pasted text that names shoppers."""
    sent = {name: request.POST.get(name, "") for name in ("name", "text")}
    problem = ""
    if request.method == "POST":
        try:
            return _go_on(request, _received(request, **sent))
        except InputError as error:
            problem = str(error)
    context = {"nav": "segments", "problem": problem, **sent}
    return render(request, "segments/list_new.html", context, status=422 if problem else 200)


def _received(request: UserRequest, *, name: str, text: str) -> ShopperList:
    file: Any = request.FILES.get("file")
    if file and text.strip():
        raise InputError(_("Choose a file or paste text, not both."))
    if file:
        name = name.strip() or Path(file.name).name.split(".")[0][: name_rules.NAME_LENGTH]
        return list_uploads.receive(file, name=name, filename=file.name, by=request.user)
    if not text.strip():
        raise InputError(_("Choose a file first, or paste who is on the list, one a line."))
    return list_uploads.receive(io.BytesIO(text.encode()), name=name, filename="", by=request.user)


def _go_on(request: UserRequest, made: ShopperList) -> HttpResponse:
    """Read a small file at once, leave a large one to a worker, and show the list."""
    if made.state == State.READING:
        if list_uploads.read_at_once(made):
            list_uploads.read(made.pk)
        else:
            tasks.read_list.delay_on_commit(made.pk)
    elif made.state == State.WRITING:
        _finish(made)
    return redirect("segments:list_detail", uuid=made.uuid)


def _finish(one: ShopperList) -> None:
    """Write or remove a small list at once, leave a large one to a worker."""
    if list_writing.is_small(one):
        list_writing.go_on(one.pk)
    else:
        tasks.finish_list.delay_on_commit(one.pk)


@require_login
@require_safe
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One list; while it is read, how far that is."""
    one = get_object_or_404(list_queries.listed(), uuid=uuid)
    if request.headers.get("HX-Request"):
        # The waiting part asks; the page is loaded anew once the list is read.
        if one.state not in (State.READING, State.WRITING):
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "segments/_list_reading.html", {"list": one})
    context = {"nav": "segments", "may_edit": has_role(request.user, MARKETER), **list_pages.detail(one)}
    return render(request, "segments/list_detail.html", context)


@require_role(MARKETER)
@require_POST
def column(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Say which column names shoppers."""
    one = get_object_or_404(ShopperList, uuid=uuid)
    try:
        list_uploads.choose_column(one, request.POST.get("column", ""), by=request.user)
    except MailAIError as error:
        messages.error(request, str(error))
        return redirect("segments:list_detail", uuid=uuid)
    return _go_on(request, one)


@require_role(MARKETER)
@require_POST
def rename(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Give a list another name."""
    one = get_object_or_404(ShopperList, uuid=uuid)
    try:
        lists.rename(one, request.POST.get("name", ""), by=request.user)
        messages.success(request, _("The name is saved."))
    except InputError as error:
        messages.error(request, str(error))
    return redirect("segments:list_detail", uuid=uuid)


@require_role(MARKETER)
@require_POST
def delete(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Remove a list that no rule names."""
    one = get_object_or_404(ShopperList, uuid=uuid)
    try:
        lists.begin_delete(one, by=request.user)
    except MailAIError as error:
        messages.error(request, str(error))
        return redirect("segments:list_detail", uuid=uuid)
    _finish(one)
    messages.success(request, _("“%(name)s” is deleted.") % {"name": one.name})
    return redirect("segments:lists")


@require_login
@require_POST
def export(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Hand out who is on a list, by pseudonym."""
    one = get_object_or_404(ShopperList, uuid=uuid, state=State.READY)
    found = list_queries.shoppers(one)
    audit.record("list.export", one, by=request.user, shoppers=found.count())
    return csv_answer(exporting.parts(found), one.name)


@require_role(MARKETER)
@require_POST
def make_segment(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make the segment of a list and show it."""
    one = get_object_or_404(ShopperList, uuid=uuid)
    try:
        segment = lists.make_segment(one, by=request.user)
    except MailAIError as error:
        messages.error(request, str(error))
        return redirect("segments:list_detail", uuid=uuid)
    return redirect("segments:detail", uuid=segment.uuid)


@require_role(MARKETER)
@require_POST
def freeze(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make a list of who is in a segment now, and show it."""
    segment = get_object_or_404(Segment, uuid=uuid)
    try:
        made = lists.begin_freeze(segment, by=request.user)
    except MailAIError as error:
        messages.error(request, str(error))
        return redirect("segments:detail", uuid=uuid)
    n = made.n_members
    sentence = ngettext(
        "The list keeps %(n)s shopper, whatever the segment does from now on.",
        "The list keeps %(n)s shoppers, whatever the segment does from now on.",
        n,
    )
    messages.success(request, sentence % {"n": numbers.count(n)})
    return _go_on(request, made)


@require_login
@require_POST
def export_segment(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Hand out who is in a segment now, by pseudonym."""
    segment = get_object_or_404(Segment, uuid=uuid)
    try:
        found = rules.matching(segment.rule)
    except InputError as error:
        messages.error(request, str(error))
        return redirect("segments:detail", uuid=uuid)
    audit.record("segment.export", segment, by=request.user, shoppers=found.count())
    return csv_answer(exporting.parts(found), segment.name)
