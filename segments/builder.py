"""The rule builder as a form: a tree of named inputs that works with and without script.

A node's place is its path ("0.2.1"): a group sends ``kind-PATH``, a condition ``field-PATH``, ``was-PATH``,
``op-PATH`` and ``value-PATH``. Unlike a rule, a draft may be unfinished. A condition that the form has no inputs for
sends ``kept-PATH``, as JSON: it is shown in words and saved as it was.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from mailai.errors import InputError
from segments import queries, rules
from segments.fields import BETWEEN, BOUGHT, DAYS, FIELDS, LISTS, NUMBERS, OPERATORS, PRESENCE, TEXT, WHOLE_KINDS

INPUT = re.compile(r"(kind|field|was|op|value|kept)-(\d{1,3}(?:\.\d{1,3}){0,9})")
MAX_INPUTS = 5 * rules.MAX_NODES
ROOT = "0"
OPERATOR_LABELS = {
    "=": _("is"), "!=": _("is not"), ">=": _("at least"), ">": _("more than"), "<=": _("at most"), "<": _("less than"),
    "in": _("is one of"), "not_in": _("is none of"), "known": _("is known"), "unknown": _("is not known"),
}  # fmt: skip
DAYS_LABELS = OPERATOR_LABELS | {
    "=": _("exactly"), "!=": _("not exactly"), "known": _("has happened"), "unknown": _("has never happened"),
}  # fmt: skip
BOUGHT_LABELS = {
    "=": _("includes"),
    "!=": _("does not include"),
    "in": _("includes one of"),
    "not_in": _("includes none of"),
}
GROUP_KINDS = (("all", _("all")), ("any", _("any")), ("not", _("none")))


@dataclasses.dataclass(eq=False)
class Node:
    """A group (``kind``, ``parts``) or a condition (``field``, ``op``, ``values`` as typed; or ``kept``, its JSON).

    ``was`` is the field that the values were typed for, when a browser sent it.
    """

    kind: str = ""
    parts: list["Node"] = dataclasses.field(default_factory=list)
    field: str = ""
    was: str = ""
    op: str = ""
    values: list[str] = dataclasses.field(default_factory=list)
    kept: str = ""
    path: str = ROOT

    @property
    def is_group(self) -> bool:
        """Whether it holds other nodes."""
        return bool(self.kind)


def blank() -> Node:
    """Return the draft that a new segment starts with."""
    return placed(Node("all", [new_condition()]))


def new_condition() -> Node:
    """Return the condition that "Add condition" adds."""
    return Node(field="n_orders", op=">=", values=["1"])


def placed(node: Node, path: str = ROOT) -> Node:
    """Write every node's path anew."""
    node.path = path
    for number, part in enumerate(node.parts):
        placed(part, f"{path}.{number}")
    return node


def walk(node: Node) -> Iterator[Node]:
    """Give the node and all below it."""
    yield node
    for part in node.parts:
        yield from walk(part)


# ---------- between form and draft


def parse(post: QueryDict) -> Node:
    """Read the draft that a browser sent; what does not belong to the form is ignored."""
    nodes: dict[tuple[int, ...], Node] = {}
    for name in list(post)[: MAX_INPUTS + 20]:
        if found := INPUT.fullmatch(name):
            place = tuple(map(int, found[2].split(".")))
            _read(nodes.setdefault(place, Node()), found[1], post.getlist(name))
    root = nodes.pop((0,), None) or Node("all")
    root.kind = root.kind or "all"
    known: dict[tuple[int, ...], Node] = {(0,): root}
    for place in sorted(nodes):
        parent = known.get(place[:-1])
        if parent is not None and parent.is_group:
            parent.parts.append(nodes[place])
            known[place] = nodes[place]
    for node in walk(root):
        _tidy(node)
    return placed(root)


def _read(node: Node, what: str, sent: list[str]) -> None:
    if what == "kind":
        node.kind = sent[-1] if sent[-1] in rules.GROUPS else "all"
    elif what == "value":
        node.values = [value.strip()[: rules.MAX_TEXT] for value in sent if value.strip()]
    else:
        setattr(node, what, sent[-1])


def _tidy(node: Node) -> None:
    """A condition whose field was just changed gets a comparison and a value that fit."""
    if node.is_group or node.kept:
        return
    known = FIELDS.get(node.field) or FIELDS["n_orders"]
    node.field = known.name
    if node.was and node.was != known.name:
        node.values = []
    if node.op not in OPERATORS[known.kind] or node.op == BETWEEN:
        node.op = OPERATORS[known.kind][0]
    choices = [choice for choice, _label in known.choices]
    if choices:
        node.values = [value for value in node.values if value in choices] or choices[:1]
    if known.kind in (*NUMBERS, DAYS) and not all(map(_is_number, node.values)):
        node.values = []
    if node.op in PRESENCE:
        node.values = []


def changed(root: Node, action: str) -> Node:
    """Return the draft after a button: ``add-condition``, ``add-group``, ``remove``, ``up`` or ``down`` with a path."""
    verb, _colon, path = action.partition(":")
    node = next((one for one in walk(root) if one.path == path), None)
    if node is None:
        return root
    siblings = next((one.parts for one in walk(root) if node in one.parts), [])
    if verb == "add-condition" and node.is_group:
        node.parts.append(new_condition())
    elif verb == "add-group" and node.is_group:
        node.parts.append(Node("any", [new_condition()]))
    elif siblings:
        _move(siblings, node, verb)
    return placed(root)


