"""What the page of overlaps shows, and the segment that a combination becomes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from behaviour.models import Shopper
from mailai.errors import InputError
from mailai.ui import numbers
from segments import name_rules, services
from segments.core import overlap as arithmetic
from segments.counting import State
from segments.models import Segment, SegmentSize
from segments.overlaps import FEWEST, MOST, overlap

USUAL, SHADES = 5, 5
# Leaves room for a number where the name is taken.
LONGEST = name_rules.NAME_LENGTH - name_rules.ROOM


def choosable() -> list[Segment]:
    """Return all segments, the largest at their last record first, then the newest change."""
    last = SegmentSize.objects.filter(segment=OuterRef("pk")).order_by("-on").values("size")[:1]
    found = Segment.objects.annotate(last_size=Subquery(last)).order_by("-updated_at", "pk")
    return sorted(found, key=lambda one: -(getattr(one, "last_size", None) or 0))


def chosen(segments: Sequence[Segment], asked: Sequence[str]) -> list[Segment]:
    """Return the segments that were asked for, in the order of the list; without any the largest five.

    Raises
    ------
    InputError : one of them is not there, or they are too few or too many.
    """
    if not asked:
        return list(segments[:USUAL])
    wanted, known = set(asked), {str(one.uuid) for one in segments}
    if not wanted <= known:
        raise InputError(_("A segment that you chose is not there any more. Choose again."))
    if not FEWEST <= len(wanted) <= MOST:
        raise InputError(_("Choose %(fewest)s to %(most)s segments.") % {"fewest": FEWEST, "most": MOST})
    return [one for one in segments if str(one.uuid) in wanted]


def page(segments: Sequence[Segment]) -> dict[str, Any]:
    """Return every combination of these segments and how much each two share."""
    found = overlap(segments)
    combinations = arithmetic.combinations(found.masks, len(segments))
    sizes = arithmetic.sizes(found.masks, len(segments))
    total = sum(one.n for one in combinations)
    made = {_plain(one.rule): one for one in Segment.objects.all()}
    rows = [
        {
            "inside": [place in one.inside for place in range(len(segments))], "n": one.n,
            "share": one.n / max(total, 1), "name": _shown(segments, one.inside),
            "segment": made.get(_plain(combination_rule(segments, one.inside))),
            "in": [segments[place].uuid for place in one.inside],
        }
        for one in combinations
    ]  # fmt: skip
    return {
        "rows": rows, "largest": max((one.n for one in combinations), default=0), "total": total,
        "n_shoppers": Shopper.objects.count(), "state": found.state.value, "at": found.at,
        "about": "≈ " if found.state == State.ESTIMATE else "",
        "finding": _finding(segments, found.masks, sizes), "pairs": _pairs(segments, found.masks, sizes),
        "letters": [(chr(ord("A") + place), one, sizes[place]) for place, one in enumerate(segments)],
    }  # fmt: skip


def combination_rule(segments: Sequence[Segment], inside: Sequence[int]) -> dict[str, Any]:
    """Return the rule of who is in some of the segments and in none of the others."""
    named = [{"segment": str(one.uuid)} for one in segments]
    others = [one for place, one in enumerate(named) if place not in inside]
    left_out = [{"not": others[0] if len(others) == 1 else {"any": others}}] if others else []
    return {"all": [*(named[place] for place in inside), *left_out]}


def combination_name(segments: Sequence[Segment], inside: Sequence[int]) -> str:
    """Name the segment of a combination by those it holds and those it leaves out."""
    names, others = _shown(segments, inside), [one.name for at, one in enumerate(segments) if at not in inside]
    if others and len(inside) > 1:
        names = _("%(names)s, not %(others)s") % {"names": names, "others": _listed(others)}
    return names if len(names) <= LONGEST else f"{names[: LONGEST - 1]}…"


def make_segment(segments: Sequence[Segment], inside: Sequence[UUID], *, by: Any) -> Segment:
    """Make the segment of a combination, or return the one that is there.

    Raises
    ------
    InputError : the combination names none of the segments, or another one.
    """
    places = [place for place, one in enumerate(segments) if one.uuid in set(inside)]
    if not places or len(places) != len(set(inside)):
        raise InputError(_("A segment that you chose is not there any more. Choose again."))
    rule = combination_rule(segments, places)
    return services.segment_of(rule, name=combination_name(segments, places), by=by)


def _plain(rule: Any) -> str:
    return json.dumps(rule, sort_keys=True)


def _shown(segments: Sequence[Segment], inside: Sequence[int]) -> str:
    names = _listed([segments[place].name for place in inside])
    return _("Only %(name)s") % {"name": names} if len(inside) == 1 else names


def _listed(names: Sequence[str]) -> str:
    return " + ".join(names)


def _finding(segments: Sequence[Segment], masks: dict[int, int], sizes: Sequence[int]) -> str:
    """Name the two segments of which most of one is also in the other."""
    shared = arithmetic.shared(masks, len(segments))
    pairs = [
        (shared[row][column] / sizes[row], row, column)
        for row, column in itertools.permutations(range(len(segments)), 2)
        if sizes[row]
    ]
    share, row, column = max(pairs, default=(0.0, 0, 0))
    if not share:
        return _("No shopper is in more than one of these segments")
    words = {"share": numbers.percent(share), "one": segments[row].name, "other": segments[column].name}
    return _("%(share)s of “%(one)s” are also in “%(other)s”") % words


def _pairs(segments: Sequence[Segment], masks: dict[int, int], sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows of the table: which share of a row's segment is in the column's, and how many."""
    shared = arithmetic.shared(masks, len(segments))
    rows = []
    for row, segment in enumerate(segments):
        shares = [n / sizes[row] if sizes[row] else None for n in shared[row]]
        cells = [
            {"share": share, "n": n, "self": row == column, "shade": -(-SHADES * n // sizes[row]) if sizes[row] else 0}
            for column, (share, n) in enumerate(zip(shares, shared[row], strict=True))
        ]
        rows.append({"segment": segment, "size": sizes[row], "cells": cells})
    return rows
