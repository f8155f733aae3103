"""What the pages of segments show, put together from queries and words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailai.errors import InputError
from mailai.ui import numbers
from mailai.ui.charts import Chart, Series, lines
from segments import queries, rules
from segments.models import Segment
from segments.rules.names import Names, names_in


def rows(segments: list[Segment]) -> list[dict[str, Any]]:
    """Return the rows of the list; all sizes come together."""
    sizes = queries.quick_sizes(segments)
    valid = [rule for one in segments if (rule := _readable(one)) is not None]
    names = names_in(valid)
    return [{"segment": one, "size": sizes.get(one.pk), "sentence": sentence(one, names)} for one in segments]


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


def size_chart(segment: Segment) -> Chart | None:
    """Return the size over the last 90 days; None until there are two days."""
    history = queries.size_history(segment)
    if len(history) < 2:
        return None
    first, last = history[0], history[-1]
    days = (last.on - first.on).days
    size = Series(str(segment), [one.on.isoformat() for one in history], [one.size for one in history], fill=True)
    figure = lines([size], dates=True)
    figure["layout"].update({"annotations": [], "margin": {"l": 8, "r": 12, "t": 10, "b": 8}})
    return Chart(
        id="segment-size",
        finding=ngettext("Size over %(n)s day", "Size over %(n)s days", days) % {"n": days},
        explanation=numbers.lift(last.size / first.size - 1) if first.size else "",
        figure=figure,
        label=_("The segment had %(first)s shoppers on %(day)s and has %(last)s now.")
        % {"first": numbers.count(first.size), "day": numbers.day(first.on), "last": numbers.count(last.size)},
        columns=[_("Day"), _("Shoppers")],
        rows=[(numbers.day(one.on), numbers.count(one.size)) for one in history],
        height=120,
    )
