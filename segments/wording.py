"""Rules in words: a sentence for the list, and why one shopper fits."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from behaviour.models import Shopper
from mailai.ui import numbers
from segments.fields import BOUGHT, CHOICE, DAYS, FIELDS, LISTS, MONEY, TEXT, Field

N_FACTS = 3
NUMBER_PHRASES = {
    "=": gettext_lazy("%(subject)s is %(value)s"),
    "!=": gettext_lazy("%(subject)s is not %(value)s"),
    ">=": gettext_lazy("%(subject)s is at least %(value)s"),
    ">": gettext_lazy("%(subject)s is more than %(value)s"),
    "<=": gettext_lazy("%(subject)s is at most %(value)s"),
    "<": gettext_lazy("%(subject)s is less than %(value)s"),
    "in": gettext_lazy("%(subject)s is one of %(value)s"),
    "not_in": gettext_lazy("%(subject)s is none of %(value)s"),
    "known": gettext_lazy("%(subject)s is known"),
    "unknown": gettext_lazy("%(subject)s is not known"),
}
DAYS_PHRASES = {
    "=": gettext_lazy("%(subject)s was %(value)s ago"),
    "!=": gettext_lazy("%(subject)s was not %(value)s ago"),
    ">=": gettext_lazy("%(subject)s was at least %(value)s ago"),
    ">": gettext_lazy("%(subject)s was more than %(value)s ago"),
    "<=": gettext_lazy("%(subject)s was at most %(value)s ago"),
    "<": gettext_lazy("%(subject)s was less than %(value)s ago"),
    "known": gettext_lazy("%(subject)s has happened"),
    "unknown": gettext_lazy("%(subject)s has never happened"),
}
BOUGHT_PHRASES = {
    "=": gettext_lazy("%(subject)s includes %(value)s"),
    "in": gettext_lazy("%(subject)s includes one of %(value)s"),
    "!=": gettext_lazy("%(subject)s does not include %(value)s"),
    "not_in": gettext_lazy("%(subject)s includes none of %(value)s"),
}


def describe(rule: dict[str, Any]) -> str:
    """Return a valid rule as a sentence."""
    if rule in ({"all": []}, {"not": {"not": {"all": []}}}):
        return _("All shoppers.")
    return _("Shoppers whose %(conditions)s.") % {"conditions": _phrase(rule, nested=False)}


def _phrase(rule: dict[str, Any], *, nested: bool) -> str:
    if "field" in rule:
        return _condition(rule)
    if "not" in rule:
        return _("not (%(conditions)s)") % {"conditions": _phrase(rule["not"], nested=False)}
    kind = "all" if "all" in rule else "any"
    parts = [_phrase(part, nested=True) for part in rule[kind]]
    if not parts:
        return _("data is anything")
    if len(parts) == 1:
        return parts[0]
    word = pgettext("between conditions", " and ") if kind == "all" else pgettext("between conditions", " or ")
    return f"({word.join(parts)})" if nested else word.join(parts)


def _condition(rule: dict[str, Any]) -> str:
    field, op = FIELDS[rule["field"]], rule["op"]
    phrases = {DAYS: DAYS_PHRASES, BOUGHT: BOUGHT_PHRASES}.get(field.kind, NUMBER_PHRASES)
    value = rule.get("value")
    return str(phrases[op]) % {"subject": field.subject, "value": "" if value is None else _value(field, op, value)}


def _value(field: Field, op: str, value: Any) -> str:
    if op in LISTS:
        return numbers.listed(_value(field, "=", one) for one in value)
    if field.kind == DAYS:
        return days(value)
    if field.kind == CHOICE:
        return str(dict(field.choices)[value])
    return value if field.kind in (TEXT, BOUGHT) else f"{value:,}"


def days(number: int) -> str:
    """Write a number of days."""
    return ngettext("%(n)s day", "%(n)s days", number) % {"n": f"{number:,}"}


def facts(rule: dict[str, Any], shopper: Shopper, *, now: datetime, currency: str) -> str:
    """Say what the shopper has in the fields that the rule asks about, the first three."""
    names = list(dict.fromkeys(_field_names(rule)))
    found = [_fact(FIELDS[name], shopper, now=now, currency=currency) for name in names]
    return " · ".join([one for one in found if one][:N_FACTS])


def _field_names(rule: dict[str, Any]) -> list[str]:
    if "field" in rule:
        return [rule["field"]]
    inside = [rule["not"]] if "not" in rule else rule.get("all") or rule.get("any") or []
    return [name for part in inside for name in _field_names(part)]


def _fact(field: Field, shopper: Shopper, *, now: datetime, currency: str) -> str:
    value: Any = shopper
    for step in field.path.split("__") if field.path else []:
        value = getattr(value, step, None)
    if field.kind == BOUGHT or value is None or value == "":
        return ""
    if field.kind == DAYS:
        shown = _("%(days)s ago") % {"days": days((now - value).days)}
    elif field.kind == CHOICE:
        shown = str(dict(field.choices)[value])
    elif field.kind == MONEY:
        shown = numbers.money(Decimal(value), currency)
    else:
        shown = f"{value:,.0f}" if isinstance(value, int | float) else str(value)
    return _("%(label)s: %(value)s") % {"label": field.label, "value": shown}
