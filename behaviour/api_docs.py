"""What programmers read about the API, and the script that pages of the shop load."""

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from behaviour.api_calls import MOST_BYTES
from behaviour.api_door import answer
from behaviour.core import api_schema
from behaviour.core.api_events import MOST_EVENTS, SENTENCES
from mailai.accounts.roles import public

SNIPPET_SECONDS = 3600
# What other apps answer at addresses below /api/v1/, told by them where they declare the addresses.
_more: list[dict[str, Any]] = []


def register(operation: dict[str, Any]) -> None:
    """Describe one more address: "what", "methods", "path", "scope", "fields", "example" (JSON) and "openapi"."""
    if operation["what"] not in {one["what"] for one in _more}:
        _more.append(operation)


@public
def openapi_json(request: HttpRequest) -> HttpResponse:
    """Return the description for programs."""
    document = api_schema.openapi()
    paths = dict(document["paths"])
    for one in _more:
        paths[one["path"]] = paths.get(one["path"], {}) | one["openapi"]
    return answer(document | {"paths": paths, "servers": [{"url": settings.MAILAI_PUBLIC_URL}]})


@public
def docs(request: HttpRequest) -> HttpResponse:
    """Show the description to people."""
    operations = [
        {
            "what": what,
            "methods": "POST" if what == "events" else "POST, PUT",
            "path": f"/api/v1/{what}",
            "scope": api_schema.SCOPES[what],
            "fields": api_schema.fields(what),
            "example": json.dumps(api_schema.EXAMPLES[what], indent=2),
        }
        for what in api_schema.RECORDS
    ]
    context = {
        "frame": "base.html" if request.user.is_authenticated else "behaviour/_api_open.html",
        "nav": "admin",
        "operations": [*operations, *_more],
        "errors": api_schema.ERRORS,
        "codes": [
            (code, text.format(field="…", detail="what is wrong with its value"))
            for code, text in sorted(SENTENCES.items())
        ],
        "address": settings.MAILAI_PUBLIC_URL,
        "most": MOST_EVENTS,
        "megabytes": MOST_BYTES // 1_000_000,
    }
    return render(request, "behaviour/api_docs.html", context)


@public
def snippet(request: HttpRequest) -> HttpResponse:
    """Return the script that pages of the shop load; the same for everybody."""
    response = HttpResponse(_script(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = f"public, max-age={SNIPPET_SECONDS}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@lru_cache(maxsize=1)
def _script() -> bytes:
    return (settings.BASE_DIR / "static" / "js" / "mailai-shop.js").read_bytes()
