"""The wizard of an upload: file, columns, check, import. Admins only: a file can hold names and addresses."""

import logging

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from behaviour import checking, removal, tables, tasks, upload_forms, upload_pages, uploads
from behaviour.core.columns import GENERIC
from behaviour.core.parsing import TableError
from behaviour.models import Upload
from behaviour.rejects import own_columns, path_of
from behaviour.upload_words import problem_text
from mailai.accounts import audit
from mailai.accounts.roles import ADMIN, UserRequest, require_role
from mailai.errors import InputError, MailAIError
from mailai.ui.tables import paginate

logger = logging.getLogger(__name__)

# Smaller files are checked while the browser waits, larger ones by a worker.
CHECK_AT_ONCE = 500_000
State = Upload.State
OPEN = (State.RECEIVED, State.CHECKED)


@require_role(ADMIN)
def imports(request: UserRequest) -> HttpResponse:
    """List the uploads."""
    page = paginate(request, upload_pages.listed())
    return render(request, "behaviour/imports.html", {"nav": "data", "page": page})


@require_role(ADMIN)
def import_new(request: UserRequest) -> HttpResponse:
    """Take a file."""
    form = upload_forms.UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            upload = uploads.receive_upload(file, file.name, by=request.user)
        except InputError as error:
            form.add_error("file", str(error))
        else:
            return _after_receiving(upload)
    errors = [str(text) for text in form.errors.get("file", [])] if request.method == "POST" else []
    context = {
        "nav": "data",
        "errors": errors,
        "steps": upload_pages.steps(None, "new"),
        "earlier": upload_pages.listed()[:8],
    }
    return render(request, "behaviour/import_new.html", context, status=422 if errors else 200)


def _after_receiving(upload: Upload) -> HttpResponse:
    """Skip the columns when the file's own layout was recognised, or every column of it found its field.

    What MailAI itself added to a file of refused rows asks for no decision when that file comes back mended.
    """
    match = uploads.match_of(upload)
    if match.complete and (match.layout != GENERIC or not set(match.left) - own_columns()):
        _begin_check(upload)
        return redirect("behaviour:import_check", upload.uuid)
    return redirect("behaviour:import_columns", upload.uuid)


def _begin_check(upload: Upload) -> None:
    uploads.begin_check(upload)
    if upload.size <= CHECK_AT_ONCE:
        checking.check_upload(upload)
    else:
        tasks.check_upload.delay_on_commit(upload.pk)


@require_role(ADMIN)
def import_columns(request: UserRequest, uuid: str) -> HttpResponse:
    """Say which column is which field."""
    upload = get_object_or_404(Upload, uuid=uuid)
    if upload.state not in OPEN:
        return redirect("behaviour:import_run", upload.uuid)
    try:
        context = upload_pages.columns_context(upload)
        error = _chosen(request, upload) if request.method == "POST" else ""
    except (TableError, OSError) as problem:
        return _gone(request, problem)
    if request.method == "POST" and not error:
        return redirect("behaviour:import_check", upload.uuid)
    if request.method == "POST":
        context = upload_pages.columns_context(upload)
    context |= {"nav": "data", "upload": upload, "error": error, "steps": upload_pages.steps(upload, "columns")}
    return render(request, "behaviour/import_columns.html", context, status=422 if error else 200)


def _chosen(request: UserRequest, upload: Upload) -> str:
    """Take the choices and return what is still wrong with them."""
    with tables.open_table(upload) as table:
        header, kind = table.header, table.match.kind
    try:
        uploads.choose_columns(upload, upload_forms.decisions(request.POST, header, kind))
    except MailAIError as error:
        return str(error)
    audit.record("upload.columns", upload, by=request.user)
    missing = uploads.missing_text(uploads.match_of(upload))
    if not missing:
        _begin_check(upload)
    return missing


def _gone(request: HttpRequest, problem: Exception) -> HttpResponse:
    sentence = problem_text(problem) if isinstance(problem, TableError) else _("The file is no longer there.")
    messages.error(request, sentence)
    return redirect("behaviour:import_new")


@require_role(ADMIN)
def import_check(request: UserRequest, uuid: str) -> HttpResponse:
    """Show what the import would do; a POST begins it."""
    upload = get_object_or_404(Upload, uuid=uuid)
    if upload.state not in OPEN:
        return redirect("behaviour:import_run", upload.uuid)
    if request.method == "POST":
        try:
            uploads.queue(upload, by=request.user)
        except MailAIError as error:
            messages.error(request, str(error))
            return redirect("behaviour:import_check", upload.uuid)
        tasks.import_upload.delay_on_commit(upload.pk)
        return redirect("behaviour:import_run", upload.uuid)
    if request.headers.get("HX-Request"):
        # The waiting page asks; it is loaded anew, bar and all, once the check is done.
        done = upload.state == State.CHECKED
        return HttpResponse(status=200 if done else 204, headers={"HX-Refresh": "true"} if done else {})
    context = {"nav": "data", "upload": upload, "steps": upload_pages.steps(upload, "check")}
    if upload.state == State.CHECKED:
        context |= upload_pages.check_context(upload)
    return render(request, "behaviour/import_check.html", context)


@require_role(ADMIN)
def import_run(request: UserRequest, uuid: str) -> HttpResponse:
    """Show how far the import is, and what became of it."""
    upload = get_object_or_404(Upload, uuid=uuid)
    if upload.state in OPEN:
        return redirect("behaviour:import_check", upload.uuid)
    context = {"nav": "data", "steps": upload_pages.steps(upload, "run"), **upload_pages.run_context(upload)}
    name = "behaviour/_run.html" if request.headers.get("HX-Request") else "behaviour/import_run.html"
    return render(request, name, context)


@require_role(ADMIN)
def import_rejects(request: UserRequest, uuid: str) -> HttpResponse:
    """Send the refused rows."""
    upload = get_object_or_404(Upload, uuid=uuid)
    path = path_of(upload.rejects_file) if upload.rejects_file else None
    if path is None or not path.exists():
        raise Http404
    name = f"refused-{upload.pk}.csv.gz"
    answer = HttpResponse(path.read_bytes(), content_type="application/gzip")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


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
    """Drop a file that was not imported."""
    upload = get_object_or_404(Upload, uuid=uuid)
    try:
        removal.cancel_upload(upload, by=request.user)
        tasks.remove_rows.delay_on_commit(upload.pk)
        messages.success(request, _("The file was deleted. Nothing of it was imported."))
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("behaviour:imports")


@require_role(ADMIN)
def import_template(request: UserRequest, kind: str) -> HttpResponse:
    """Send a file to start from."""
    if kind not in upload_pages.TEMPLATES:
        raise Http404
    answer = HttpResponse("\r\n".join(upload_pages.TEMPLATES[kind]) + "\r\n", content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    return answer
