"""The wizard of an upload: file, columns, check. Admins only: a file can hold names and addresses."""

import logging
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from behaviour import (
    checking,
    column_matches,
    shaping,
    tables,
    tasks,
    upload_choices,
    upload_cleaning,
    upload_columns,
    upload_forms,
    upload_pages,
    uploads,
)
from behaviour.core.columns import GENERIC
from behaviour.core.parsing import TableError
from behaviour.models import Upload
from behaviour.rejects import own_columns
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
    return render(request, "behaviour/imports.html", {"nav": "data", "tab": "imports", "page": page})


@require_role(ADMIN)
def import_new(request: UserRequest) -> HttpResponse:
    """Take a file. Who asks for JSON, as the page's script does, gets the next address or the sentence."""
    form = upload_forms.UploadForm(request.POST or None, request.FILES or None)
    wants_json = request.headers.get("Accept") == "application/json"
    url = ""
    if request.method == "POST" and form.is_valid():
        try:
            url = _received(request, form.cleaned_data)
        except (InputError, TableError) as error:
            form.add_error("file", problem_text(error) if isinstance(error, TableError) else str(error))
    if url:
        return JsonResponse({"url": url}) if wants_json else redirect(url)
    errors = [str(text) for text in form.errors.get("file", [])] if request.method == "POST" else []
    if errors and wants_json:
        return JsonResponse({"error": errors[0]}, status=422)
    context = {
        "nav": "data",
        "errors": errors,
        "steps": upload_pages.steps(None, "new"),
        "earlier": upload_pages.listed()[:8],
    }
    return render(request, "behaviour/import_new.html", context, status=422 if errors else 200)


def _received(request: UserRequest, sent: dict[str, Any]) -> str:
    """Keep the file and return where the wizard goes on.

    The columns are skipped when nothing is to be asked: the layout was recognised, every column found its field, files
    with these columns were read before, or the rows come back mended. What MailAI itself added to a file of refused
    rows asks for no decision.
    """
    upload = uploads.receive_upload(sent["file"], sent["file"].name, by=request.user)
    original = Upload.objects.filter(uuid=sent["mends"]).first() if sent["mends"] else None
    if original is not None:
        upload = upload_choices.take_over(upload, original, by=request.user)
    remembered = original is None and column_matches.recall(upload, by=request.user)
    match = uploads.match_of(upload)
    known = original is not None or remembered or match.layout != GENERIC or not set(match.left) - own_columns()
    if match.complete and known and not shaping.unanswered(upload):
        _begin_check(upload)
        return reverse("behaviour:import_check", args=[upload.uuid])
    return reverse("behaviour:import_columns", args=[upload.uuid])


def _begin_check(upload: Upload) -> None:
    uploads.begin_check(upload)
    if upload.size <= CHECK_AT_ONCE:
        checking.check_upload(upload)
    else:
        tasks.check_upload.delay_on_commit(upload.pk)


@require_role(ADMIN)
def import_columns(request: UserRequest, uuid: str) -> HttpResponse:
    """Say which column is which field, and what the file does not tell."""
    upload = get_object_or_404(Upload, uuid=uuid)
    if upload.state not in OPEN:
        return redirect("behaviour:import_run", upload.uuid)
    error = ""
    try:
        if request.method == "POST":
            error = _chosen(request, upload)
            if not error:
                return redirect("behaviour:import_check", upload.uuid)
        context = upload_columns.columns_context(upload)
        if error:
            upload_columns.show_choices(context["columns"], request.POST)
    except (TableError, OSError) as problem:
        return _gone(request, problem)
    context |= {"nav": "data", "upload": upload, "error": error, "steps": upload_pages.steps(upload, "columns")}
    return render(request, "behaviour/import_columns.html", context, status=422 if error else 200)


def _chosen(request: UserRequest, upload: Upload) -> str:
    """Take the choices and return what is still wrong with them."""
    with tables.open_table(upload) as table:
        header, match = table.header, table.match
    try:
        if zone := request.POST.get("zone"):
            upload_choices.choose_zone(upload, zone)
        decided = upload.mapping.get("columns", {})
        uploads.choose_columns(upload, upload_forms.decisions(request.POST, header, match, decided))
    except MailAIError as error:
        return str(error)
    audit.record("upload.columns", upload, by=request.user)
    missing = uploads.missing_text(uploads.match_of(upload)) or shaping.unanswered_text(upload)
    if not missing:
        _begin_check(upload)
    return missing


