"""What the quality pages show."""

from typing import Any

from django.utils.translation import gettext as _

from behaviour import quality, quality_charts
from behaviour.models import Upload
from behaviour.quality_words import NAMES, normal, sentence, shown
from mailai.ui.numbers import day


def upload_context(upload: Upload) -> dict[str, Any]:
    """Return the report of one upload: stories, numbers beside the usual, charts."""
    report = quality.report_of(upload)
    compared = quality.comparison(upload)
    charts = [quality_charts.per_day(report), quality_charts.missing(report), quality_charts.refused(report)]
    return {
        "upload": upload,
        "report": report,
        "normal": normal(report, compared),
        "numbers": [
            {
                "name": NAMES[row["name"]],
                "value": shown(row["name"], row["value"]),
                "usual": shown(row["name"], row["usual"]),
                "range": _usual_range(row),
                "odd": row["odd"],
                "text": sentence(row),
            }
            for row in compared
        ],
        "charts": [chart for chart in charts if chart],
    }


def _usual_range(row: dict[str, Any]) -> str:
    if row["usual"] is None:
        return ""
    return _("%(low)s to %(high)s") % {"low": shown(row["name"], row["low"]), "high": shown(row["name"], row["high"])}


def all_context() -> dict[str, Any]:
    """Return the uploads over time with their charts."""
    uploads = list(quality.reported()[: quality.MOST_SHOWN])
    listed = [(f"{day(one.created_at)} {one.filename[:40]}", one.quality) for one in reversed(uploads)]
    charts = [quality_charts.shares_over_time(listed), quality_charts.rows_over_time(listed)]
    rows = [
        {
            "upload": one,
            "refused": shown("refused", one.quality["shares"]["refused"]),
            "repeated": shown("repeated", one.quality["shares"]["repeated"]),
            "machines": shown("machines", one.quality["shares"]["machines"]),
            "gaps": one.quality.get("gaps", 0),
            "unknown": one.quality.get("unknown_products", 0),
        }
        for one in uploads
    ]
    return {"rows": rows, "charts": [chart for chart in charts if chart]}
