"""How the addresses of segments/api.py are described on /api/v1/docs and in /api/v1/openapi.json."""

import json
from typing import Any

RULE = {"all": [{"did": "purchase", "times": {"op": ">=", "n": 2}, "within": {"days": 90}}]}
COUNTED, MADE, CHANGED = {"rule": RULE}, {"name": "Twice this season", "rule": RULE}, {"rule": RULE}
READ, WRITE = "segments:read", "segments:write"
RULE_TEXT = "A rule as in the builder and in files: docs/segments.md; GET /api/v1/segments/schema is its JSON schema."
NAME_TEXT = "The name of the segment; no other has it."
COUNTED_NAME_TEXT = "Instead of a rule, the name of a segment."
ONE = "/api/v1/segments/{id}"
ERROR = {"$ref": "#/components/schemas/ErrorAnswer"}
NAMES = {"type": "array", "items": {"type": "string"}}
USERS = {"type": "object", "properties": {"segments": NAMES, "campaigns": NAMES}}
ID = {"type": "string", "format": "uuid"}
PARTS: dict[str, Any] = {
    "id": ID,
    "name": {"type": "string"},
    "rule": {"type": "object"},
    "updated_at": {"type": "string", "format": "date-time"},
}
SEGMENT = {"type": "object", "properties": PARTS}
COUNT = {
    "type": "object",
    "required": ["count", "mailable", "excluded", "seconds"],
    "properties": {
        "count": {"type": "integer", "description": "Shoppers whom the rule fits."},
        "mailable": {"type": "integer", "description": "Those of them who can be emailed."},
        "excluded": {"type": "object", "additionalProperties": {"type": "integer"}},
        "seconds": {"type": "number"},
    },
}
LISTED = {"type": "object", "properties": {"segments": {"type": "array", "items": SEGMENT}}}
DELETED = {"type": "object", "properties": {"deleted": ID}}
# Why a call is refused, by what the call does.
ALWAYS = {"401": "No key.", "403": "The key lacks the scope.", "429": "Too much in this minute."}
UNUSABLE = {"422": "The rule or the name can't be used; the reason says why."}
NOT_FOUND = {"404": "There is no such segment."}
IN_USE = {"409": "A segment or a campaign uses it; the reason names which."}
GONE = {"409": "It was deleted meanwhile."}


def operations() -> list[dict[str, Any]]:
    """Return the description of each call."""
    rule = _field("rule", "object", RULE_TEXT)
    name = _field("name", "string", NAME_TEXT)
    counted = _body(COUNTED, rule, _field("segment", "string", COUNTED_NAME_TEXT))
    whole = _body(MADE, name | {"required": True}, rule | {"required": True})
    changed, none = _body(CHANGED, name, rule), _body({})
    kept = _with("used_by", "What asks this segment and changes with it.")
    saved = _with("also_changed", "Segments and campaigns that changed with it.")
    top = "/api/v1/segments"
    return [
        _call("segments", "get", top, "Read all segments with their rules", READ, LISTED, {}, none),
        _call("segments-make", "post", top, "Make a segment", WRITE, SEGMENT, UNUSABLE, whole, status="201"),
        _call("segments-one", "get", ONE, "Read one segment and what uses it", READ, kept, NOT_FOUND, none),
        _call(
            "segments-replace", "put", ONE, "Give a segment a name and a rule", WRITE, saved,
            NOT_FOUND | GONE | UNUSABLE, whole,
        ),
        _call(
            "segments-change", "patch", ONE, "Change the name or the rule of a segment", WRITE, saved,
            NOT_FOUND | GONE | UNUSABLE, changed,
        ),
        _call("segments-delete", "delete", ONE, "Remove a segment", WRITE, DELETED, NOT_FOUND | IN_USE, none),
        _call(
            "segments-count", "post", f"{top}/count", "Count a rule or a segment", READ, COUNT,
            UNUSABLE | {"503": "It took too long."}, counted,
        ),
        _call("segments-schema", "get", f"{top}/schema", "The JSON schema of a rule", "", {"type": "object"}, {}, none),
    ]  # fmt: skip


def _call(  # noqa: PLR0913 what a call is described by
    what: str, method: str, path: str, summary: str, scope: str, schema: dict[str, Any], refused: dict[str, str],
    body: dict[str, Any], *, status: str = "200",
) -> dict[str, Any]:  # fmt: skip
    texts = (ALWAYS if scope else {}) | refused
    described: dict[str, Any] = {
        "summary": summary, "operationId": f"{method}_{what.replace('-', '_')}",
        "description": f"Scope {scope}." if scope else "No key is needed.",
        "responses": {status: _answer("The answer.", schema)} | {one: _answer(texts[one], ERROR) for one in texts},
    }  # fmt: skip
    if "{id}" in path:
        described["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": ID}]
    if body["openapi"]:
        described["requestBody"] = body["openapi"]
    if not scope:
        described["security"] = []
    return {
        "what": what, "methods": method.upper(), "path": path, "scope": scope or "–", "openapi": {method: described},
        "fields": body["fields"], "example": body["example"],
    }  # fmt: skip


def _body(example: dict[str, Any], *fields: dict[str, Any]) -> dict[str, Any]:
    if not fields:
        return {"openapi": None, "fields": [], "example": ""}
    schema: dict[str, Any] = {
        "type": "object", "additionalProperties": False,
        "properties": {one["name"]: {"type": one["type"], "description": one["description"]} for one in fields},
    }  # fmt: skip
    if needed := [one["name"] for one in fields if one["required"]]:
        schema["required"] = needed
    content = {"application/json": {"schema": schema, "example": example}}
    return {
        "openapi": {"required": True, "content": content}, "fields": list(fields),
        "example": json.dumps(example, indent=2),
    }  # fmt: skip


def _field(name: str, kind: str, text: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "limits": "", "required": False, "description": text}


def _with(name: str, text: str) -> dict[str, Any]:
    return {"type": "object", "properties": PARTS | {name: USERS | {"description": text}}}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
