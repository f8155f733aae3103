"""Segments and lists that a rule names: whether they exist, and that no segment leads back to itself."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.errors import InputError
from segments.models import Segment, ShopperList
from segments.rules.context import Context
from segments.rules.limits import MAX_CHAIN, MAX_TOGETHER
from segments.rules.validation import validate


def conditions(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the conditions of a valid rule, in the order of reading."""
    inside = [rule["not"]] if "not" in rule else rule.get("all", rule.get("any"))
    if inside is None:
        yield rule
        return
    for part in inside:
        yield from conditions(part)


def segments_in(rule: dict[str, Any]) -> set[str]:
    """Return the uuids of the segments that a valid rule names itself."""
    return {one["segment"] for one in conditions(rule) if "segment" in one}


def check(rule: Any, *, segment: Segment | None = None) -> dict[str, Any]:
    """Return the rule in its plain form when all that it names exists; `segment` is the one that will have it.

    Raises
    ------
    InputError : the rule is wrong, names something that is not there, or leads back to `segment`.
    """
    checked = validate(rule)
    context = Context(timezone.now())
    if segment is not None and segment.pk:
        context.segments[str(segment.uuid)] = checked
        load({"segment": str(segment.uuid)}, context)
    else:
        load(checked, context)
    return checked


def load(rule: dict[str, Any], context: Context) -> None:
    """Fill the context with what a valid rule names, and what that names; a query per level and kind."""
    reached: set[str] = set()
    wanted = segments_in(rule)
    while wanted:
        missing = wanted - context.segments.keys()
        for row in Segment.objects.filter(uuid__in=missing) if missing else ():
            context.segments[str(row.uuid)] = _rule_of(row)
        if gone := wanted - context.segments.keys():
            raise InputError(_("There is no segment with the id %(uuid)s any more.") % {"uuid": min(gone)})
        reached |= wanted
        wanted = {name for uuid in wanted for name in segments_in(context.segments[uuid])} - reached
    _load_lists([rule, *(context.segments[uuid] for uuid in sorted(reached))], context)
    _weigh(rule, context, (), {})


def fingerprint(rule: dict[str, Any], context: Context) -> str:
    """Return a hash of a valid rule with those of the segments that it names, which `load` put into the context."""
    plain = json.dumps(_spelled_out(rule, context), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _spelled_out(rule: dict[str, Any], context: Context) -> dict[str, Any]:
    if "segment" in rule:
        return _spelled_out(context.segments[rule["segment"]], context)
    if "not" in rule:
        return {"not": _spelled_out(rule["not"], context)}
    kind = next((kind for kind in ("all", "any") if kind in rule), "")
    return {kind: [_spelled_out(part, context) for part in rule[kind]]} if kind else rule


def _rule_of(segment: Segment) -> dict[str, Any]:
    try:
        return validate(segment.rule)
    except InputError as error:
        raise InputError(
            _("The segment “%(name)s” can't be used: %(why)s") % {"name": segment.name, "why": error}
        ) from error


def _load_lists(rules: list[dict[str, Any]], context: Context) -> None:
    wanted = {one["list"] for rule in rules for one in conditions(rule) if "list" in one} - context.lists.keys()
    if not wanted:
        return
    context.lists.update(
        {str(uuid): pk for uuid, pk in ShopperList.ready().filter(uuid__in=wanted).values_list("uuid", "pk")}
    )
    if gone := wanted - context.lists.keys():
        raise InputError(_("There is no list with the id %(uuid)s any more.") % {"uuid": min(gone)})


def _weigh(rule: dict[str, Any], context: Context, path: tuple[str, ...], known: dict[str, int]) -> int:
    """Return how many conditions a rule has with all that it names; InputError when it is a circle or too many."""
    total = 0
    if len(path) > MAX_CHAIN:
        raise InputError(_("Segments name segments more than %(n)s deep. Make the rule simpler.") % {"n": MAX_CHAIN})
    for one in conditions(rule):
        uuid = one.get("segment")
        if uuid in path:
            raise InputError(_("The segments name each other in a circle: %(names)s.") % {
                "names": " → ".join(_names([*path[path.index(uuid):], uuid])),
            })  # fmt: skip
        if uuid is not None and uuid not in known:
            known[uuid] = _weigh(context.segments[uuid], context, (*path, uuid), known)
        total += 1 if uuid is None else known[uuid]
    if total > MAX_TOGETHER:
        raise InputError(
            _("With the segments that it names, the rule has more than %(n)s conditions. Make it simpler.")
            % {"n": MAX_TOGETHER}
        )
    return total


def _names(uuids: list[str]) -> list[str]:
    names = {str(uuid): name for uuid, name in Segment.objects.filter(uuid__in=uuids).values_list("uuid", "name")}
    return [names.get(uuid, uuid) for uuid in uuids]
