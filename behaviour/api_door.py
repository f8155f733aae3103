"""The way in for programs: none of what pages need (sessions, language, messages) stands before it."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

LOG = logging.getLogger(__name__)
API = "/api/"
# The page for people keeps everything that pages have.
FOR_PEOPLE = "/api/v1/docs"
# A connection of SQLite is worth keeping: its first query reads the schema and half the index anew.
KEEP_SECONDS = 60
AGAIN = "Send it again: what is stored already is not stored twice."


class ApiError(Exception):
    """What a program is told when its request is refused as a whole."""

    def __init__(self, status: int, code: str, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason = status, code, reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answer(content: Any, status: int = HTTPStatus.OK) -> HttpResponse:
    """Return JSON."""
    response = HttpResponse(msgspec.json.encode(content), status=status, content_type="application/json")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def refused(error: ApiError) -> HttpResponse:
    """Return an error as JSON."""
    response = answer({"error": {"code": error.code, "reason": error.reason}}, error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response


class ApiDoor:
    """First of the middleware: calls the views of the API at once and turns whatever goes wrong into JSON."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(API) or path.rstrip("/") == FOR_PEOPLE:
            return self.get_response(request)
        try:
            view, arguments, named = resolve(path)
            return view(request, *arguments, **named)
        except Resolver404:
            return refused(ApiError(404, "not_found", "Nothing is at this address. See /api/v1/docs."))
        except ApiError as error:
            return refused(error)
        except (OperationalError, InterfaceError):
            LOG.exception("The database did not answer: %s", path)
            return refused(ApiError(503, "busy", f"The database does not answer now. {AGAIN}", Retry_After="5"))
        except Exception:
            LOG.exception("API request failed: %s", path)
            return refused(ApiError(500, "broken", f"Something broke here. {AGAIN}"))
        finally:
            if connection.vendor == "sqlite" and connection.connection is not None:
                connection.close_at = time.monotonic() + KEEP_SECONDS
