"""The format for other programs: its JSON schema."""

from typing import Any

from segments.fields import (
    BETWEEN,
    CHOICE,
    FIELDS,
    LISTS,
    MAX_DAYS,
    MAX_NUMBER,
    NUMERIC,
    OPERATORS,
    PRESENCE,
    WHOLE_KINDS,
    Field,
)
from segments.rules.behaviour import YEAR
from segments.rules.limits import (
    AMOUNTS,
    ANNIVERSARIES,
    GROUPS,
    HEADS,
    KINDS,
    MAILS,
    MAX_DEPTH,
    MAX_LIST,
    MAX_NODES,
    MAX_TEXT,
    MAX_TIMES,
)

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
DAY: Schema = {"type": "string", "format": "date"}
UUID: Schema = {"type": "string", "format": "uuid"}
MONEY: Schema = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}


def schema() -> Schema:
    """Return the JSON schema of a rule; docs/segment-rule.schema.json is this, a test keeps them equal."""
    parts = {"type": "array", "items": _ref("rule"), "maxItems": MAX_NODES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "MailAI segment rule",
        "description": f"At most {MAX_DEPTH} groups deep, at most {MAX_NODES} groups and conditions in all.",
        "$ref": "#/$defs/rule",
        "$defs": {
            "rule": {"oneOf": [_ref(name) for name in (*GROUPS, *HEADS)]},
            "all": _object({"all": parts}),
            "any": _object({"any": {**parts, "minItems": 1}}),
            "not": _object({"not": _ref("rule")}),
            "field": {"oneOf": [one for field in FIELDS.values() for one in _field_schemas(field)]},
            **_behaviour(),
        },
    }


def _behaviour() -> dict[str, Schema]:
    counted = {"times": _ref("times"), "within": _ref("within")}
    did: Schema = {"enum": list(KINDS)}
    days = _whole(-YEAR, YEAR)
    step = _object({"did": did}, {"where": _ref("where")})
    return {
        "did": _object({"did": did}, {**counted, "where": _ref("where")}),
        "mail": _object({"mail": {"enum": list(MAILS)}}, {**counted, "campaign": UUID}),
        "sequence": _object(
            {
                "sequence": _object(
                    {"first": step, "then": step, "happened": {"type": "boolean"}, "days": _whole(1, MAX_DAYS)},
                    {"same_product": {"type": "boolean"}},
                )
            },
            {"within": _ref("within")},
        ),
        "anniversary": _object({"anniversary": {"enum": list(ANNIVERSARIES)}}, {"from_days": days, "to_days": days}),
        "segment": _object({"segment": UUID}),
        "list": _object({"list": UUID}),
        "times": {
            "oneOf": [
                _object({"op": {"const": ">="}, "n": _whole(1, MAX_TIMES)}),
                _object({"op": {"enum": ["<=", "="]}, "n": _whole(0, MAX_TIMES)}),
            ]
        },
        "within": {
            "oneOf": [
                _object({"days": _whole(1, MAX_DAYS)}),
                _object({"from": DAY, "to": DAY}),
                _object({"since": DAY}),
                _object({"before_days": _whole(1, MAX_DAYS)}),
            ]
        },
        "where": _object(
            {},
            {name: _several(TEXT) for name in ("category", "product", "country", "question", "answer")}
            | {"amount": _amount()},
        ),
    }


def _amount() -> Schema:
    single = [op for op in AMOUNTS if op != BETWEEN]
    pair = {"type": "array", "items": MONEY, "minItems": 2, "maxItems": 2}
    return {
        "oneOf": [
            _object({"op": {"enum": single}, "value": MONEY}),
            _object({"op": {"const": BETWEEN}, "value": pair}),
        ]
    }


def _field_schemas(field: Field) -> list[Schema]:
    one = _value_schema(field)
    pair = {"type": "array", "items": one, "minItems": 2, "maxItems": 2}
    special = ((LISTS, _several(one)), ((BETWEEN,), pair), (PRESENCE, None))
    found = []
    for group, value in special:
        if used := [op for op in OPERATORS[field.kind] if op in group]:
            found.append(_condition_schema(field, used, value))
    plain = [op for op in OPERATORS[field.kind] if op not in (*LISTS, BETWEEN, *PRESENCE)]
    return [_condition_schema(field, plain, one), *found]


def _condition_schema(field: Field, ops: list[str], value: Schema | None) -> Schema:
    return _object({"field": {"const": field.name}, "op": {"enum": ops}, **({} if value is None else {"value": value})})


def _value_schema(field: Field) -> Schema:
    if field.kind in NUMERIC:
        whole = "integer" if field.kind in WHOLE_KINDS else "number"
        return {"type": whole, "minimum": field.low, "maximum": field.high}
    if field.kind == CHOICE:
        return {"enum": [choice for choice, _label in field.choices]}
    return TEXT


def _several(one: Schema) -> Schema:
    return {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_LIST}


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(needed: dict[str, Any], optional: dict[str, Any] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**needed, **(optional or {})},
        "required": list(needed),
        "additionalProperties": False,
    }
