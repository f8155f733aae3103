"""The charts of the quality pages, as cards whose titles say what the data show."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour.upload_words import FIELD_NAMES, REASONS
from mailai.ui.charts import Chart, Series, bars, lines, sideways
from mailai.ui.numbers import count, day, percent

MOST_BARS, LONGEST_LABEL = 8, 20
MOST_TICKS = 7
# Pixels: about the height of a drawing, and of a name at the end of a line.
DRAWN, NAME = 190, 15


def per_day(report: Mapping[str, Any]) -> Chart | None:
    """Return the rows of each day, days without any among them."""
    if len(report.get("days", ())) < 2:
        return None
    counted = {date.fromisoformat(text): n for text, n in report["days"]}
    first, last = min(counted), max(counted)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    rows = [(one, counted.get(one, 0)) for one in days][-len(counted) - 366 :]
    n_gaps = report["gaps"]
    gaps = ngettext(
        "%(count)s day between the first and the last has no row",
        "%(count)s days between the first and the last have no row", n_gaps,
    ) % {"count": count(n_gaps)}  # fmt: skip
    return Chart(
        id="rows-per-day",
        finding=gaps if n_gaps else _("Every day has rows"),
        explanation=_("Rows of the file that were right, by the day on which they happened (UTC)."),
        figure=lines(
            [Series(_("Rows"), [one.isoformat() for one, _n in rows], [n for _day, n in rows], "c1", fill=True)],
            dates=True,
        ),
        label=_("Rows per day from %(first)s to %(last)s") % {"first": day(first), "last": day(last)},
        columns=[_("Day"), _("Rows")],
        rows=[(day(one), count(n)) for one, n in rows],
    )


def missing(report: Mapping[str, Any]) -> Chart | None:
    """Return the share of rows in which a field is empty."""
    shares = sorted(report.get("missing", {}).items(), key=lambda pair: -pair[1])[:MOST_BARS]
    if not shares:
        return None
    names = [str(FIELD_NAMES[name]) for name, _share in shares]
    worst = {"name": names[0], "share": percent(shares[0][1])}
    return Chart(
        id="missing-values",
        finding=_("“%(name)s” is empty in %(share)s of its rows") % worst if shares[0][1] else _("No value is missing"),
        explanation=_(
            "Share of rows without a value; order number, price, name and country count where something was sold."
        ),
        figure=sideways(
            bars([Series(_("Missing"), _short(names), [share for _name, share in shares], "c1")], y_format=".0%")
        ),
        label=_("Missing values by field"),
        columns=[_("Field"), _("Missing")],
        rows=[(name, percent(share)) for name, (_code, share) in zip(names, shares, strict=True)],
    )


def refused(report: Mapping[str, Any]) -> Chart | None:
    """Return the refused rows by reason."""
    reasons = list(report.get("reasons", {}).items())[:MOST_BARS]
    if not reasons:
        return None
    names = [str(REASONS[code][0]) for code, _n in reasons]
    return Chart(
        id="refused-rows",
        finding=_("Most refused rows: %(reason)s") % {"reason": names[0]},
        explanation=_("Refused rows by reason."),
        figure=sideways(bars([Series(_("Rows"), _short(names), [n for _code, n in reasons], "c2")])),
        label=_("Refused rows by reason"),
        columns=[_("Reason"), _("Rows")],
        rows=[(name, count(n)) for name, (_code, n) in zip(names, reasons, strict=True)],
    )


def _short(names: Sequence[str]) -> list[str]:
    """Return names that fit beside a bar, each another one; the table has them whole."""
    cut = [name if len(name) <= LONGEST_LABEL else f"{name[:LONGEST_LABEL].rstrip()}…" for name in names]
    return [name if cut.index(name) == at else f"{name} {at + 1}" for at, name in enumerate(cut)]


def shares_over_time(listed: Sequence[tuple[str, Mapping[str, Any]]]) -> Chart | None:
    """Return refused, repeated and machine rows of each upload, oldest first: (when, report)."""
    if len(listed) < 2:
        return None
    x = list(range(1, len(listed) + 1))
    kinds = {"refused": _("Refused"), "repeated": _("Repeated"), "machines": _("Machines")}
    values = {code: [report["shares"][code] for _at, report in listed] for code in kinds}
    last = values["refused"][-1]
    highest = max(max(shares) for shares in values.values())
    figure = lines(
        [
            Series(label, x, values[code], colour)
            for (code, label), colour in zip(kinds.items(), ("c1", "c2", "control"), strict=True)
        ],
        y_format=".1%",
        x_title=_("upload, oldest first"),
    )
    return Chart(
        id="shares-over-time",
        finding=_("The newest file had %(share)s refused rows") % {"share": percent(last)},
        explanation=_("Share of the rows of each upload, the oldest first."),
        figure=_numbered(_apart(figure, [shares[-1] for shares in values.values()], highest), len(x)),
        label=_("Refused, repeated and machine rows of %(n)s uploads") % {"n": len(listed)},
        columns=[_("Upload"), *kinds.values()],
        rows=[(at, *(percent(report["shares"][code]) for code in kinds)) for at, report in listed],
    )


def _numbered(figure: dict[str, Any], n: int) -> dict[str, Any]:
    """Mark whole numbers only: there is nothing between the first upload and the second."""
    figure["layout"]["xaxis"] |= {"dtick": -(-n // MOST_TICKS), "tick0": 1, "tickformat": "d"}
    return figure


def _apart(figure: dict[str, Any], ends: Sequence[float], highest: float) -> dict[str, Any]:
    """Move the names of lines that end at one height above each other."""
    below = -float(NAME)
    for at in sorted(range(len(ends)), key=lambda at: ends[at]):
        height = DRAWN * ends[at] / highest if highest else 0.0
        below = max(height, below + NAME)
        figure["layout"]["annotations"][at]["yshift"] = round(below - height)
    return figure


def rows_over_time(listed: Sequence[tuple[str, Mapping[str, Any]]]) -> Chart | None:
    """Return how many rows each upload brought, oldest first."""
    if len(listed) < 2:
        return None
    x = [f"{n}" for n in range(1, len(listed) + 1)]
    rows = [report["clean"] for _at, report in listed]
    return Chart(
        id="rows-over-time",
        finding=_("The newest file brought %(n)s right rows") % {"n": count(rows[-1])},
        explanation=_("Rows of each upload that were right, the oldest first."),
        figure=_numbered(bars([Series(_("Rows"), x, rows, "c1")], x_title=_("upload, oldest first")), len(x)),
        label=_("Right rows of %(n)s uploads") % {"n": len(listed)},
        columns=[_("Upload"), _("Rows")],
        rows=[(at, count(n)) for (at, _report), n in zip(listed, rows, strict=True)],
    )
