"""Segment rules: validated JSON trees, compiled to one queryset of shoppers. docs/segments.md explains the format."""

import difflib
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Event, Product, Shopper
from mailai.errors import InputError
from segments.fields import (
    BOUGHT,
    CHOICE,
    DAYS,
    FIELDS,
    LISTS,
    MONEY,
    NEGATIVE,
    NUMBERS,
    OPERATORS,
    PRESENCE,
    TEXT,
    WHOLE,
    Field,
)
from segments.wording import describe

__all__ = ["EVERYBODY", "FIELDS", "condition", "describe", "matching", "schema", "validate"]

EVERYBODY: dict[str, Any] = {"all": []}
GROUPS = ("all", "any", "not")
MAX_DEPTH, MAX_NODES, MAX_LIST, MAX_TEXT, MAX_NUMBER = 5, 50, 50, 200, 1_000_000_000
MAX_DAYS = 36_500
# NUL and half characters: JSON can hold them, PostgreSQL can't.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LOOKUPS = {"=": "", ">=": "__gte", ">": "__gt", "<=": "__lte", "<": "__lt"}


# ---------- validation


def validate(rule: Any) -> dict[str, Any]:
    """Return the rule in its plain form; raise InputError with a sentence that says what to mend."""
    nodes = [MAX_NODES]
    return _validated(rule, MAX_DEPTH, nodes)


def _validated(rule: Any, depth: int, nodes: list[int]) -> dict[str, Any]:
    if not isinstance(rule, dict):
        raise InputError(_('A rule is an object such as {"all": []} or {"field": …, "op": …, "value": …}.'))
    nodes[0] -= 1
    if nodes[0] < 0:
        raise InputError(_("The rule has more than %(n)s parts. Make it simpler.") % {"n": MAX_NODES})
    if "field" in rule:
        return _validated_condition(rule)
    if len(rule) != 1 or (kind := next(iter(rule))) not in GROUPS:
        raise InputError(_("A group is one of all, any and not; this one is %(found)s.") % {"found": _names(rule)})
    if not depth:
        raise InputError(_("Groups are nested more than %(n)s deep. Make the rule simpler.") % {"n": MAX_DEPTH})
    if kind == "not":
        return {"not": _validated(rule["not"], depth - 1, nodes)}
    if not isinstance(rule[kind], list):
        raise InputError(_("“%(kind)s” needs a list of conditions.") % {"kind": kind})
    if kind == "any" and not rule[kind]:
        raise InputError(_("“Any of these” needs at least one condition. Add one, or remove the group."))
    return {kind: [_validated(part, depth - 1, nodes) for part in rule[kind]]}


def _validated_condition(rule: dict[str, Any]) -> dict[str, Any]:
    field = _known_field(rule["field"])
    op = rule.get("op")
    if op not in OPERATORS[field.kind]:
        raise InputError(
            _("“%(field)s” can't be compared with “%(op)s”. Use one of %(known)s.")
            % {"field": field.name, "op": op, "known": ", ".join(OPERATORS[field.kind])}
        )
    extra = set(rule) - {"field", "op", "value"}
    if extra or (op in PRESENCE and "value" in rule):
        unwanted = ", ".join(map(str, sorted(extra, key=str))) or "value"
        raise InputError(
            _("A condition on “%(field)s” must not have: %(extra)s.") % {"field": field.name, "extra": unwanted}
        )
    if op in PRESENCE:
        return {"field": field.name, "op": op}
    value = rule.get("value")
    if op in LISTS:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST:
            raise InputError(_("“%(field)s” needs a list of 1 to %(n)s values.") % {"field": field.name, "n": MAX_LIST})
        return {"field": field.name, "op": op, "value": [_validated_value(field, one) for one in value]}
    return {"field": field.name, "op": op, "value": _validated_value(field, value)}


def _known_field(name: Any) -> Field:
    field = FIELDS.get(name) if isinstance(name, str) else None
    if field is not None:
        return field
    near = difflib.get_close_matches(str(name), FIELDS, n=1, cutoff=0.5)
    if near:
        raise InputError(_("There is no field “%(name)s”. Did you mean “%(near)s”?") % {"name": name, "near": near[0]})
    raise InputError(
        _("There is no field “%(name)s”. Use one of %(known)s.") % {"name": name, "known": ", ".join(FIELDS)}
    )


def _validated_value(field: Field, value: Any) -> Any:
    if value is None or value == "":
        raise InputError(_("“%(field)s” needs a value.") % {"field": field.label})
    if field.kind in NUMBERS or field.kind == DAYS:
        return _validated_number(field, value)
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT or UNSTORABLE.search(value):
        raise InputError(_("“%(field)s” needs a text of 1 to %(n)s letters.") % {"field": field.label, "n": MAX_TEXT})
    known = [choice for choice, _label in field.choices]
    if field.kind == CHOICE and value not in known:
        raise InputError(
            _("“%(value)s” is not a value of “%(field)s”. Use one of %(known)s.")
            % {"value": value, "field": field.label, "known": ", ".join(known)}
        )
    return value


