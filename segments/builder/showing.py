"""What the template shows of a draft: per condition a row of inputs in the look of pills."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from segments import rules
from segments.builder import inputs
from segments.builder.choices import Choices
from segments.builder.counting import Alone
from segments.builder.nodes import Node

GROUP_KINDS = (("all", gettext_lazy("all")), ("any", gettext_lazy("any")), ("not", gettext_lazy("none")))


def shown(
    node: Node, counts: Mapping[str, Alone], choices: Choices, *, last: bool = True, depth: int = 1
) -> dict[str, Any]:
    """Return a node for the template, its parts inside; `counts` holds how many fit each path alone."""
    common = {"path": node.path, "count": counts.get(node.path), "last": last, "first": node.path.endswith(".0")}
    if not node.is_group:
        return common | _condition(node, choices)
    parts = [
        shown(part, counts, choices, last=number == len(node.parts) - 1, depth=depth + 1)
        for number, part in enumerate(node.parts)
    ]
    return common | {"is_group": True, "kind": node.kind, "parts": parts, "may_nest": depth < rules.MAX_DEPTH - 1}


def _condition(node: Node, choices: Choices) -> dict[str, Any]:
    controls = inputs.of(node.what, node.given, choices)
    if node.fresh:
        # Where a suggestion still wants something; a plain new condition wants to know what it is about.
        wanted = [one for one in controls[1:] if one.shape == "choice" and not one.value and one.name != "more"]
        (wanted or controls)[0].focus = True
    return {"what": node.what, "controls": controls, "has": node.given.get("has", [])}
