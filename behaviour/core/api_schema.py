"""The description of the API, made from the types that read it: what it says is what is checked."""

from functools import lru_cache
from typing import Any

import msgspec

from behaviour.core.api_events import MOST_EVENTS, Body, Event, Refusal
from behaviour.core.api_records import ProductRecord, ShopperRecord

EXAMPLES: dict[str, dict[str, Any]] = {
    "events": {
        "events": [
            {
                "event": "purchase", "timestamp": "2026-03-02T10:15:00+01:00", "user_id": "4711", "item_id": "MUG-1",
                "quantity": 2, "price": 9.5, "order_id": "A-1001", "key": "A-1001/1",
            },
            {"event": "view", "timestamp": "2026-03-02T10:05:00Z", "visitor_id": "c2f1", "item_id": "MUG-1"},
        ]
    },
    "shoppers": {
        "shoppers": [
            {
                "user_id": "4711", "email": "elena@example.com", "first_name": "Elena", "country": "Germany",
                "consent": "given", "consent_at": "2026-03-01T09:00:00Z", "consent_source": "checkout",
            }
        ]
    },
    "products": {
        "products": [
            {"item_id": "MUG-1", "name": "Blue mug", "category": "Kitchen > Mugs", "price": 9.5, "stock": 12}
        ]
    },
}  # fmt: skip
SCOPES = {"events": "events:write", "shoppers": "shoppers:write", "products": "products:write"}
SUMMARIES = {
    "events": "Store events, each once, however often they are sent",
    "shoppers": "Make or change shoppers",
    "products": "Make or change products",
}
RECORDS: dict[str, type[msgspec.Struct]] = {"events": Event, "shoppers": ShopperRecord, "products": ProductRecord}
ERRORS = {
    "401": "No key, or one that is unknown, revoked or expired.",
    "403": "The key lacks the scope, or a site key was sent from another site.",
    "413": "More than 5 MB or 1,000 entries, or more than the key may send in a minute.",
    "422": "The body as a whole can't be read. Nothing was stored.",
    "429": "Too much in this minute. Nothing was stored; Retry-After says for how many seconds to wait.",
    "503": "The database does not answer now. Send it again after Retry-After seconds.",
}


class EventsAnswer(msgspec.Struct):
    """accepted + duplicates + refused = events sent; what is accepted is stored for good."""

    accepted: int
    duplicates: int
    refused: list[Refusal]


class UpsertAnswer(msgspec.Struct):
    """changed + unchanged + refused = entries sent."""

    changed: int
    unchanged: int
    refused: list[Refusal]


class Problem(msgspec.Struct):
    """Why a request was refused as a whole."""

    code: str
    reason: str


class ErrorAnswer(msgspec.Struct):
    """A request that was refused as a whole."""

    error: Problem


@lru_cache(maxsize=1)
def openapi() -> dict[str, Any]:
    """Return the description as OpenAPI 3.1."""
    types = [Body, *RECORDS.values(), EventsAnswer, UpsertAnswer, ErrorAnswer]
    _refs, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "MailAI", "version": "1", "description": "What shoppers do, who they are, what is sold."},
        "paths": {f"/api/v1/{what}": _path(what) for what in RECORDS},
        "security": [{"key": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(what: str) -> dict[str, Any]:
    answer = "EventsAnswer" if what == "events" else "UpsertAnswer"
    operation = {
        "summary": SUMMARIES[what],
        "description": f"Scope {SCOPES[what]}.",
        "requestBody": {"required": True, "content": {"application/json": _batch(what)}},
        "responses": {
            "200": _answer(answer, "What became of each entry."),
            **{status: _answer("ErrorAnswer", text) for status, text in ERRORS.items()},
        },
    }  # fmt: skip
    methods = ("post",) if what == "events" else ("post", "put")
    return {method: operation | {"operationId": f"{method}_{what}"} for method in methods}


def _batch(what: str) -> dict[str, Any]:
    items = {"$ref": f"#/components/schemas/{RECORDS[what].__name__}"}
    entries = {"type": "array", "maxItems": MOST_EVENTS, "items": items}
    schema = {"type": "object", "required": [what], "properties": {what: entries}}
    return {"schema": schema, "example": EXAMPLES[what]}


def _answer(name: str, text: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def fields(what: str) -> list[dict[str, Any]]:
    """Return name, type, limits, whether it must be given and what it is, for each field of an entry."""
    schema = openapi()["components"]["schemas"][RECORDS[what].__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "required": name in required, **_field(described)}
        for name, described in schema["properties"].items()
    ]


def _field(described: dict[str, Any]) -> dict[str, Any]:
    one = next((part for part in described.get("anyOf", ()) if part.get("type") != "null"), described)
    kind = " | ".join(one["enum"]) if "enum" in one else one.get("format") or one.get("type", "")
    limits = {"minimum": "≥ {}", "maximum": "≤ {}", "maxLength": "≤ {} characters"}
    told = [text.format(f"{one[name]:,.0f}") for name, text in limits.items() if name in one]
    text = described.get("description") or one.get("description", "")
    return {"type": kind, "limits": ", ".join(told), "description": text}
