"""The Plotly charts of this app, as cards whose titles say what the data show."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.figures import percent_whole
from analytics.overview import Week
from analytics.queries import Report
from mailai.ui.charts import Chart, Series, lines
from mailai.ui.numbers import count, day, lift

# Fewer clicks than this have no typical time.
MIN_CLICKS_FOR_HALF = 20
HOUR = 60


def over_time(report: Report, csv_url: str) -> Chart:
    """Return opens and clicks since sending began."""
    series = report.series
    hours = [round(float(start), 3) for start in series.starts]
    minutes = series.width_minutes < HOUR and hours[-1] < 3
    x = [round(hour * HOUR) for hour in hours] if minutes else hours
    opened, clicked = series.opens.tolist(), series.clicks.tolist()
    figure = lines(
        [Series(_("Opens"), x, opened, "c1", fill=True), Series(_("Clicks"), x, clicked, "c2")],
        x_title=_("minutes after sending began") if minutes else _("hours after sending began"),
    )
    _name_at_peaks(figure, x, [opened, clicked])
    return Chart(
        id="over-time",
        finding=_half(report.half_of_clicks_minutes, sum(clicked)),
        explanation=_bins(series.width_minutes),
        figure=figure,
        label=_("%(opens)s opens and %(clicks)s clicks since sending began")
        % {"opens": count(sum(opened)), "clicks": count(sum(clicked))},
        columns=[_("Minutes after") if minutes else _("Hours after"), _("Opens"), _("Clicks")],
        rows=[(f"{at:g}", count(n), count(k)) for at, n, k in zip(x, opened, clicked, strict=True)],
        csv_url=csv_url,
    )


def _name_at_peaks(figure: dict[str, Any], x: list[Any], values: list[list[int]]) -> None:
    """Write the names at the highest points: at their ends both lines lie on zero."""
    for note, heights in zip(figure["layout"].get("annotations", []), values, strict=False):
        peak = heights.index(max(heights))
        note.update(x=x[peak], y=heights[peak], xshift=10)
    figure["layout"]["margin"] = {"l": 8, "r": 16, "t": 14, "b": 8}


def _half(minutes: float | None, n_clicks: int) -> str:
    if minutes is None or n_clicks < MIN_CLICKS_FOR_HALF:
        return _("Opens and clicks over time")
    if minutes < 2 * HOUR:
        n = max(round(minutes), 1)
        return ngettext(
            "Half of all clicks came within %(count)s minute", "Half of all clicks came within %(count)s minutes", n
        ) % {"count": n}
    hours = round(minutes / HOUR)
    return ngettext(
        "Half of all clicks came within %(count)s hour", "Half of all clicks came within %(count)s hours", hours
    ) % {"count": hours}


def _bins(width: int) -> str:
    if width < HOUR:
        return ngettext(
            "First opens and clicks per minute after sending began",
            "First opens and clicks per %(count)s minutes after sending began",
            width,
        ) % {"count": width}
    return ngettext(
        "First opens and clicks per hour after sending began",
        "First opens and clicks per %(count)s hours after sending began",
        width // HOUR,
    ) % {"count": width // HOUR}


def lift_by_week(weeks: list[Week], pooled: tuple[float, float, float] | None) -> Chart:
    """Return orders per 1,000 shoppers who were mailed and who were held back, week by week."""
    mondays = [week.monday.isoformat() for week in weeks]
    sides = ((_("Control"), "control", "control"), (_("Got email"), "c1", "treated"))
    figure = lines(
        [
            Series(
                name,
                mondays,
                [_thousand(getattr(week, side).value) for week in weeks],
                colour,
                low=[_thousand(getattr(week, side).low) for week in weeks],
                high=[_thousand(getattr(week, side).high) for week in weeks],
            )
            for name, colour, side in sides
        ],
        y_format=",.1f",
        dates=True,
    )
    figure["layout"]["yaxis"]["tickformat"] = ",~r"
    _keep_names_apart(figure)
    return Chart(
        id="lift-by-week",
        finding=_lift_finding(pooled),
        explanation=_lift_explanation(pooled),
        figure=figure,
        label=_("Orders per 1,000 shoppers by week of the campaign, got email against control group"),
        columns=[_("Week from"), _("Got email"), _("95% range"), _("Control group"), _("95% range")],
        rows=[
            (
                day(week.monday),
                f"{_thousand(week.treated.value):.1f}",
                _thousand_range(week.treated.low, week.treated.high),
                f"{_thousand(week.control.value):.1f}",
                _thousand_range(week.control.low, week.control.high),
            )
            for week in weeks
        ],
        height=260,
    )


def _keep_names_apart(figure: dict[str, Any]) -> None:
    """Push the names at the ends of two lines away from each other, which may end at the same height."""
    lower, upper = sorted(figure["layout"]["annotations"], key=lambda note: float(note["y"]))
    lower["yshift"], upper["yshift"] = -7, 7


def _thousand(share: float | None) -> float:
    return round((share or 0.0) * 1000, 2)


def _thousand_range(low: float | None, high: float | None) -> str:
    return f"{_thousand(low):.1f}–{_thousand(high):.1f}"


def _lift_finding(pooled: tuple[float, float, float] | None) -> str:
    if pooled is None or pooled[1] <= 0 <= pooled[2]:
        return _("Orders of shoppers who get your email, and of those held back")
    more = pooled[0] > 0
    text = (
        _("Shoppers who get your email order %(share)s more")
        if more
        else _("Shoppers who get your email order %(share)s less")
    )
    return text % {"share": percent_whole(abs(pooled[0]))}


def _lift_explanation(pooled: tuple[float, float, float] | None) -> str:
    about = _("Per 1,000 shoppers of the campaigns of each week, within the days that count.")
    if pooled is None:
        return about
    words = {"low": lift(pooled[1]), "high": lift(pooled[2])}
    if pooled[1] <= 0 <= pooled[2]:
        return f"{about} {_('No clear difference yet: the true lift is between %(low)s and %(high)s.') % words}"
    return f"{about} {_('True lift is between %(low)s and %(high)s.') % words}"


def orders_by_week(weeks: list[tuple[date, int]]) -> Chart:
    """Return the shop's orders per week, shown until campaigns can be compared."""
    counts = [n for _monday, n in weeks]
    return Chart(
        id="orders-by-week",
        finding=_("Orders per week"),
        explanation=_("All orders of the shop. Once campaigns ran with a control group, what they added stands here."),
        figure=lines(
            [Series(_("Orders"), [monday.isoformat() for monday, _n in weeks], counts, "c1", fill=True)], dates=True
        ),
        label=_("Orders per week, from %(first)s to %(last)s in the newest week")
        % {"first": count(counts[0]), "last": count(counts[-1])},
        columns=[_("Week from"), _("Orders")],
        rows=[(day(monday), count(n)) for monday, n in weeks],
        height=260,
    )