def _move(siblings: list[Node], node: Node, verb: str) -> None:
    at = next(number for number, one in enumerate(siblings) if one is node)
    to = {"up": max(at - 1, 0), "down": at + 1}.get(verb)
    if verb == "remove" or to is not None:
        siblings.pop(at)
    if to is not None:
        siblings.insert(to, node)


# ---------- between draft and rule


def to_rule(node: Node) -> dict[str, Any]:
    """Return the draft as a validated rule, empty groups left out; InputError says what is missing."""
    return rules.validate(_rule(node) or rules.EVERYBODY)


def _rule(node: Node) -> dict[str, Any] | None:
    if node.kept:
        return _kept(node.kept)
    if not node.is_group:
        return _condition(node)
    parts = [part for part in map(_rule, node.parts) if part]
    if not parts:
        return None
    if node.kind == "not":
        return {"not": parts[0] if len(parts) == 1 else {"any": parts}}
    return {node.kind: parts}


def _kept(written: str) -> dict[str, Any]:
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        found = None
    return rules.validate(found)


def _condition(node: Node) -> dict[str, Any]:
    if node.op in PRESENCE:
        return {"field": node.field, "op": node.op}
    typed = FIELDS[node.field].kind in (*NUMBERS, DAYS)
    values = [_number(value) if typed else value for value in node.values]
    value = values if node.op in LISTS else next(iter(values), None if typed else "")
    return {"field": node.field, "op": node.op, "value": value}


def _is_number(text: str) -> bool:
    return not isinstance(_number(text), str)


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def from_rule(rule: dict[str, Any]) -> Node:
    """Return a valid rule as a draft, a group at its root."""
    node = _draft(rule)
    return placed(node if node.is_group else Node("all", [node]))


def _draft(rule: dict[str, Any]) -> Node:
    if not {"field", *rules.GROUPS} & rule.keys() or rule.get("op") == BETWEEN:
        return Node(kept=json.dumps(rule))
    if "field" in rule:
        value = rule.get("value", [])
        values = value if isinstance(value, list) else [value]
        return Node(field=rule["field"], op=rule["op"], values=[str(one) for one in values])
    if "not" in rule:
        inside = rule["not"]
        return Node("not", [_draft(part) for part in inside["any"]] if "any" in inside else [_draft(inside)])
    kind = next(iter(rule))
    return Node(kind, [_draft(part) for part in rule[kind]])


# ---------- what the page shows


def shown(node: Node, counts: dict[str, int], *, last: bool = True, depth: int = 1) -> dict[str, Any]:
    """Return a node for the template, its parts inside; `counts` holds how many fit each path alone."""
    common = {"path": node.path, "count": counts.get(node.path), "last": last, "first": node.path.endswith(".0")}
    if node.is_group:
        parts = [
            shown(part, counts, last=number == len(node.parts) - 1, depth=depth + 1)
            for number, part in enumerate(node.parts)
        ]
        return common | {"is_group": True, "kind": node.kind, "parts": parts, "may_nest": depth < rules.MAX_DEPTH - 1}
    if node.kept:
        return common | _shown_kept(node.kept)
    return common | _shown_condition(node)


def _shown_kept(written: str) -> dict[str, Any]:
    try:
        return {"kept": written, "sentence": rules.describe(_kept(written))}
    except InputError as error:
        return {"kept": written, "sentence": str(error)}


def _shown_condition(node: Node) -> dict[str, Any]:
    known = FIELDS[node.field]
    labels = {DAYS: DAYS_LABELS, BOUGHT: BOUGHT_LABELS}.get(known.kind, OPERATOR_LABELS)
    widget = "number" if known.kind in (*NUMBERS, DAYS) else "choice"
    return {
        "field": known,
        "op": node.op,
        "ops": [(op, labels[op]) for op in OPERATORS[known.kind] if op != BETWEEN],
        "widget": "" if node.op in PRESENCE else widget,
        "value": next(iter(node.values), ""),
        "values": node.values,
        "options": _options(node) if widget == "choice" else [],
        "several": node.op in LISTS,
        "in_days": known.kind == DAYS,
        "step": "1" if known.kind in WHOLE_KINDS else "any",
    }


def _options(node: Node) -> list[tuple[str, Any]]:
    known = FIELDS[node.field]
    if known.kind not in (TEXT, BOUGHT):
        return list(known.choices)
    values = queries.known_values(node.field)
    return [(value, value) for value in sorted({*values, *node.values})]


def field_groups() -> list[tuple[Any, list[Any]]]:
    """Return the fields under their headings, for the select."""
    groups: dict[str, tuple[Any, list[Any]]] = {}
    for one in FIELDS.values():
        groups.setdefault(str(one.group), (one.group, []))[1].append(one)
    return list(groups.values())


def counts_of(root: Node) -> dict[str, int]:
    """Count every finished node below the root by itself; one query."""
    parts = {}
    for node in walk(root):
        if node is root:
            continue
        try:
            parts[node.path] = rules.check(to_rule(node))
        except InputError:
            continue
    return queries.counts_alone(parts)
