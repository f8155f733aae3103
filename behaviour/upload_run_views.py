"""The run of an upload: how far it is, what became of it, its refused rows, stop, go on, undo. Admins only."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from behaviour import removal, tasks, upload_pages, uploads
from behaviour.models import Upload
from behaviour.rejects import path_of
from mailai.accounts.roles import ADMIN, UserRequest, require_role
from mailai.errors import MailAIError
from mailai.ui.exports import csv_answer

State = Upload.State
PIECE = 1 << 16


@require_role(ADMIN)
def import_run(request: UserRequest, uuid: str) -> HttpResponse:
    """Show how far the import is, and what became of it."""
    upload = get_object_or_404(Upload.objects.select_related("created_by"), uuid=uuid)
    if upload.state in (State.RECEIVED, State.CHECKED):
        return redirect("behaviour:import_check", upload.uuid)
    context = {"nav": "data", "steps": upload_pages.steps(upload, "run"), **upload_pages.run_context(upload)}
    name = "behaviour/_run.html" if request.headers.get("HX-Request") else "behaviour/import_run.html"
    return render(request, name, context)


@require_role(ADMIN)
def import_rejects(request: UserRequest, uuid: str) -> HttpResponse:
    """Send the refused rows, in the file's own columns."""
    upload = get_object_or_404(Upload, uuid=uuid)
    path = path_of(upload.rejects_file) if upload.rejects_file else None
    if path is None or not path.exists():
        raise Http404
    name = _("%(name)s refused rows") % {"name": upload.filename.split(".")[0][:80]}
    return csv_answer(_unpacked(path), name)


def _unpacked(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        while piece := file.read(PIECE):
            yield piece


@require_role(ADMIN)
@require_POST
def import_undo(request: UserRequest, uuid: str) -> HttpResponse:
    """Take out what an upload brought."""
    upload = get_object_or_404(Upload, uuid=uuid)
    try:
        removal.begin_undo(upload, by=request.user)
        tasks.remove_rows.delay_on_commit(upload.pk)
        messages.success(request, _("The upload is undone: nobody sees its rows any more, and they are being deleted."))
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("behaviour:import_run", upload.uuid)


@require_role(ADMIN)
@require_POST
def import_cancel(request: UserRequest, uuid: str) -> HttpResponse:
    """Drop a file that was not imported, or stop its import."""
    upload = get_object_or_404(Upload, uuid=uuid)
    begun = upload.state not in (State.RECEIVED, State.CHECKED)
    try:
        removal.cancel_upload(upload, by=request.user)
        tasks.remove_rows.delay_on_commit(upload.pk)
    except MailAIError as error:
        messages.error(request, str(error))
        return redirect("behaviour:import_run", upload.uuid)
    if begun:
        messages.success(request, _("The import was stopped. Nobody sees its rows, and they are being deleted."))
        return redirect("behaviour:import_run", upload.uuid)
    messages.success(request, _("The file was deleted. Nothing of it was imported."))
    return redirect("behaviour:imports")


@require_role(ADMIN)
@require_POST
def import_resume(request: UserRequest, uuid: str) -> HttpResponse:
    """Let a failed import go on where it was."""
    upload = get_object_or_404(Upload, uuid=uuid)
    try:
        uploads.resume_upload(upload, by=request.user)
        tasks.import_upload.delay_on_commit(upload.pk)
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("behaviour:import_run", upload.uuid)
