"""How the addresses of segments/api.py are described on /api/v1/docs and in /api/v1/openapi.json."""

import json
from typing import Any

EXAMPLE = {"rule": {"all": [{"did": "purchase", "times": {"op": ">=", "n": 2}, "within": {"days": 90}}]}}
SCOPE = "segments:read"
ANSWER = {
    "type": "object",
    "required": ["count", "mailable", "excluded", "seconds"],
    "properties": {
        "count": {"type": "integer", "description": "Shoppers whom the rule fits."},
        "mailable": {"type": "integer", "description": "Those of them who can be emailed."},
        "excluded": {"type": "object", "additionalProperties": {"type": "integer"}},
        "seconds": {"type": "number"},
    },
}
LISTED = {
    "type": "object",
    "properties": {
        "segments": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "name": {"type": "string"},
                    "rule": {"type": "object"},
                    "updated_at": {"type": "string", "format": "date-time"},
                },
            },
        }
    },
}
RULE_TEXT = "A rule as in the builder and in files: docs/segments.md; GET /api/v1/segments/schema is its JSON schema."
NAME_TEXT = "Instead of a rule, the name of a segment."
ERROR = {"$ref": "#/components/schemas/ErrorAnswer"}


def operations() -> list[dict[str, Any]]:
    """Return the description of each address."""
    asked = {
        "type": "object",
        "properties": {
            "rule": {"type": "object", "description": RULE_TEXT},
            "segment": {"type": "string", "description": NAME_TEXT},
        },
    }
    body = {"required": True, "content": {"application/json": {"schema": asked, "example": EXAMPLE}}}
    return [
        _one("segments", "get", "/api/v1/segments", "Read all segments with their rules", LISTED),
        _one("segments-count", "post", "/api/v1/segments/count", "Count a rule or a segment", ANSWER, body),
        _one("segments-schema", "get", "/api/v1/segments/schema", "The JSON schema of a rule", {"type": "object"}),
    ]


def _one(
    what: str, method: str, path: str, summary: str, schema: dict[str, Any], body: dict[str, Any] | None = None
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": _answer("The answer.", schema)}
    scope = "" if what == "segments-schema" else SCOPE
    if scope:
        texts = {"401": "No key.", "403": "The key lacks the scope.", "429": "Too much in this minute."}
        if body:
            texts |= {"422": "The rule can't be used; the reason says why.", "503": "It took too long."}
        responses |= {status: _answer(text, ERROR) for status, text in texts.items()}
    described: dict[str, Any] = {
        "summary": summary, "operationId": f"{method}_{what.replace('-', '_')}", "responses": responses,
        "description": f"Scope {scope}." if scope else "No key is needed.",
    }  # fmt: skip
    if body:
        described["requestBody"] = body
    if not scope:
        described["security"] = []
    fields = [
        {"name": "rule", "type": "object", "limits": "", "description": RULE_TEXT},
        {"name": "segment", "type": "string", "limits": "", "description": NAME_TEXT},
    ]
    return {
        "what": what, "methods": method.upper(), "path": path, "scope": scope or "–", "openapi": {method: described},
        "fields": fields if body else [], "example": json.dumps(EXAMPLE, indent=2) if body else "",
    }  # fmt: skip


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
