"""Who may open what. Every view wears one of these decorators; a test walks all addresses."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from mailai.accounts.models import User

MARKETER, MANAGER, ADMIN = "marketer", "manager", "admin"
ROLES = (MARKETER, MANAGER, ADMIN)

View = Callable[..., HttpResponse]


class UserRequest(HttpRequest):
    """A request that passed `require_role`: its user is somebody."""

    user: User  # type: ignore[assignment]


def has_role(user: Any, *roles: str) -> bool:
    """Say whether the user holds at least one of the roles."""
    return bool(user.is_authenticated and user.is_active and any(getattr(user, f"is_{role}") for role in roles))


def _refused(request: HttpRequest, roles: tuple[str, ...]) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # Somebody took the role away while the page was open.
        context = {"title": _("Your role does not allow this any more"), "text": _("Reload the page.")}
        return render(request, "components/error_card.html", context, status=403)
    return render(request, "403.html", {"roles": roles}, status=403)


def _to_login(request: HttpRequest) -> HttpResponse:
    answer = redirect_to_login(_page_of(request))
    if request.headers.get("HX-Request"):
        # A part of a page has no room for the login; the browser goes there.
        return HttpResponse(headers={"HX-Redirect": answer["Location"]})
    return answer


def _page_of(request: HttpRequest) -> str:
    """Return the page to come back to after the login; what was sent is gone, so it is the page of the form."""
    part = request.headers.get("HX-Current-URL")
    if request.method in ("GET", "HEAD") and not part:
        return request.get_full_path()
    page = urlsplit(part or request.headers.get("Referer", ""))
    return page.path if page.path and page.netloc == request.get_host() else "/"


def require_role(*roles: str) -> Callable[[View], View]:
    """Let in whoever holds one of the roles; others see who can help."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_login(request)
            if not has_role(request.user, *roles):
                return _refused(request, roles)
            return view(request, *args, **kwargs)

        guarded.allowed_roles = roles  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(view: View) -> View:
    """Mark a view that anybody may open (tracking, health, login)."""
    view.allowed_roles = ()  # type: ignore[attr-defined]
    return view


require_login = require_role(*ROLES)
