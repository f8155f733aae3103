"""Rules in words: the sentence that reads a rule back."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from mailai.ui import numbers
from mailai.ui.spacing import spaced
from segments.fields import AHEAD, BETWEEN, BOUGHT, CHOICE, CLUSTER, DAYS, FIELDS, LISTS, NUMERIC, SHARE, Field
from segments.rules import wording_behaviour
from segments.rules.names import Names, names_in

NUMBER_PHRASES = {
    "=": gettext_lazy("%(subject)s is %(value)s"),
    "!=": gettext_lazy("%(subject)s is not %(value)s"),
    ">=": gettext_lazy("%(subject)s is at least %(value)s"),
    ">": gettext_lazy("%(subject)s is more than %(value)s"),
    "<=": gettext_lazy("%(subject)s is at most %(value)s"),
    "<": gettext_lazy("%(subject)s is less than %(value)s"),
    "between": gettext_lazy("%(subject)s is between %(value)s"),
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
    "between": gettext_lazy("%(subject)s was between %(value)s ago"),
    "known": gettext_lazy("%(subject)s has happened"),
    "unknown": gettext_lazy("%(subject)s has never happened"),
}
AHEAD_PHRASES = {
    **NUMBER_PHRASES,
    "=": gettext_lazy("%(subject)s is %(value)s from today"),
    "!=": gettext_lazy("%(subject)s is not %(value)s from today"),
    ">=": gettext_lazy("%(subject)s is at least %(value)s from today"),
    ">": gettext_lazy("%(subject)s is more than %(value)s from today"),
    "<=": gettext_lazy("%(subject)s is at most %(value)s from today"),
    "<": gettext_lazy("%(subject)s is less than %(value)s from today"),
    "between": gettext_lazy("%(subject)s is between %(value)s from today"),
}
BOUGHT_PHRASES = {
    "=": gettext_lazy("%(subject)s includes %(value)s"),
    "in": gettext_lazy("%(subject)s includes one of %(value)s"),
    "!=": gettext_lazy("%(subject)s does not include %(value)s"),
    "not_in": gettext_lazy("%(subject)s includes none of %(value)s"),
}
PHRASES = {DAYS: DAYS_PHRASES, BOUGHT: BOUGHT_PHRASES, AHEAD: AHEAD_PHRASES}


def describe(rule: dict[str, Any], names: Names | None = None) -> str:
    """Return a valid rule as a sentence; `names` saves queries where many are described together."""
    if rule in ({"all": []}, {"not": {"not": {"all": []}}}):
        return _("All shoppers.")
    said = _Sentence(names or names_in([rule])).phrase(rule)
    return spaced(_("Shoppers %(conditions)s.") % {"conditions": said})


WHOSE, WHO = gettext_lazy("whose %(phrase)s"), gettext_lazy("who %(phrase)s")


class _Sentence:
    """One sentence in the making; it says "whose" and "who" only where they change."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.word: Any = None

    def phrase(self, rule: dict[str, Any], *, nested: bool = False) -> str:
        """Say a part of the rule."""
        if "field" in rule:
            return self._with(WHOSE, on_field(rule, self.names))
        if "not" in rule:
            return self._opposite(rule["not"])
        if "all" not in rule and "any" not in rule:
            return self._behaviour(rule, happened=True)
        kind = "all" if "all" in rule else "any"
        if not rule[kind]:
            return self._with(WHOSE, _("data is anything"))
        if len(rule[kind]) == 1:
            return self.phrase(rule[kind][0], nested=True)
        word = pgettext("between conditions", " and ") if kind == "all" else pgettext("between conditions", " or ")
        said = word.join([self.phrase(part, nested=True) for part in rule[kind]])
        return f"({said})" if nested else said

    def _opposite(self, rule: dict[str, Any]) -> str:
        if not {"field", "not", "all", "any"} & rule.keys():
            return self._behaviour(rule, happened=False)
        return _("not (%(conditions)s)") % {"conditions": self.phrase(rule)}

    def _behaviour(self, rule: dict[str, Any], *, happened: bool) -> str:
        said = wording_behaviour.phrase(rule, self.names, happened=happened)
        return self._with(WHOSE if "anniversary" in rule else WHO, said)

    def _with(self, word: Any, said: str) -> str:
        if self.word is word:
            return said
        self.word = word
        return str(word) % {"phrase": said}


def on_field(rule: dict[str, Any], names: Names) -> str:
    """Say a condition on a field."""
    asked, op = FIELDS[rule["field"]], rule["op"]
    phrases = PHRASES.get(asked.kind, NUMBER_PHRASES)
    value = rule.get("value")
    said = "" if value is None else _value(asked, op, value, names)
    return str(phrases[op]) % {"subject": asked.subject, "value": said}


def _value(asked: Field, op: str, value: Any, names: Names) -> str:
    if op in LISTS:
        return numbers.listed(_one_value(asked, one, names) for one in value)
    if op == BETWEEN:
        low, high = (_one_value(asked, one, names) for one in value)
        return _("%(low)s and %(high)s") % {"low": low, "high": high}
    return _one_value(asked, value, names)


def _one_value(asked: Field, value: Any, names: Names) -> str:
    if asked.kind == CLUSTER and value in names.clusters:
        return f"“{names.clusters[value]}”"
    if asked.kind in (DAYS, AHEAD):
        return days(value)
    if asked.kind == CHOICE:
        return str(dict(asked.choices)[value])
    if asked.kind == SHARE:
        return f"{value * 100:g}%"
    return f"{value:,}" if asked.kind in NUMERIC else str(value)


def days(number: int) -> str:
    """Write a number of days."""
    return ngettext("%(n)s day", "%(n)s days", number) % {"n": f"{number:,}"}
