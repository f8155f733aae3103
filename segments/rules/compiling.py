"""Rules to one queryset of shoppers: groups, and conditions on fields.

"Not" is pushed down to the conditions, where null is decided explicitly: SQL's third truth value never appears.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from behaviour.models import Shopper
from segments.fields import AHEAD, BETWEEN, BOUGHT, DAYS, FIELDS, MONEY, NEGATIVE, TEXT, Field
from segments.rules import events, mailing, special
from segments.rules.context import Context
from segments.rules.references import load
from segments.rules.validation import validate

__all__ = ["Context", "condition", "matching"]
LOOKUPS = {"=": "", ">=": "__gte", ">": "__gt", "<=": "__lte", "<": "__lt"}


@dataclass(frozen=True)
class Part:
    """A filter over Shopper; `looks` says that it looks into another table than the shopper's own rows."""

    q: Q
    looks: bool = False


Asked = Callable[[bool], Part]


def matching(rule: Any, now: datetime | None = None) -> "QuerySet[Shopper]":
    """Return the shoppers that fit the rule, as one queryset."""
    return Shopper.objects.filter(condition(rule, now))


def condition(rule: Any, now: datetime | None = None, context: Context | None = None) -> Q:
    """Return the rule, validated, as a filter over Shopper; `context` is shared by rules that are asked together.

    Raises
    ------
    InputError : the rule is wrong, names a segment or list that is gone, or segments name each other in a circle.
    """
    context = context or Context(now or timezone.now())
    checked = validate(rule)
    load(checked, context)
    return compiled(checked, context, wanted=True).q


