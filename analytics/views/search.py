"""The search behind the command palette; also a plain page."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from analytics.search import find
from mailai.accounts.roles import require_login


@require_login
def search(request: HttpRequest) -> HttpResponse:
    """Show what fits ?q=, as JSON where that is asked for."""
    words = request.GET.get("q", "")[:80]
    hits = find(request.user, words)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"hits": [vars(hit) for hit in hits]})
    template = "analytics/_hits.html" if request.headers.get("HX-Request") else "analytics/search.html"
    return render(request, template, {"words": words, "hits": hits})
