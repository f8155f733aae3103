"""What conditions on behaviour, mails, sequences, anniversaries, segments and lists must look like."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from behaviour.models import Event
from mailai.errors import InputError
from segments.fields import MAX_DAYS, MAX_NUMBER
from segments.rules import checks
from segments.rules.limits import (
    AMOUNTS,
    ANNIVERSARIES,
    ANSWERS,
    AT_LEAST_ONCE,
    KINDS,
    MAILS,
    MAX_TIMES,
    TIMES,
    WHERE,
    WINDOWS,
)

Rule = Mapping[str, Any]
YEAR = 365


def did(rule: Rule) -> dict[str, Any]:
    """Check {"did", "times", "within", "where"}."""
    checks.keys("did", rule, ("did", "times", "within", "where"))
    return _action(rule) | _times(rule) | _within(rule)


def mail(rule: Rule) -> dict[str, Any]:
    """Check {"mail", "times", "within", "campaign"}."""
    checks.keys("mail", rule, ("mail", "times", "within", "campaign"))
    found: dict[str, Any] = {"mail": checks.one_of("mail", rule["mail"], MAILS)}
    if "campaign" in rule:
        found["campaign"] = checks.uuid("campaign", rule["campaign"])
    return found | _times(rule) | _within(rule)


def sequence(rule: Rule) -> dict[str, Any]:
    """Check {"sequence": {"first", "then", "happened", "days", "same_product"}, "within"}."""
    checks.keys("sequence", rule, ("sequence", "within"))
    needed = ("first", "then", "happened", "days")
    parts = checks.keys("sequence", rule["sequence"], (*needed, "same_product"), needed=needed)
    steps = {}
    for name in ("first", "then"):
        step = checks.keys(name, parts[name], ("did", "where"), needed=("did",))
        steps[name] = _action(step)
    found = {
        **steps,
        "happened": _flag("happened", parts["happened"]),
        "days": checks.number("days", parts["days"], 1, MAX_DAYS, whole=True),
        "same_product": _flag("same_product", parts.get("same_product", False)),
    }
    return {"sequence": found} | _within(rule)


def anniversary(rule: Rule) -> dict[str, Any]:
    """Check {"anniversary", "from_days", "to_days"}."""
    checks.keys("anniversary", rule, ("anniversary", "from_days", "to_days"))
    kind = checks.one_of("anniversary", rule["anniversary"], ANNIVERSARIES)
    first, last = (
        checks.number(name, rule.get(name, usual), -YEAR, YEAR, whole=True)
        for name, usual in (("from_days", 0), ("to_days", 7))
    )
    if first > last:
        raise InputError(_("“from_days” must not be more than “to_days”."))
    return {"anniversary": kind, "from_days": first, "to_days": last}


def segment(rule: Rule) -> dict[str, Any]:
    """Check {"segment"}."""
    checks.keys("segment", rule, ("segment",))
    return {"segment": checks.uuid("segment", rule["segment"])}


def shopper_list(rule: Rule) -> dict[str, Any]:
    """Check {"list"}."""
    checks.keys("list", rule, ("list",))
    return {"list": checks.uuid("list", rule["list"])}


VALIDATED: dict[str, Callable[[Rule], dict[str, Any]]] = {
    "did": did, "mail": mail, "sequence": sequence, "anniversary": anniversary,
    "segment": segment, "list": shopper_list,
}  # fmt: skip


def _action(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = {"did": checks.one_of("did", rule["did"], KINDS)}
    where = checks.keys("where", rule.get("where", {}), WHERE)
    if found["did"] != Event.Kind.SURVEY_ANSWER and (named := [name for name in ANSWERS if name in where]):
        raise InputError(_("“%(field)s” can only be asked of survey_answer.") % {"field": named[0]})
    asked: dict[str, Any] = {
        name: checks.texts(name, where[name]) for name in WHERE if name in where and name != "amount"
    }
    if "amount" in where:
        asked["amount"] = _amount(where["amount"])
    return found | ({"where": asked} if asked else {})


def _amount(given: Any) -> dict[str, Any]:
    amount = checks.keys("amount", given, ("op", "value"), needed=("op", "value"))
    op, value = checks.one_of("op", amount["op"], AMOUNTS), amount["value"]
    if op != "between":
        return {"op": op, "value": _money(value)}
    if not isinstance(value, list) or len(value) != 2:
        raise InputError(_("“%(field)s” between needs two values, the lower first.") % {"field": "amount"})
    low, high = map(_money, value)
    if low > high:
        raise InputError(
            _("“%(field)s” between needs the lower value first; %(low)s is more than %(high)s.")
            % {"field": "amount", "low": low, "high": high}
        )
    return {"op": op, "value": [low, high]}


def _money(value: Any) -> int | float:
    return round(checks.number("amount", value, -MAX_NUMBER, MAX_NUMBER, whole=False), 2)


def _times(rule: Rule) -> dict[str, Any]:
    if "times" not in rule:
        return {}
    times = checks.keys("times", rule["times"], ("op", "n"), needed=("op", "n"))
    op = checks.one_of("op", times["op"], TIMES)
    n = checks.number("n", times["n"], 0, MAX_TIMES, whole=True)
    if op == ">=" and n == 0:
        raise InputError(_("“At least 0 times” holds for everybody. Ask for at least once, or for exactly 0 times."))
    found = {"op": op, "n": n}
    return {} if found == AT_LEAST_ONCE else {"times": found}


def _within(rule: Rule) -> dict[str, Any]:
    if "within" not in rule:
        return {}
    names = tuple(name for names in WINDOWS for name in names)
    window = checks.keys("within", rule["within"], names)
    if not any(set(window) == set(names) for names in WINDOWS):
        raise InputError(
            _("“within” is one of {days}, {from, to}, {since} and {before_days}; this one is {%(found)s}.")
            % {"found": ", ".join(window)}
        )
    found = {
        name: checks.number(name, value, 1, MAX_DAYS, whole=True) if name.endswith("days") else checks.day(name, value)
        for name, value in window.items()
    }
    if "from" in found and str(found["from"]) > str(found["to"]):
        raise InputError(_("“from” must not be after “to”."))
    return {"within": {name: found[name] for name in names if name in found}}


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(_("“%(field)s” is true or false.") % {"field": name})
    return value
