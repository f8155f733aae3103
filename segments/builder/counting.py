"""How many fit each part of a draft by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailai.errors import InputError
from segments import queries
from segments.builder.nodes import ROOT, Node, to_rule, walk
from segments.counting import EDITOR_SECONDS, in_time
from segments.estimate import estimates


@dataclass(frozen=True)
class Alone:
    """How many fit one part; ``about`` where it is an estimate."""

    count: int
    about: bool = False


def counts_of(root: Node, *, exact: bool) -> dict[str, Alone]:
    """Return path -> count of every finished node below the root; one statement, two where the exact one takes long."""
    parts = dict(_finished(root))
    if not parts:
        return {}
    try:
        if exact and (counted := in_time(lambda: queries.counts_alone(parts), EDITOR_SECONDS)) is not None:
            return {path: Alone(n) for path, n in counted.items()}
        return _estimated(parts)
    except InputError:
        # A part names what is not there any more; the panel says so.
        return {}


def _estimated(parts: Mapping[str, Any]) -> dict[str, Alone]:
    found = in_time(lambda: estimates(parts), EDITOR_SECONDS) or {}
    return {path: Alone(one.count, about=not one.exact) for path, one in found.items()}


def _finished(root: Node) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for node in walk(root):
        if node.path == ROOT:
            continue
        try:
            found.append((node.path, to_rule(node)))
        except InputError:
            continue
    return found
