"""How a segment grew and shrank, in words and as a chart; and its alerts in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailai.ui import numbers
from mailai.ui.charts import Chart, Series, bars, lines
from segments import history, queries
from segments.core.sudden import Usual
from segments.models import Segment, SegmentAlert, SegmentSize

WEEK = 7
# The bars of who came and left stand below the line of the size, on the same days.
ABOVE, BELOW = [0.42, 1.0], [0.0, 0.3]


@dataclass(frozen=True)
class Growth:
    """Who came and left over the last records, up to a week; days on which the rule changed are left out."""

    came: int
    left: int
    days: int
    edited: bool

    @property
    def net(self) -> int:
        """By how many the segment grew."""
        return self.came - self.left


def growth(records: Sequence[SegmentSize]) -> Growth | None:
    """Add up the records of the last week; None where none of them knows who came."""
    last = records[-1].on if records else None
    week = [one for one in records if last and (last - one.on).days < WEEK]
    known = [
        one for one in week if one.came is not None and one.left is not None and one.since and not one.rule_changed
    ]
    if not known:
        return None
    days = sum((one.on - one.since).days for one in known if one.since)
    came, left = sum(one.came or 0 for one in known), sum(one.left or 0 for one in known)
    return Growth(came, left, days, any(one.rule_changed for one in week))


def finding(found: Growth) -> str:
    """Say in a sentence by how much a segment grew or shrank."""
    words = {"n": numbers.count(abs(found.net)), "days": numbers.count(found.days)}
    words |= {"came": numbers.count(found.came), "left": numbers.count(found.left)}
    if found.net > 0:
        said = ngettext(
            "Grew by %(n)s in %(days)s day: %(came)s came, %(left)s left",
            "Grew by %(n)s in %(days)s days: %(came)s came, %(left)s left",
            found.days,
        )
    elif found.net < 0:
        said = ngettext(
            "Shrank by %(n)s in %(days)s day: %(came)s came, %(left)s left",
            "Shrank by %(n)s in %(days)s days: %(came)s came, %(left)s left",
            found.days,
        )
    else:
        said = ngettext(
            "As large as %(days)s day ago: %(came)s came, %(left)s left",
            "As large as %(days)s days ago: %(came)s came, %(left)s left",
            found.days,
        )
    return said % words


def size_chart(segment: Segment) -> Chart | None:
    """Return the size over the last 90 days and who came and left; None until there are two days."""
    records = queries.size_history(segment)
    if len(records) < 2:
        return None
    first, last, found = records[0], records[-1], growth(records)
    days = (last.on - first.on).days
    title = ngettext("Size over %(n)s day", "Size over %(n)s days", days) % {"n": days}
    return Chart(
        id="segment-size",
        finding=finding(found) if found else title,
        explanation=_explanation(records, found),
        figure=_figure(segment, records),
        label=_("The segment had %(first)s shoppers on %(day)s and has %(last)s now.")
        % {"first": numbers.count(first.size), "day": numbers.day(first.on), "last": numbers.count(last.size)},
        columns=[_("Day"), _("Shoppers"), _("Came"), _("Left"), _("Remark")],
        rows=[_row(one) for one in reversed(records)],
        height=220 if found else 120,
    )


def _explanation(records: Sequence[SegmentSize], found: Growth | None) -> str:
    edited = [one for one in records if one.rule_changed]
    if edited and found and found.edited:
        words = {"day": numbers.day(edited[-1].on)}
        return _("The rule was changed before %(day)s; what that did is not counted.") % words
    if edited:
        return _("The rule was last changed before %(day)s.") % {"day": numbers.day(edited[-1].on)}
    first, last = records[0], records[-1]
    if not first.size:
        return ""
    words = {"change": numbers.lift(last.size / first.size - 1), "day": numbers.day(first.on)}
    return _("%(change)s since %(day)s") % words


def _row(one: SegmentSize) -> tuple[str, ...]:
    return (
        numbers.day(one.on), numbers.count(one.size), numbers.count(one.came), numbers.count(one.left), _remark(one)
    )  # fmt: skip


def _remark(one: SegmentSize) -> str:
    if one.rule_changed:
        return _("rule changed")
    days = (one.on - one.since).days if one.since else 1
    return ngettext("since %(n)s day ago", "since %(n)s days ago", days) % {"n": days} if days > 1 else ""


def _figure(segment: Segment, records: Sequence[SegmentSize]) -> dict[str, Any]:
    days = [one.on.isoformat() for one in records]
    figure = lines([Series(str(segment), days, [one.size for one in records], fill=True)], dates=True)
    figure["layout"].update({"annotations": [], "margin": {"l": 8, "r": 12, "t": 10, "b": 8}})
    moved = [one for one in records if one.came is not None and not one.rule_changed]
    if moved:
        on = [one.on.isoformat() for one in moved]
        below = bars([
            Series(_("Came"), on, [one.came for one in moved], "c3"),
            Series(_("Left"), on, [-(one.left or 0) for one in moved], "c2"),
        ], dates=True)  # fmt: skip
        figure["data"] += [bar | {"yaxis": "y2"} for bar in below["data"]]
        axis = below["layout"]["yaxis"] | {"domain": BELOW, "anchor": "x", "nticks": 3, "zeroline": True}
        figure["layout"]["yaxis"]["domain"] = ABOVE
        figure["layout"] |= {"yaxis2": axis, "barmode": "relative", "hoversubplots": "axis"}
        figure["layout"]["xaxis"]["anchor"] = "y2"
    return figure


def alerts(segment: Segment | None = None) -> list[dict[str, Any]]:
    """Return the open alerts, of all segments or of one, with their words."""
    found = history.open_alerts(segment=segment)
    return [{"segment": one.segment, "text": alert_sentence(one), "chip": alert_chip(one)} for one in found]


def alert_sentence(alert: SegmentAlert) -> str:
    """Say what changed, by how much, and what is usual."""
    known = Usual(alert.usual, alert.spread)
    change = alert.size - alert.size_before
    words = {
        "name": alert.segment.name, "n": numbers.count(abs(change)), "size": numbers.count(alert.size),
        "day": numbers.day(alert.on), "low": numbers.change(known.low), "high": numbers.change(known.high),
    }  # fmt: skip
    if change > 0:
        return _(
            "“%(name)s” grew by %(n)s to %(size)s on %(day)s. On most days it changes by %(low)s to %(high)s."
        ) % words  # fmt: skip
    return _(
        "“%(name)s” shrank by %(n)s to %(size)s on %(day)s. On most days it changes by %(low)s to %(high)s."
    ) % words  # fmt: skip


def alert_chip(alert: SegmentAlert) -> str:
    """Say in few words which way a segment went."""
    words = {"n": numbers.count(abs(alert.size - alert.size_before))}
    return (_("Grew by %(n)s at once") if alert.size > alert.size_before else _("Shrank by %(n)s at once")) % words
