"""Why shoppers fit a rule: what each of them has of what it asks about."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour.models import Event, Shopper
from mailai.ui import numbers
from segments.fields import AHEAD, BOUGHT, CHOICE, CLUSTER, DAYS, FIELDS, MONEY, NEGATIVE, SHARE, Field
from segments.rules import special
from segments.rules.context import Context
from segments.rules.events import times, within
from segments.rules.fitting import fitting
from segments.rules.mailing import MOMENTS, mails_within
from segments.rules.names import Names, names_in
from segments.rules.wording import days
from segments.rules.wording_behaviour import ANNIVERSARIES, phrase

Rule = Mapping[str, Any]
N_FACTS = 3
# Conditions that are looked into, and those of them that cost a query of their own.
N_ASKED, N_COUNTED = 20, 5


def facts(rule: dict[str, Any], shoppers: Sequence[Shopper], *, now: datetime, currency: str) -> dict[int, str]:
    """Return per shopper what she has of what the rule asks about, at most three things.

    What somebody did comes before what she did not do. Costs a query for who fits which condition, one per condition
    on behaviour, at most five of them, and one per kind of name, however many shoppers.
    """
    asked = dict(enumerate(list(_leaves(rule))[:N_ASKED]))
    parts = {number: one if wanted else {"not": one} for number, (one, wanted) in asked.items()}
    fits = fitting(parts, [one.pk for one in shoppers], now)
    say = _Reasons(shoppers, Context(now), names_in([rule]), currency)
    found: dict[int, dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    for number, (one, wanted) in asked.items():
        done = _is_done(one, wanted=wanted)
        for pk, said in say.reasons(one, fits.get(number, set()), done=done).items():
            found[pk][done].append(said)
    return {pk: " · ".join(list(dict.fromkeys(said[True] + said[False]))[:N_FACTS]) for pk, said in found.items()}


def _leaves(rule: Rule, *, wanted: bool = True) -> Iterator[tuple[dict[str, Any], bool]]:
    """Give the conditions of a rule, each with whether it, or its opposite, is asked for."""
    if "not" in rule:
        yield from _leaves(rule["not"], wanted=not wanted)
    elif "all" in rule or "any" in rule:
        for part in rule.get("all") or rule.get("any") or ():
            yield from _leaves(part, wanted=wanted)
    else:
        yield dict(rule), wanted


def _is_done(rule: Rule, *, wanted: bool) -> bool:
    """Whether who fits has something: did it, got it, stands on the list, has a value."""
    if "field" in rule:
        negative = rule["op"] in NEGATIVE
        return wanted ^ negative if FIELDS[rule["field"]].kind == BOUGHT else True
    if "did" in rule or "mail" in rule:
        op, n = times(rule)
        return wanted ^ (op == "<=" or n == 0)
    return wanted


class _Reasons:
    """The reasons of some shoppers, condition by condition."""

    def __init__(self, shoppers: Sequence[Shopper], context: Context, names: Names, currency: str) -> None:
        self.shoppers, self.context, self.names = shoppers, context, names
        self.n_counted = 0
        self.shown: dict[str, Callable[[Field, Any], str]] = {
            DAYS: lambda _field, at: _("%(days)s ago") % {"days": days((context.now - at).days)},
            CHOICE: _chosen,
            CLUSTER: lambda _field, number: names.clusters.get(number, str(number)),
            MONEY: lambda _field, value: numbers.money(Decimal(value), currency),
            SHARE: lambda _field, value: numbers.percent(value),
            AHEAD: lambda _field, day: numbers.day(day),
        }

    def reasons(self, rule: Rule, fit: set[int], *, done: bool) -> dict[int, str]:
        """Return per shopper that fits a condition, or its opposite, what she has of it."""
        people = [one for one in self.shoppers if one.pk in fit]
        if not people:
            return {}
        if "field" in rule and FIELDS[rule["field"]].kind != BOUGHT:
            return {one.pk: self._on_field(FIELDS[rule["field"]], one) for one in people}
        if "anniversary" in rule and done:
            return {one.pk: self._anniversary(rule, one) for one in people}
        if "field" in rule:
            value = rule["value"] if isinstance(rule["value"], list) else [rule["value"]]
            rule = {"did": Event.Kind.PURCHASE, "where": {"category": value}}
        counted: dict[int, str] = {}
        if done and ("did" in rule or "mail" in rule) and self.n_counted < N_COUNTED:
            self.n_counted += 1
            counted = _counted(rule, people, self.context)
        return dict.fromkeys(fit, self._phrase(rule, done=done)) | counted

    def _phrase(self, rule: Rule, *, done: bool) -> str:
        """Say a condition, or its opposite, as it stands."""
        if "segment" in rule:
            said = _("in the segment “%(name)s”") if done else _("not in the segment “%(name)s”")
            return said % {"name": self.names.segments.get(rule["segment"], rule["segment"])}
        if "list" in rule:
            said = _("on the list “%(name)s”") if done else _("not on the list “%(name)s”")
            return said % {"name": self.names.lists.get(rule["list"], rule["list"])}
        few = ("did" in rule or "mail" in rule) and (times(rule)[0] == "<=" or times(rule)[1] == 0)
        return phrase(rule, self.names, happened=done ^ few)

    def _anniversary(self, rule: Rule, shopper: Shopper) -> str:
        event = str(ANNIVERSARIES[rule["anniversary"]])
        at = _value(shopper, special.PATHS[rule["anniversary"]])
        day = numbers.day(at.astimezone(self.context.zone))
        return _("%(event)s on %(day)s") % {"event": event[:1].upper() + event[1:], "day": day}

    def _on_field(self, field: Field, shopper: Shopper) -> str:
        value = _value(shopper, field.path)
        if value is None or value == "":
            shown = _("never") if field.kind == DAYS else _("not known")
        else:
            shown = self.shown.get(field.kind, _plain)(field, value)
        return _("%(label)s: %(value)s") % {"label": field.label, "value": shown}


def _chosen(field: Field, value: Any) -> str:
    return {field.stored(key): str(label) for key, label in field.choices}.get(value, str(value))


def _plain(_field: Field, value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def _value(shopper: Shopper, path: str) -> Any:
    value: Any = shopper
    for step in path.split("__"):
        value = getattr(value, step, None)
    return value


def _counted(rule: Rule, shoppers: Sequence[Shopper], context: Context) -> dict[int, str]:
    found: QuerySet[Any] | None
    if "did" in rule:
        found, counted, moment = within(rule, context)
    else:
        found, counted, moment = mails_within(rule, context), Count("pk"), MOMENTS[rule["mail"]]
    if found is None:
        return {}
    hers = found.filter(shopper__in=shoppers).order_by().values("shopper_id").annotate(n=counted, last=Max(moment))
    if rule.get("did") == Event.Kind.SURVEY_ANSWER:
        hers = hers.annotate(first_answer=Min("answer"), last_answer=Max("answer"))
    said = {}
    for row in hers:
        last = numbers.day(row["last"].astimezone(context.zone))
        answers = {row["first_answer"], row["last_answer"]} if "last_answer" in row else set()
        said[row["shopper_id"]] = _answered(answers.pop(), last) if len(answers) == 1 else _said(rule, row["n"], last)
    return said


def _answered(answer: str, last: str) -> str:
    """Say what she answered: the rule may ask for several answers, and she gave one."""
    said = _("answered “%(answer)s”") % {"answer": answer}
    return _("%(said)s, last %(day)s") % {"said": said, "day": last}


def _said(rule: Rule, n: int, last: str) -> str:
    """Say "3 orders of Trail running, last 12 Nov"."""
    words = {"n": f"{n:,}", "what": _things(rule.get("where", {}))}
    if rule.get("mail") == "opened" or rule.get("did") == Event.Kind.EMAIL_OPEN:
        return _("last opened %(day)s") % {"day": last}
    if rule.get("mail") == "clicked" or rule.get("did") == Event.Kind.EMAIL_CLICK:
        return _("last clicked %(day)s") % {"day": last}
    if rule.get("did") == Event.Kind.PURCHASE and words["what"]:
        said = ngettext("%(n)s order of %(what)s", "%(n)s orders of %(what)s", n) % words
    elif rule.get("did") == Event.Kind.PURCHASE:
        said = ngettext("%(n)s order", "%(n)s orders", n) % words
    elif rule.get("mail") == "ignored":
        said = ngettext("%(n)s email left unopened", "%(n)s emails left unopened", n) % words
    elif "mail" in rule:
        said = ngettext("%(n)s email", "%(n)s emails", n) % words
    else:
        words["label"] = str(Event.Kind(rule["did"]).label)
        said = ngettext("%(label)s %(n)s time", "%(label)s %(n)s times", n) % words
        said = _("%(said)s: %(what)s") % {**words, "said": said} if words["what"] else said
    return _("%(said)s, last %(day)s") % {"said": said, "day": last}


def _things(where: Rule) -> str:
    """Name what the filter asks for: categories by the last part of their path, products by their number."""
    leaves = [name.rsplit(" > ", 1)[-1] for name in where.get("category", ())]
    return numbers.listed([*leaves, *where.get("product", ()), *where.get("question", ()), *where.get("answer", ())])
