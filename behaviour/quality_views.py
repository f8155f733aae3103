"""The quality of the data: of one upload, and of all of them over time."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from behaviour import quality_pages
from behaviour.models import Upload
from mailai.accounts.roles import UserRequest, require_login


@require_login
def quality(request: UserRequest) -> HttpResponse:
    """Show the quality of the uploads over time."""
    return render(request, "behaviour/quality.html", {"nav": "data", **quality_pages.all_context()})


@require_login
def import_quality(request: UserRequest, uuid: str) -> HttpResponse:
    """Show what the rows of one upload were like."""
    upload = get_object_or_404(Upload, uuid=uuid)
    return render(request, "behaviour/quality_upload.html", {"nav": "data", **quality_pages.upload_context(upload)})
