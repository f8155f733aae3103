"""What a rule must look like: the tree, and conditions on fields. Refusals say what to mend."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from mailai.errors import InputError
from segments.fields import BETWEEN, CHOICE, FIELDS, LISTS, MONEY, NUMERIC, OPERATORS, PRESENCE, WHOLE_KINDS, Field
from segments.rules import behaviour
from segments.rules.checks import number, suggestion, text
from segments.rules.limits import GROUPS, HEADS, MAX_DEPTH, MAX_LIST, MAX_NODES


def validate(rule: Any) -> dict[str, Any]:
    """Return the rule in its plain form; raise InputError with a sentence that says what to mend.

    Whether the segments and lists that it names exist is asked by `segments.rules.check`.
    """
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
    head = next((head for head in HEADS if head in rule), None)
    if head is not None:
        return behaviour.VALIDATED[head](rule)
    if len(rule) != 1 or (kind := next(iter(rule))) not in GROUPS:
        raise InputError(
            _("A group is one of all, any and not; this one is %(found)s.") % {"found": _names(rule)}
            + suggestion(next(iter(rule), ""), (*GROUPS, *HEADS))
        )
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
    return {"field": field.name, "op": op, "value": _operand(field, op, rule.get("value"))}


def _operand(field: Field, op: str, value: Any) -> Any:
    if op == BETWEEN:
        if not isinstance(value, list) or len(value) != 2:
            raise InputError(_("“%(field)s” between needs two values, the lower first.") % {"field": field.name})
        low, high = (_validated_value(field, one) for one in value)
        if low > high:
            raise InputError(
                _("“%(field)s” between needs the lower value first; %(low)s is more than %(high)s.")
                % {"field": field.name, "low": low, "high": high}
            )
        return [low, high]
    if op in LISTS:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST:
            raise InputError(_("“%(field)s” needs a list of 1 to %(n)s values.") % {"field": field.name, "n": MAX_LIST})
        return [_validated_value(field, one) for one in value]
    return _validated_value(field, value)


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
    if field.kind in NUMERIC:
        figure = number(field.label, value, field.low, field.high, whole=field.kind in WHOLE_KINDS)
        return round(figure, 2) if field.kind == MONEY else figure
    found = text(field.label, value)
    known = [choice for choice, _label in field.choices]
    if field.kind == CHOICE and found not in known:
        raise InputError(
            _("“%(value)s” is not a value of “%(field)s”. Use one of %(known)s.")
            % {"value": value, "field": field.label, "known": ", ".join(known)}
            + suggestion(value, known)
        )
    return found


def _names(rule: Mapping[str, Any] | Iterable[str]) -> str:
    return ", ".join(map(str, rule)) or "{}"
