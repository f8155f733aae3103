"""How many fit each part of a draft by itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches

from mailai.errors import InputError
from segments import queries, rules
from segments.builder.nodes import ROOT, Node, to_rule, walk
from segments.counting import EDITOR_SECONDS, in_time
from segments.estimate import estimates
from segments.models import Sample
from segments.rules.references import conditions

# The sample stays as it is; only windows of time move on.
KEPT_SECONDS = 600


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
    """Estimate every part from the sample; where one of them was changed, only that one is asked about again."""
    kept = caches["memory"]
    drawn = Sample.objects.filter(pk=1).values_list("built_at", flat=True).first()
    keys = {path: _key(rule, drawn) for path, rule in parts.items()}
    known = kept.get_many([key for key in keys.values() if key])
    asked = {path: rule for path, rule in parts.items() if keys[path] not in known}
    found = in_time(lambda: estimates(asked), EDITOR_SECONDS) if asked else {}
    new = {path: Alone(one.count, about=not one.exact) for path, one in (found or {}).items()}
    kept.set_many({keys[path]: one for path, one in new.items() if keys[path] and one.about}, KEPT_SECONDS)
    return {path: known[keys[path]] for path in parts if keys[path] in known} | new


def _key(rule: Any, drawn: Any) -> str:
    """Return what an estimate of the sample at hand is kept by; "" for who names a segment or a list, which changes."""
    if any(name in one for one in conditions(rules.validate(rule)) for name in ("segment", "list")):
        return ""
    return hashlib.sha256(f"{drawn}{json.dumps(rule, sort_keys=True)}".encode()).hexdigest()


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
