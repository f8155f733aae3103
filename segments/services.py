"""Writes segments; their sizes are written in segments.history, profiles in segments.profiles."""

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from behaviour.models import Shop
from mailai.accounts import audit
from mailai.errors import StateError
from mailai.ui import numbers
from segments import name_rules, rules, usage
from segments.models import Segment, SegmentSize
from segments.starters import STARTERS


def save_segment(segment: Segment, *, name: str, rule: Any, by: Any) -> Segment:
    """Write a new or changed segment; InputError when the name is missing or taken, or the rule can't be used.

    A rule can't be used either when it names a segment that leads back to this one. StateError when the segment was
    deleted meanwhile.
    """
    with transaction.atomic():
        # What the rule names is not deleted between this look and the end, and nobody else names this one.
        rules.turns.wait()
        before = segment.rule
        checked = rules.check(rule, segment=segment)
        segment.name = name_rules.checked(
            name, Segment.objects.exclude(pk=segment.pk),
            missing=gettext("Give the segment a name of 1 to %(n)s letters."),
            taken=gettext("There is a segment “%(name)s” already. Choose another name."),
        )  # fmt: skip
        segment.rule = checked
        segment.updated_at = timezone.now()
        action = "segment.change" if segment.pk else "segment.create"
        if not segment.pk:
            segment.created_by = by
        elif not Segment.objects.filter(pk=segment.pk).exists():
            raise StateError(gettext("“%(name)s” was deleted meanwhile.") % {"name": segment.name})
        segment.save()
        if before != checked:
            # What was counted today was another rule; within a minute it is counted again.
            SegmentSize.objects.filter(segment=segment, on=_today()).delete()
        audit.record(action, segment, by=by)
    return segment


def segment_of(rule: dict[str, Any], *, name: str, by: Any) -> Segment:
    """Return the segment that has this very rule, or make it, with a number behind its name where that is taken."""
    there = Segment.objects.filter(rule=rule).first()
    return there or save_segment(Segment(), name=name_rules.first_free(name, Segment.objects.all()), rule=rule, by=by)


def duplicate_segment(segment: Segment, *, by: Any) -> Segment:
    """Make a copy under the first free name."""
    base = gettext("%(name)s, copy") % {"name": segment.name[: name_rules.NAME_LENGTH - 20]}
    name = name_rules.first_free(base, Segment.objects.all())
    return save_segment(Segment(description=segment.description), name=name, rule=segment.rule, by=by)


def delete_segment(segment: Segment, *, by: Any) -> None:
    """Remove a segment; StateError while a campaign or the rule of another segment uses it."""
    try:
        with transaction.atomic():
            # Whoever saves a rule that names it was seen below, or finds it gone.
            rules.turns.wait()
            audit.record("segment.delete", segment, by=by)
            Segment.objects.filter(pk=segment.pk).delete()
            if users := usage.named_by(segment):
                raise StateError(
                    gettext("“%(name)s” is used by the rule of %(users)s. Change that first, or keep this one.")
                    % {"name": segment.name, "users": numbers.listed(f"“{one}”" for one in users)}
                )
    except ProtectedError as error:
        users = sorted(str(one) for one in error.protected_objects)
        raise StateError(
            ngettext(
                "“%(name)s” is used by the campaign %(users)s. Choose another segment there, or keep this one.",
                "“%(name)s” is used by the campaigns %(users)s. Choose another segment there, or keep this one.",
                len(users),
            )
            % {"name": segment.name, "users": numbers.listed(f"“{one}”" for one in users)}
        ) from error


def make_starter_segments(demo: bool = False, *, only: str = "", by: Any = None) -> list[Segment]:
    """Make the four starters, or one of them; those that exist stay as they are."""
    made = []
    for starter in STARTERS.values():
        if only not in ("", starter.key):
            continue
        segment = Segment.objects.filter(name=str(starter.name)).first()
        made.append(segment or save_segment(Segment(demo=demo), name=str(starter.name), rule=starter.rule, by=by))
    return made


def _today() -> date:
    return Shop.current().day_of(timezone.now())
