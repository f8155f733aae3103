"""Tells the audit log who is asking, and closes the gap when a view wrote without an entry."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from mailai.accounts import audit

READING = {"GET", "HEAD", "OPTIONS"}


class AuditMiddleware:
    """Every write by a person leaves an entry: the service's own, else one that names the address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        actor = request.user if request.user.is_authenticated else None
        tokens = audit.current_actor.set(actor), audit.written.set(0)
        try:
            response = self.get_response(request)
            # Logging out changes request.user, so the person from before is named.
            if actor and request.method not in READING and response.status_code < 400 and not audit.written.get():
                match = request.resolver_match
                audit.record(match.view_name if match else "unknown", by=actor, path=request.path)
            return response
        finally:
            audit.current_actor.reset(tokens[0])
            audit.written.reset(tokens[1])
