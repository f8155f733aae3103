"""Pages of the shared user interface."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mailai.accounts.roles import public


@public
def media(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(status=404)


@public
def styleguide(request: HttpRequest) -> HttpResponse:
    return render(request, "styleguide.html")


@public
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


@public
def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "500.html", status=500)
