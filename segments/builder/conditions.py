"""One condition between what was typed and a rule.

``what`` names its kind and what it asks about: "field:n_orders", "did:purchase", "mail:opened",
"anniversary:sign_up", "sequence:", "segment:", "list:". ``given`` maps the names of inputs to what they hold.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from behaviour.models import Event
from segments.fields import BETWEEN, FIELDS, LISTS, NUMERIC, OPERATORS, PRESENCE, SHARE, Field
from segments.rules.limits import ANNIVERSARIES, ANSWERS, KINDS, MAILS

Given = dict[str, list[str]]
Rule = dict[str, Any]
WHATS = (
    *(f"field:{name}" for name in FIELDS),
    *(f"did:{kind}" for kind in KINDS),
    *(f"mail:{mail}" for mail in MAILS),
    *(f"anniversary:{kind}" for kind in ANNIVERSARIES),
    "sequence:",
    "segment:",
    "list:",
)
# Events that are about a product, so that a category can be asked.
OF_PRODUCTS = ("view", "favourite", "cart", "uncart", "purchase", "refund", "rating")
ONCE, NEVER = "once", "never"
WINDOW = ("when", "n_days", "since", "until")
TIMES = ("often", "n")
FILTERS = ("category", "product", "amount", "country", "question", "answer")
# Of a sequence, the inputs of the first and of the second step begin with these.
STEPS = ("first", "then")
ON, OFF = "1", "0"


def only(given: Mapping[str, list[str]], name: str, default: str = "") -> str:
    """Return what an input holds."""
    return next(iter(given.get(name, ())), default)


def head_of(what: str) -> tuple[str, str]:
    """Return the kind of a condition, and what it asks about."""
    head, _colon, about = what.partition(":")
    return head, about


def number(text: str) -> int | float | str | None:
    """Return a typed number; None for nothing, the text itself where it is no number."""
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


# ---------- to a rule


def to_rule(what: str, given: Given) -> Rule:
    """Return a condition as a rule, not validated yet."""
    head, about = head_of(what)
    return TO_RULE[head](about, given)


def _field(name: str, given: Given) -> Rule:
    asked, op = FIELDS[name], only(given, "op")
    if op in PRESENCE:
        return {"field": name, "op": op}
    values = [_value(asked, text) for text in given.get("value", [])]
    if op in LISTS:
        return {"field": name, "op": op, "value": values}
    value = next(iter(values), None if asked.kind in NUMERIC else "")
    return {"field": name, "op": op, "value": [value, _value(asked, only(given, "high"))] if op == BETWEEN else value}


def _value(asked: Field, text: str) -> Any:
    if asked.kind not in NUMERIC:
        return text
    found = number(text)
    # Shares are typed in percent.
    return float(Decimal(text) / 100) if asked.kind == SHARE and isinstance(found, int | float) else found


def _did(kind: str, given: Given) -> Rule:
    return {"did": kind} | _where(kind, given) | _times(given) | _within(given)


def _mail(what: str, given: Given) -> Rule:
    campaign = only(given, "campaign")
    return {"mail": what} | ({"campaign": campaign} if campaign else {}) | _times(given) | _within(given)


def _sequence(_about: str, given: Given) -> Rule:
    steps = {step: {"did": only(given, step)} | _where(only(given, step), given, f"{step}_") for step in STEPS}
    asked = {
        **steps,
        "happened": only(given, "happened") == ON,
        "days": number(only(given, "limit")),
        "same_product": only(given, "same") == ON,
    }
    return {"sequence": asked} | _within(given)


def _anniversary(kind: str, given: Given) -> Rule:
    return {
        "anniversary": kind,
        "from_days": number(only(given, "from_days")),
        "to_days": number(only(given, "to_days")),
    }


def _where(kind: str, given: Given, prefix: str = "") -> Rule:
    where: dict[str, Any] = {}
    for name in FILTERS:
        if name in ANSWERS and kind != Event.Kind.SURVEY_ANSWER:
            continue
        values = [text for text in given.get(prefix + name, ()) if text]
        if values and name == "amount":
            high = [number(only(given, f"{prefix}amount_high"))]
            op, amount = only(given, f"{prefix}amount_op", ">="), number(values[0])
            where[name] = {"op": op, "value": [amount, *high] if op == BETWEEN else amount}
        elif values:
            where[name] = values
    return {"where": where} if where else {}


def _times(given: Given) -> Rule:
    often = only(given, "often", ONCE)
    if often == ONCE:
        return {}
    return {"times": {"op": "=", "n": 0} if often == NEVER else {"op": often, "n": number(only(given, "n"))}}


def _within(given: Given) -> Rule:
    when = only(given, "when")
    if when in ("days", "before_days"):
        return {"within": {when: number(only(given, "n_days"))}}
    if when == "since":
        return {"within": {"since": only(given, "since")}}
    return {"within": {"from": only(given, "since"), "to": only(given, "until")}} if when == "from" else {}


TO_RULE: dict[str, Callable[[str, Given], Rule]] = {
    "field": _field,
    "did": _did,
    "mail": _mail,
    "sequence": _sequence,
    "anniversary": _anniversary,
    "segment": lambda _about, given: {"segment": only(given, "uuid")},
    "list": lambda _about, given: {"list": only(given, "uuid")},
}


# ---------- from a rule


def from_rule(rule: Rule) -> tuple[str, Given]:
    """Return what a valid condition asks, and what its inputs hold."""
    head = next(head for head in TO_RULE if head in rule)
    about = rule[head] if head in ("field", "did", "mail", "anniversary") else ""
    given = GIVEN[head](rule) | (_given_window(rule) if head in ("did", "mail", "sequence") else {})
    return f"{head}:{about}", given


def _given_field(rule: Rule) -> Given:
    asked, value = FIELDS[rule["field"]], rule.get("value", [])
    texts = [_text(asked, one) for one in (value if isinstance(value, list) else [value])]
    if rule["op"] == BETWEEN:
        return {"op": [BETWEEN], "value": texts[:1], "high": texts[1:]}
    return {"op": [rule["op"]], "value": texts}


def _text(asked: Field, value: Any) -> str:
    if asked.kind == SHARE:
        return format((Decimal(str(value)) * 100).normalize(), "f")
    return str(value)


def _given_did(rule: Rule) -> Given:
    return _given_times(rule) | _given_where(rule)


def _given_mail(rule: Rule) -> Given:
    return _given_times(rule) | ({"campaign": [rule["campaign"]]} if "campaign" in rule else {})


def _given_sequence(rule: Rule) -> Given:
    asked = rule["sequence"]
    given: Given = {"happened": [ON if asked["happened"] else OFF], "limit": [str(asked["days"])]}
    given["same"] = [ON if asked["same_product"] else OFF]
    for step in STEPS:
        given |= {step: [asked[step]["did"]]} | _given_where(asked[step], f"{step}_")
    return given


def _given_anniversary(rule: Rule) -> Given:
    return {"from_days": [str(rule["from_days"])], "to_days": [str(rule["to_days"])]}


def _given_times(rule: Rule) -> Given:
    times = rule.get("times")
    if times is None:
        return {"often": [ONCE]}
    return {"often": [NEVER]} if times == {"op": "=", "n": 0} else {"often": [times["op"]], "n": [str(times["n"])]}


def _given_where(rule: Rule, prefix: str = "") -> Given:
    given: Given = {}
    for name, asked in rule.get("where", {}).items():
        if name != "amount":
            given[prefix + name] = list(asked)
            continue
        values = asked["value"] if isinstance(asked["value"], list) else [asked["value"]]
        given |= {f"{prefix}amount_op": [asked["op"]], f"{prefix}amount": [str(values[0])]}
        given |= {f"{prefix}amount_high": [str(values[1])]} if len(values) > 1 else {}
    return given


def _given_window(rule: Rule) -> Given:
    window = rule.get("within", {})
    for name in ("days", "before_days"):
        if name in window:
            return {"when": [name], "n_days": [str(window[name])]}
    if "since" in window:
        return {"when": ["since"], "since": [window["since"]]}
    return {"when": ["from"], "since": [window["from"]], "until": [window["to"]]} if window else {"when": [""]}


GIVEN: dict[str, Callable[[Rule], Given]] = {
    "field": _given_field,
    "did": _given_did,
    "mail": _given_mail,
    "sequence": _given_sequence,
    "anniversary": _given_anniversary,
    "segment": lambda rule: {"uuid": [rule["segment"]]},
    "list": lambda rule: {"uuid": [rule["list"]]},
}


# ---------- what a new or changed condition holds


def usual(what: str) -> Given:
    """Return what a new condition of this kind holds."""
    head, about = head_of(what)
    if head == "field":
        asked = FIELDS[about]
        choices = [choice for choice, _label in asked.choices]
        return {"op": [OPERATORS[asked.kind][0]], "value": choices[:1]}
    if head in ("did", "mail"):
        return {"often": [ONCE], "when": ["days"], "n_days": ["90" if head == "did" else "30"]}
    if head == "sequence":
        steps = {"first": ["view"], "then": ["purchase"], "happened": [OFF], "limit": ["3"], "same": [ON]}
        return {**steps, "when": ["days"], "n_days": ["30"]}
    return {"from_days": ["0"], "to_days": ["7"]} if head == "anniversary" else {}


def tidied(what: str, was: str, given: Given) -> Given:
    """Return what the inputs hold after a change of ``what``, or of a comparison: only what belongs together."""
    if was and was != what:
        return usual(what) | _kept(was, what, given)
    head, about = head_of(what)
    if head != "field":
        return given
    asked, found = FIELDS[about], dict(given)
    if only(found, "op") not in OPERATORS[asked.kind]:
        found["op"] = [OPERATORS[asked.kind][0]]
    if only(found, "op") in PRESENCE:
        found["value"] = []
    choices = [choice for choice, _label in asked.choices]
    if choices and only(found, "op") not in PRESENCE:
        found["value"] = [value for value in found.get("value", []) if value in choices] or choices[:1]
    if asked.kind in NUMERIC:
        found["value"] = [value for value in found.get("value", []) if _is_number(value)]
    return found


def _kept(was: str, what: str, given: Given) -> Given:
    """From one behaviour to another, how often and when stay, and the category where it still makes sense."""
    heads = {head_of(was)[0], head_of(what)[0]}
    if not heads <= {"did", "mail"}:
        return {}
    names = [*TIMES, *WINDOW]
    if head_of(what)[1] in OF_PRODUCTS and head_of(was)[1] in OF_PRODUCTS:
        names += [*FILTERS, "amount_op", "amount_high"]
    return {name: given[name] for name in names if name in given}


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
