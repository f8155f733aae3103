"""The draft as a browser sends it: a group as ``kind-PATH``, a condition as ``what-PATH`` and its other inputs."""

import re

from django.http import QueryDict

from segments import rules
from segments.builder import conditions
from segments.builder.control import SEVERAL
from segments.builder.nodes import ROOT, Node, draft, new_condition, placed, walk
from segments.builder.often import OFTEN

INPUT = re.compile(r"([a-z_]{1,20})-(\d{1,3}(?:\.\d{1,3}){0,9})")
MAX_INPUTS = 20 * rules.MAX_NODES


def parse(post: QueryDict) -> Node:
    """Read the draft that a browser sent; what does not belong to the form is ignored."""
    nodes: dict[tuple[int, ...], Node] = {}
    for name in list(post)[:MAX_INPUTS]:
        if found := INPUT.fullmatch(name):
            place = tuple(map(int, found[2].split(".")))
            values = [value.strip()[: rules.MAX_TEXT] for value in post.getlist(name)]
            nodes.setdefault(place, Node()).given[found[1]] = [value for value in values if value]
    root = nodes.pop((0,), None) or Node()
    for node in (root, *nodes.values()):
        _understood(node)
    root.kind, root.what = root.kind or "all", ""
    known: dict[tuple[int, ...], Node] = {(0,): root}
    for place in sorted(nodes):
        parent, node = known.get(place[:-1]), nodes[place]
        if parent is not None and parent.is_group and (node.is_group or node.what):
            parent.parts.append(node)
            known[place] = node
    return placed(root)


def is_whole(post: QueryDict, root: Node) -> bool:
    """Say whether the draft holds every group and condition that was sent; one that fell out would widen the rule."""
    sent = {
        name.partition("-")[2]
        for name, values in post.lists()
        if name.startswith(("kind-", "what-")) and any(value.strip() for value in values)
    }
    return len(sent - {ROOT}) == sum(1 for _node in walk(root)) - 1


def _understood(node: Node) -> None:
    """Tell groups from conditions, and give a condition that was just changed inputs that fit."""
    given = node.given
    if "kind" in given:
        kind = conditions.only(given, "kind")
        node.kind, node.given = kind if kind in rules.GROUPS else "all", {}
        return
    what, was = conditions.only(given, "what"), conditions.only(given, "was")
    if what not in conditions.WHATS:
        node.given = {}
        return
    node.what = what
    node.given = conditions.tidied(what, was, {k: v for k, v in given.items() if k not in ("what", "was")})
    _opened(node.given)


def _opened(given: conditions.Given) -> None:
    """Note which filters stand there though they are empty, and which lists take several values."""
    shown = list(given.get("has", []))
    for name, values in list(given.items()):
        if name.endswith("more"):
            shown += [name.removesuffix("more") + value for value in values]
            given.pop(name)
        elif SEVERAL in values:
            given[name] = [value for value in values if value != SEVERAL]
            shown.append(f"{name}{SEVERAL}")
    if shown:
        given["has"] = list(dict.fromkeys(shown))


def changed(root: Node, action: str) -> Node:
    """Return the draft after a button.

    That is ``add-condition``, ``add-group``, ``add-not``, ``remove``, ``up`` or ``down`` with a path, or ``often``
    with the key of a suggestion.
    """
    verb, _colon, path = action.partition(":")
    if verb == "often" and path in OFTEN:
        added = draft(rules.validate(OFTEN[path].rule)) if not OFTEN[path].open else draft(OFTEN[path].rule)
        added.fresh = True
        root.parts.append(added)
        return placed(root)
    node = next((one for one in walk(root) if one.path == path), None)
    if node is None:
        return root
    siblings = next((one.parts for one in walk(root) if node in one.parts), [])
    if verb == "add-condition" and node.is_group:
        node.parts.append(new_condition())
    elif verb in ("add-group", "add-not") and node.is_group:
        node.parts.append(Node("any" if verb == "add-group" else "not", [new_condition()]))
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
