"""A draft of a rule: a tree like a rule, but what was typed may be unfinished."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from segments import rules
from segments.builder import conditions

ROOT = "0"


@dataclasses.dataclass(eq=False)
class Node:
    """A group (``kind``, ``parts``) or a condition (``what`` it asks, ``given``: per input what was typed).

    ``path`` is its place ("0.2.1"), which the names of its inputs end with. ``fresh`` says that it was just added.
    """

    kind: str = ""
    parts: list["Node"] = dataclasses.field(default_factory=list)
    what: str = ""
    given: conditions.Given = dataclasses.field(default_factory=dict)
    path: str = ROOT
    fresh: bool = False

    @property
    def is_group(self) -> bool:
        """Whether it holds other nodes."""
        return bool(self.kind)


def blank() -> Node:
    """Return the draft that a new segment starts with: everybody."""
    return Node("all")


def new_condition() -> Node:
    """Return the condition that "Condition" adds."""
    what = "did:purchase"
    return Node(what=what, given=conditions.usual(what), fresh=True)


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


def to_rule(node: Node) -> dict[str, Any]:
    """Return the draft as a validated rule, empty groups left out; InputError says what is missing."""
    return rules.validate(_rule(node) or rules.EVERYBODY)


def _rule(node: Node) -> dict[str, Any] | None:
    if not node.is_group:
        return conditions.to_rule(node.what, node.given)
    parts = [part for part in map(_rule, node.parts) if part]
    if not parts:
        return None
    if node.kind == "not":
        return {"not": parts[0] if len(parts) == 1 else {"any": parts}}
    return {node.kind: parts}


def from_rule(rule: dict[str, Any]) -> Node:
    """Return a valid rule as a draft, a group at its root."""
    node = draft(rule)
    return placed(node if node.is_group else Node("all", [node]))


def draft(rule: dict[str, Any]) -> Node:
    """Return a part of a valid rule as a part of a draft."""
    kind = next((kind for kind in rules.GROUPS if kind in rule), "")
    if not kind:
        what, given = conditions.from_rule(rule)
        return Node(what=what, given=given)
    if kind == "not":
        inside = rule["not"]
        return Node("not", [draft(part) for part in inside["any"]] if "any" in inside else [draft(inside)])
    return Node(kind, [draft(part) for part in rule[kind]])