def _validated_number(field: Field, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(_("“%(field)s” needs a number.") % {"field": field.label})
    lowest, highest = (0, MAX_DAYS) if field.kind == DAYS else (-MAX_NUMBER, MAX_NUMBER)
    if not lowest <= value <= highest:
        raise InputError(
            _("“%(field)s” must lie between %(low)s and %(high)s.")
            % {"field": field.label, "low": lowest, "high": highest}
        )
    if field.kind in (WHOLE, DAYS):
        if value != int(value):
            raise InputError(_("“%(field)s” needs a whole number.") % {"field": field.label})
        return int(value)
    return round(value, 2) if field.kind == MONEY else value


def _names(rule: dict[str, Any]) -> str:
    return ", ".join(map(str, rule)) or "{}"


# ---------- compiling


def matching(rule: Any, now: datetime | None = None) -> "QuerySet[Shopper]":
    """Return the shoppers that fit the rule, as one queryset."""
    return Shopper.objects.filter(condition(rule, now))


def condition(rule: Any, now: datetime | None = None) -> Q:
    """Return the validated rule as a filter over Shopper."""
    return _compiled(validate(rule), now or timezone.now(), wanted=True)


def _compiled(rule: dict[str, Any], now: datetime, *, wanted: bool) -> Q:
    """Push "not" down to the conditions, where null is decided explicitly: SQL's third truth value never appears."""
    if "field" in rule:
        field, op = FIELDS[rule["field"]], rule["op"]
        if op in NEGATIVE:
            op, wanted = NEGATIVE[op], not wanted
        return _leaf(field, op, rule.get("value"), now, wanted=wanted)
    if "not" in rule:
        return _compiled(rule["not"], now, wanted=not wanted)
    kind = "all" if "all" in rule else "any"
    joined = Q.AND if (kind == "all") == wanted else Q.OR
    parts = [_compiled(part, now, wanted=wanted) for part in rule[kind]]
    if not parts:
        # An empty Q would vanish from an "or".
        return Q(pk__isnull=not wanted)
    return Q(*parts, _connector=joined) if len(parts) > 1 else parts[0]


def _leaf(field: Field, op: str, value: Any, now: datetime, *, wanted: bool) -> Q:
    if field.kind == BOUGHT:
        bought = Q(Exists(_purchases_in(value if op == "in" else [value])))
        return bought if wanted else ~bought
    if op == "known":
        missing = Q(**{f"{field.path}__isnull": True})
        if field.kind == TEXT:
            missing |= Q(**{field.path: ""})
        return ~missing if wanted else missing
    holds = _days(field.path, op, value, now) if field.kind == DAYS else _compared(field, op, value)
    return holds if wanted else ~holds | Q(**{f"{field.path}__isnull": True})


def _compared(field: Field, op: str, value: Any) -> Q:
    if op == "in":
        return Q(**{f"{field.path}__in": value})
    return Q(**{field.path + LOOKUPS[op]: Decimal(str(value)) if field.kind == MONEY else value})


def _days(path: str, op: str, days: int, now: datetime) -> Q:
    """Compare full days since a moment: `n` days ago lasts from n * 24 hours until a day more."""
    begins, ends = now - timedelta(days=days), now - timedelta(days=days + 1)
    at_least, less = Q(**{f"{path}__lte": begins}), Q(**{f"{path}__gt": begins})
    more, at_most = Q(**{f"{path}__lte": ends}), Q(**{f"{path}__gt": ends})
    return {">=": at_least, "<=": at_most, ">": more, "<": less, "=": at_least & at_most}[op]


def _purchases_in(categories: list[str]) -> "QuerySet[Event]":
    """Return purchases of the outer shopper in one of the categories or below it ("Kitchen" holds "Kitchen > Mugs")."""
    products = Product.objects.none()
    wanted = Q()
    heads = {}
    for number, category in enumerate(categories):
        # Not startswith: on SQLite it does not tell upper from lower case.
        below = f"{category} > "
        heads[f"head_{number}"] = Left("category", len(below))
        wanted |= Q(category=category) | Q(**{f"head_{number}": Value(below)})
    products = Product.objects.alias(**heads).filter(wanted)
    return Event.objects.filter(shopper=OuterRef("pk"), kind=Event.Kind.PURCHASE, product__in=products.values("pk"))


# ---------- the format for other programs


def schema() -> dict[str, Any]:
    """Return the JSON schema of a rule; docs/segment-rule.schema.json is this, a test keeps them equal."""
    parts = {"type": "array", "items": {"$ref": "#/$defs/rule"}, "maxItems": MAX_NODES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "MailAI segment rule",
        "description": f"At most {MAX_DEPTH} groups deep, at most {MAX_NODES} groups and conditions in all.",
        "$ref": "#/$defs/rule",
        "$defs": {
            "rule": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in (*GROUPS, "condition")]},
            "all": _object({"all": parts}),
            "any": _object({"any": {**parts, "minItems": 1}}),
            "not": _object({"not": {"$ref": "#/$defs/rule"}}),
            "condition": {"oneOf": [one for field in FIELDS.values() for one in _field_schemas(field)]},
        },
    }


def _field_schemas(field: Field) -> list[dict[str, Any]]:
    ops = OPERATORS[field.kind]
    one = _value_schema(field)
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_LIST}
    found = []
    for group, value in (((*LISTS,), several), (PRESENCE, None)):
        if used := [op for op in ops if op in group]:
            found.append(_condition_schema(field, used, value))
    return [_condition_schema(field, [op for op in ops if op not in (*LISTS, *PRESENCE)], one), *found]


def _condition_schema(field: Field, ops: list[str], value: dict[str, Any] | None) -> dict[str, Any]:
    return _object({"field": {"const": field.name}, "op": {"enum": ops}, **({} if value is None else {"value": value})})


def _value_schema(field: Field) -> dict[str, Any]:
    if field.kind == DAYS:
        return {"type": "integer", "minimum": 0, "maximum": MAX_DAYS}
    if field.kind in NUMBERS:
        whole = "integer" if field.kind == WHOLE else "number"
        return {"type": whole, "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    if field.kind == CHOICE:
        return {"enum": [choice for choice, _label in field.choices]}
    return {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
