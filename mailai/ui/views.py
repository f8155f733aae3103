"""Pages of the shared user interface."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.static import serve

from mailai.accounts.roles import public
from mailai.ui import samples

# Product pictures carry their content in the name or change rarely; mails ask for them again and again.
MEDIA_AGE = 7 * 86_400


@public
def media(request: HttpRequest, name: str) -> HttpResponse:
    """Serve a product picture; every other uploaded file stays private."""
    if not name.startswith("products/"):
        raise Http404
    answer = serve(request, name.removeprefix("products/"), document_root=str(settings.MEDIA_ROOT / "products"))
    answer["Cache-Control"] = f"public, max-age={MEDIA_AGE}"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer  # type: ignore[return-value]


@public
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every component in every state; used by people who build pages and by the browser tests."""
    return render(request, "styleguide.html", samples.context(request))


@public
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that nothing is at this address."""
    if request.headers.get("HX-Request"):
        return _failed_part(_("This is not there any more"), _("It was removed meanwhile. Reload the page."), 404)
    return render(request, "404.html", status=404)


@public
def server_error(request: HttpRequest) -> HttpResponse:
    """Say that something broke; without context processors, since the database may be what broke."""
    if request.headers.get("HX-Request"):
        return _failed_part(_("Something went wrong on our side"), _("Nothing was half done. Reload the page."), 500)
    return HttpResponse(render_to_string("500.html"), status=500)


def _failed_part(title: str, text: str, status: int) -> HttpResponse:
    """Return what stands in the place of a part of a page: a whole page has no room there."""
    context = {"title": title, "text": text}
    return HttpResponse(render_to_string("components/error_card.html", context), status=status)
