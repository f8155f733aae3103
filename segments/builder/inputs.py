"""The inputs of each kind of condition."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from behaviour.models import Event
from segments.builder.choices import Choices, Options
from segments.builder.conditions import (
    NEVER,
    OF_PRODUCTS,
    OFF,
    ON,
    ONCE,
    STEPS,
    Given,
    head_of,
    only,
)
from segments.builder.control import SEVERAL, Control
from segments.fields import (
    AHEAD,
    BETWEEN,
    BOUGHT,
    CLUSTER,
    DAYS,
    FIELDS,
    LISTS,
    NUMERIC,
    OPERATORS,
    PRESENCE,
    SHARE,
    WHOLE_KINDS,
)

OPERATOR_LABELS = {
    "=": gettext_lazy("is"), "!=": gettext_lazy("is not"), ">=": gettext_lazy("at least"),
    ">": gettext_lazy("more than"), "<=": gettext_lazy("at most"), "<": gettext_lazy("less than"),
    BETWEEN: gettext_lazy("between"), "in": gettext_lazy("is one of"), "not_in": gettext_lazy("is none of"),
    "known": gettext_lazy("is known"), "unknown": gettext_lazy("is not known"),
}  # fmt: skip
DAYS_LABELS = OPERATOR_LABELS | {
    "=": gettext_lazy("exactly"), "!=": gettext_lazy("not exactly"), "known": gettext_lazy("has happened"),
    "unknown": gettext_lazy("has never happened"),
}  # fmt: skip
BOUGHT_LABELS = {
    "=": gettext_lazy("includes"),
    "!=": gettext_lazy("does not include"),
    "in": gettext_lazy("includes one of"),
    "not_in": gettext_lazy("includes none of"),
}
LABELS = {DAYS: DAYS_LABELS, BOUGHT: BOUGHT_LABELS}
UNITS = {DAYS: gettext_lazy("days ago"), AHEAD: gettext_lazy("days from today"), SHARE: "%"}
AMOUNTS = (">=", "<=", "=", ">", "<", BETWEEN)


def of(what: str, given: Given, choices: Choices) -> list[Control]:
    """Return the inputs of a condition; the first says what it asks about."""
    head, about = head_of(what)
    asked = Control("choice", "what", _("What to ask"), [what], groups=choices.whats(), swaps=True, soft=True)
    return [asked, *OF[head](about, given, choices)]


def _field(name: str, given: Given, choices: Choices) -> list[Control]:
    asked, op = FIELDS[name], only(given, "op")
    labels = LABELS.get(asked.kind, OPERATOR_LABELS)
    ops = [(op, labels[op]) for op in OPERATORS[asked.kind]]
    found = [Control("choice", "op", _("%(field)s: comparison") % {"field": asked.label}, [op], ops, swaps=True)]
    if op in PRESENCE:
        return found
    values, label = given.get("value", []), _("%(field)s: value") % {"field": asked.label}
    if asked.kind not in NUMERIC or asked.kind == CLUSTER:
        options = _with(choices.of_field(asked), values)
        if op in LISTS:
            return [*found, _list_of("value", label, values, options)]
        return [*found, Control("choice", "value", label, values, options)]
    unit, step = UNITS.get(asked.kind, ""), "1" if asked.kind in WHOLE_KINDS else "any"
    found.append(Control("number", "value", label, values, unit="" if op == BETWEEN else unit, step=step))
    if op == BETWEEN:
        found += [
            Control("word", label=_("and")),
            Control("number", "high", label, given.get("high", []), unit=unit, step=step),
        ]
    return found


def _did(kind: str, given: Given, choices: Choices) -> list[Control]:
    return [*_filters(kind, given, choices), *_times(given), *_window(given), *_more(kind, given)]


def _mail(_about: str, given: Given, choices: Choices) -> list[Control]:
    values = given.get("campaign", [])
    options = [("", _("any email")), *choices.campaigns, *choices.campaign(only(given, "campaign"))]
    chosen = Control("choice", "campaign", _("Which email"), values, options)
    return [*_times(given), chosen, *_window(given)]


def _sequence(_about: str, given: Given, choices: Choices) -> list[Control]:
    kinds = list(Event.Kind.choices)
    first, then = (only(given, step) for step in STEPS)
    found = [Control("choice", "first", _("First"), [first], kinds, swaps=True)]
    found += [*_filters(first, given, choices, "first_"), *_more(first, given, "first_"), *_window(given)]
    happened = [(OFF, _("but then not")), (ON, _("and then"))]
    found.append(Control("choice", "happened", _("Whether the second happened"), [only(given, "happened")], happened))
    found.append(Control("choice", "then", _("Second"), [then], kinds, swaps=True))
    found += [*_filters(then, given, choices, "then_"), *_more(then, given, "then_")]
    if first in OF_PRODUCTS and then in OF_PRODUCTS:
        same = [(ON, _("the same product")), (OFF, _("any product"))]
        found.append(Control("choice", "same", _("Which product"), [only(given, "same", OFF)], same))
    found.append(Control("word", label=_("within")))
    return [*found, Control("number", "limit", _("Days between the two"), given.get("limit", []), unit=_("days"))]


def _anniversary(_about: str, given: Given, _choices: Choices) -> list[Control]:
    return [
        Control("word", label=_("comes in")),
        Control("number", "from_days", _("From so many days"), given.get("from_days", [])),
        Control("word", label=_("to")),
        Control("number", "to_days", _("To so many days"), given.get("to_days", []), unit=_("days")),
    ]


def _segment(_about: str, given: Given, choices: Choices) -> list[Control]:
    return [Control("choice", "uuid", _("Which segment"), given.get("uuid", []), _with(choices.segments, []))]


def _list(_about: str, given: Given, choices: Choices) -> list[Control]:
    return [Control("choice", "uuid", _("Which list"), given.get("uuid", []), _with(choices.lists, []))]


OF: dict[str, Callable[[str, Given, Choices], list[Control]]] = {
    "field": _field, "did": _did, "mail": _mail, "sequence": _sequence, "anniversary": _anniversary,
    "segment": _segment, "list": _list,
}  # fmt: skip


def _with(options: Options, values: list[str]) -> Options:
    """Return options with those values that the shop does not have any more."""
    known = {key for key, _label in options}
    return [*options, *((value, value) for value in values if value not in known)]


# ---------- filters, times and windows


def _filters(kind: str, given: Given, choices: Choices, prefix: str = "") -> list[Control]:
    found, has = [], given.get("has", [])
    if kind in OF_PRODUCTS:
        found.append(_chosen(prefix + "category", _("Category"), _("any category"), given, choices.categories))
    if kind == Event.Kind.SURVEY_ANSWER:
        found.append(_chosen(prefix + "question", _("Question"), _("any question"), given, choices.questions))
        found.append(_chosen(prefix + "answer", _("Answer"), _("any answer"), given, choices.answers))
    if f"{prefix}product" in has or given.get(f"{prefix}product"):
        for number, sku in enumerate([*given.get(f"{prefix}product", []), ""]):
            held, mark = [sku] if sku else [], f"-{number}"
            found.append(Control("text", f"{prefix}product", _("Article number"), held, mark=mark))
    if f"{prefix}amount" in has or given.get(f"{prefix}amount"):
        found += _amount(prefix, given)
    if f"{prefix}country" in has or given.get(f"{prefix}country"):
        found.append(_chosen(prefix + "country", _("Country"), _("any country"), given, choices.countries))
    return found


def _chosen(name: str, label: str, nothing: str, given: Given, options: Options) -> Control:
    """A choice that becomes a list when several are wanted."""
    values = given.get(name, [])
    known = _with(options, values)
    if len(values) > 1 or name + SEVERAL in given.get("has", []):
        return _list_of(name, label, values, known)
    return Control("choice", name, label, values, [("", nothing), *known, (SEVERAL, _("several…"))], swaps=True)


def _list_of(name: str, label: str, values: list[str], options: Options) -> Control:
    """Several of many; what is chosen stands first, since only four of them are seen at a time."""
    chosen_first = sorted(options, key=lambda option: option[0] not in values)
    return Control("list", name, label, values, chosen_first)


def _amount(prefix: str, given: Given) -> list[Control]:
    op = only(given, f"{prefix}amount_op", ">=")
    ops = [(op, OPERATOR_LABELS[op]) for op in AMOUNTS]
    found = [
        Control("word", label=_("for")),
        Control("choice", f"{prefix}amount_op", _("Amount: comparison"), [op], ops, swaps=True),
        Control("number", f"{prefix}amount", _("Amount"), given.get(f"{prefix}amount", []), step="any"),
    ]
    if op == BETWEEN:
        high = given.get(f"{prefix}amount_high", [])
        found += [
            Control("word", label=_("and")),
            Control("number", f"{prefix}amount_high", _("Amount"), high, step="any"),
        ]
    return found


def _more(kind: str, given: Given, prefix: str = "") -> list[Control]:
    has = {*given.get("has", []), *(name for name, values in given.items() if values)}
    left: list[tuple[str, Any]] = [
        (name, label)
        for name, label in (("product", _("a product")), ("amount", _("an amount")), ("country", _("a country")))
        if prefix + name not in has and (kind in OF_PRODUCTS or name == "country")
    ]
    return (
        [Control("choice", f"{prefix}more", _("Ask more"), [], [("", _("more…")), *left], swaps=True)] if left else []
    )


def _times(given: Given) -> list[Control]:
    often = only(given, "often", ONCE)
    options = [
        (ONCE, _("at least once")), (">=", _("at least … times")), ("=", _("exactly … times")),
        ("<=", _("at most … times")), (NEVER, _("not at all")),
    ]  # fmt: skip
    found = [Control("choice", "often", _("How often"), [often], options, swaps=True)]
    if often not in (ONCE, NEVER):
        found.append(Control("number", "n", _("How many times"), given.get("n", []) or ["2"], unit=_("times")))
    return found


def _window(given: Given) -> list[Control]:
    when = only(given, "when")
    options = [
        ("", _("ever")), ("days", _("in the last")), ("before_days", _("more than")), ("since", _("since")),
        ("from", _("from")),
    ]  # fmt: skip
    found = [Control("choice", "when", _("When"), [when], options, swaps=True)]
    if when in ("days", "before_days"):
        unit = _("days") if when == "days" else _("days ago")
        found.append(Control("number", "n_days", _("How many days"), given.get("n_days", []) or ["90"], unit=unit))
    elif when:
        found.append(Control("date", "since", _("First day"), given.get("since", [])))
    if when == "from":
        found += [Control("word", label=_("to")), Control("date", "until", _("Last day"), given.get("until", []))]
    return found
