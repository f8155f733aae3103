"""Pages speak the shop's local time."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from behaviour.models import Shop


class ShopTimeMiddleware:
    """Times on pages are the shop's; who is not logged in (tracking, health) costs no query for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(Shop.current().zone):
            return self.get_response(request)