@require_role(ADMIN)
@require_POST
def import_forget(request: UserRequest, uuid: str) -> HttpResponse:
    """Forget how files with these columns are read."""
    upload = get_object_or_404(Upload, uuid=uuid)
    try:
        column_matches.forget(upload, by=request.user)
    except OSError as problem:
        return _gone(request, problem)
    except MailAIError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Forgotten. Files with these columns are asked about again."))
    return redirect("behaviour:import_columns", upload.uuid)


@require_role(ADMIN)
@require_POST
def import_reading(request: UserRequest, uuid: str) -> HttpResponse:
    """Read the file in another encoding, or with another separator."""
    upload = get_object_or_404(Upload, uuid=uuid)
    shape = upload.mapping.get("shape", {})
    sent = {name: request.POST.get(name, "") for name in ("encoding", "delimiter")}
    # What was not changed is looked for anew, because it may hang on what was.
    changed = {name: value for name, value in sent.items() if value and value != shape.get(name)}
    try:
        if changed:
            shaping.reshape(upload, **changed)
            audit.record("upload.columns", upload, by=request.user)
    except OSError as problem:
        return _gone(request, problem)
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("behaviour:import_columns", upload.uuid)


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
        return _begin_import(request, upload)
    checked = upload.state == State.CHECKED
    if not checked and upload.heartbeat_at is None:
        # No check was begun: its columns come first.
        return redirect("behaviour:import_columns", upload.uuid)
    context = {"nav": "data", "upload": upload, "steps": upload_pages.steps(upload, "check")}
    context |= upload_pages.check_context(upload) if checked else upload_pages.checking_context(upload)
    context |= {"looks": upload_columns.looks_text(upload), "reading": upload_columns.reading_rows(upload)}
    context["notes"] = upload_columns.note_texts(upload)
    if checked:
        try:
            context |= upload_cleaning.cleaning_context(upload, uploads.match_of(upload))
        except (TableError, OSError) as problem:
            return _gone(request, problem)
    if request.headers.get("HX-Request") and checked:
        # The waiting part asks; the page is loaded anew once the check is done.
        return HttpResponse(headers={"HX-Refresh": "true"})
    name = "behaviour/_checking.html" if request.headers.get("HX-Request") else "behaviour/import_check.html"
    return render(request, name, context)


@require_role(ADMIN)
@require_POST
def import_cleaning(request: UserRequest, uuid: str) -> HttpResponse:
    """Switch rules of cleaning, say what empty cells are taken for, and check the file anew."""
    upload = get_object_or_404(Upload, uuid=uuid)
    fill = {key.removeprefix("fill-"): request.POST[key] for key in request.POST if key.startswith("fill-")}
    try:
        listed = request.POST.get("non_products", "").splitlines()
        upload_cleaning.choose_cleaning(upload, request.POST.getlist("rule"), fill, listed, by=request.user)
        _begin_check(upload)
    except (TableError, OSError) as problem:
        return _gone(request, problem)
    except MailAIError as error:
        messages.error(request, str(error))
    return redirect("behaviour:import_check", upload.uuid)


def _begin_import(request: UserRequest, upload: Upload) -> HttpResponse:
    try:
        upload_choices.wish_training(upload, wished="train" in request.POST)
        uploads.queue(upload, by=request.user)
        # What nobody imported may have been a mistake.
        with tables.open_table(upload) as table:
            column_matches.remember(upload, table.header)
    except MailAIError as error:
        messages.error(request, str(error))
        return redirect("behaviour:import_check", upload.uuid)
    except (TableError, OSError) as problem:
        return _gone(request, problem)
    tasks.import_upload.delay_on_commit(upload.pk)
    return redirect("behaviour:import_run", upload.uuid)


@require_role(ADMIN)
def import_template(request: UserRequest, kind: str) -> HttpResponse:
    """Send a file to start from."""
    if kind not in upload_pages.TEMPLATES:
        raise Http404
    answer = HttpResponse("\r\n".join(upload_pages.TEMPLATES[kind]) + "\r\n", content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    return answer