def compiled(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    """Return a part of a rule, or its exact opposite."""
    head = next(name for name in COMPILED if name in rule)
    return COMPILED[head](rule, context, wanted=wanted)


def _group(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    kind = "all" if "all" in rule else "any"
    return _joined(kind, [_asked(part, context) for part in rule[kind]], wanted=wanted)


def _not(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    return compiled(rule["not"], context, wanted=not wanted)


def _segment(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    return compiled(context.segments[rule["segment"]], context, wanted=wanted)


def _mail(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    op, n, wanted = _positive(rule, wanted=wanted)
    return _among(mailing.shoppers(rule, context, op, n), context, wanted=wanted)


def _sequence(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    return _among(events.sequence(rule, context), context, wanted=wanted)


def _list(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    return _among(special.members(context.lists[rule["list"]]), context, wanted=wanted)


def _anniversary(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    return Part(special.anniversary(rule, context, wanted=wanted))


def _asked(rule: dict[str, Any], context: Context) -> Asked:
    return lambda wanted: compiled(rule, context, wanted=wanted)


def _joined(kind: str, asked: Sequence[Asked], *, wanted: bool) -> Part:
    if (kind == "all") == wanted:
        parts = [ask(wanted) for ask in asked]
        # An empty Q would vanish from an "or".
        q = Q(*(part.q for part in parts)) if parts else Q(pk__isnull=not wanted)
        return Part(q, any(part.looks for part in parts))
    parts = [ask(wanted) for ask in asked]
    if not parts:
        return Part(Q(pk__isnull=not wanted))
    if len(parts) == 1:
        return parts[0]
    if connection.vendor == "postgresql" and any(part.looks for part in parts):
        # PostgreSQL joins a subquery below "and", but asks it again for every row below "or". So "a or b" becomes
        # "is not among those with neither a nor b", which is joins throughout.
        neither = Q(*(ask(not wanted).q for ask in asked), pk=OuterRef("pk"))
        return Part(~Q(Exists(Shopper.everything.filter(neither))), looks=True)
    return Part(Q(*(part.q for part in parts), _connector=Q.OR), any(part.looks for part in parts))


def _among(found: "QuerySet[Any]", context: Context, *, wanted: bool) -> Part:
    """Return who is, or is not, among the shoppers of a queryset of shopper ids."""
    if context.only is not None:
        found = found.filter(shopper_id__in=context.only)
    inside = Q(pk__in=found)
    if wanted or connection.vendor != "postgresql":
        return Part(inside if wanted else ~inside, looks=True)
    # "Not in" is no join for PostgreSQL, "not exists" is one.
    return Part(~Q(Exists(Shopper.everything.filter(inside, pk=OuterRef("pk")))), looks=True)


def _positive(rule: dict[str, Any], *, wanted: bool) -> tuple[str, int, bool]:
    """Turn "at most" and "never" into the opposite of "at least": what is left is at least, or exactly, n >= 1."""
    op, n = events.times(rule)
    if op == "<=":
        return ">=", n + 1, not wanted
    return (">=", 1, not wanted) if n == 0 else (op, n, wanted)


def _did(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    op, n, wanted = _positive(rule, wanted=wanted)
    rule = rule | {"times": {"op": op, "n": n}}
    where = rule.get("where", {})
    if "country" in where:
        rest = {name: value for name, value in where.items() if name != "country"}
        living = {"field": "country", "op": "in", "value": where["country"]}
        asked = [_asked(rule | {"where": rest}, context), _asked(living, context)]
        return _joined("all", asked, wanted=wanted)
    if known := events.in_profile(rule, context):
        path, lookup, limit = known
        holds = Q(**{path + lookup: limit})
        return Part(holds if wanted else ~holds | Q(**{f"{path}__isnull": True}))
    return _among(events.shoppers(rule, context, op, n), context, wanted=wanted)


# ---------- conditions on fields


def _field(rule: dict[str, Any], context: Context, *, wanted: bool) -> Part:
    field, op = FIELDS[rule["field"]], rule["op"]
    if op in NEGATIVE:
        op, wanted = NEGATIVE[op], not wanted
    value: Any = rule.get("value")
    if field.kind == BOUGHT:
        return _among(events.buyers(value if op == "in" else [value]), context, wanted=wanted)
    return Part(_leaf(field, op, value, context, wanted=wanted))


def _leaf(field: Field, op: str, value: Any, context: Context, *, wanted: bool) -> Q:
    if op == "known":
        missing = Q(**{f"{field.path}__isnull": True})
        if field.kind == TEXT:
            missing |= Q(**{field.path: ""})
        return ~missing if wanted else missing
    holds = _holds(field, op, value, context)
    return holds if wanted else ~holds | Q(**{f"{field.path}__isnull": True})


def _holds(field: Field, op: str, value: Any, context: Context) -> Q:
    if op == BETWEEN:
        return _holds(field, ">=", value[0], context) & _holds(field, "<=", value[1], context)
    if field.kind == DAYS:
        return _days(field.path, op, value, context.now)
    if field.kind == AHEAD:
        return Q(**{field.path + LOOKUPS[op]: context.today + timedelta(days=value)})
    if op == "in":
        return Q(**{f"{field.path}__in": [field.stored(one) for one in value]})
    if field.kind == MONEY:
        value = Decimal(str(value))
    return Q(**{field.path + LOOKUPS[op]: field.stored(value)})


def _days(path: str, op: str, days: int, now: datetime) -> Q:
    """Compare full days since a moment: `n` days ago lasts from n * 24 hours until a day more."""
    begins, ends = now - timedelta(days=days), now - timedelta(days=days + 1)
    at_least, less = Q(**{f"{path}__lte": begins}), Q(**{f"{path}__gt": begins})
    more, at_most = Q(**{f"{path}__lte": ends}), Q(**{f"{path}__gt": ends})
    return {">=": at_least, "<=": at_most, ">": more, "<": less, "=": at_least & at_most}[op]


COMPILED: dict[str, Callable[..., Part]] = {
    "all": _group, "any": _group, "not": _not, "field": _field, "did": _did, "mail": _mail, "sequence": _sequence,
    "anniversary": _anniversary, "segment": _segment, "list": _list,
}  # fmt: skip
