"""What the pages of segments show, put together from queries and words."""

from typing import Any

from django.utils.translation import gettext as _

from mailai.errors import InputError
from segments import growth, history, queries, rules
from segments.models import Segment
from segments.rules.names import Names, names_in


def rows(segments: list[Segment]) -> list[dict[str, Any]]:
    """Return the rows of the list; all sizes come together."""
    sizes = queries.quick_sizes(segments)
    valid = [rule for one in segments if (rule := _readable(one)) is not None]
    names = names_in(valid)
    alerts = {one.segment_id: growth.alert_chip(one) for one in history.open_alerts()}
    return [
        {
            "segment": one, "size": sizes.get(one.pk), "sentence": sentence(one, names),
            "alert": alerts.get(one.pk, ""),
        }
        for one in segments
    ]  # fmt: skip


def _readable(segment: Segment) -> dict[str, Any] | None:
    try:
        return rules.validate(segment.rule)
    except InputError:
        return None


def sentence(segment: Segment, names: Names | None = None) -> str:
    """Return the rule of a segment in words, also when it can't be read any more."""
    try:
        return rules.describe(rules.validate(segment.rule), names)
    except InputError as error:
        return _("This rule can't be used any more: %(why)s") % {"why": error}
