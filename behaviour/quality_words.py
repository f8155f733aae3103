"""What people read about the quality of a file: each number in words, and beside the usual."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from behaviour.core.quality import FEW
from mailai.ui.numbers import count, percent

NAMES = {
    "per_day": gettext_lazy("Rows per day"),
    "refused": gettext_lazy("Refused rows"),
    "repeated": gettext_lazy("Repeated rows"),
    "machines": gettext_lazy("Rows of machines"),
    "outliers": gettext_lazy("Outliers"),
    "gaps": gettext_lazy("Days without a row"),
    "cart_to_order": gettext_lazy("Orders per product put in a cart"),
    "view_to_order": gettext_lazy("Orders per view"),
}
COUNTED = ("per_day", "gaps")
# What to do where a number is unusual.
ADVICE = {
    "per_day": gettext_lazy("Look whether the export is complete."),
    "gaps": gettext_lazy("Look whether the export is complete."),
    "refused": gettext_lazy("Look at the reasons below the refused rows."),
    "repeated": gettext_lazy("Look whether the export holds a time twice."),
    "machines": gettext_lazy("Look who visits the shop; their views are left out."),
    "outliers": gettext_lazy("Look whether prices are in the right currency and unit."),
    "cart_to_order": gettext_lazy("Look whether carts and orders are both exported."),
    "view_to_order": gettext_lazy("Look whether views and orders are both exported."),
}
# What the check page speaks of even when nothing is odd.
SPOKEN = ("per_day", "cart_to_order")


def shown(name: str, value: float | None) -> str:
    """Return a number of the report as people read it."""
    if value is None:
        return "–"
    return count(round(value)) if name in COUNTED else percent(value)


def sentence(row: Mapping[str, Any]) -> str:
    """Return what a comparison says."""
    name, value = row["name"], row["value"]
    words = {
        "name": NAMES[name], "value": shown(name, value), "usual": shown(name, row["usual"]),
        "low": shown(name, row.get("low")), "high": shown(name, row.get("high")),
    }  # fmt: skip
    if row["usual"] is None:
        return _("%(name)s: %(value)s. There is no earlier file like this to compare with.") % words
    if row["odd"]:
        said = _("%(name)s: %(value)s, usual are %(low)s to %(high)s.") % words
        return f"{said} {ADVICE[name]}"
    if name == "per_day" and row["change"] is not None and row["n"] >= FEW:
        return _("Rows per day are within the usual range (%(change)s).") % {
            "change": f"{'+' if row['change'] >= 0 else '−'}{percent(abs(row['change']))}"
        }
    return _("%(name)s: %(value)s, usual is %(usual)s.") % words


def normal(report: Mapping[str, Any], compared: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sentences that say whether a file looks normal: is it odd, does nothing stand beside it."""
    rows = [
        {"text": sentence(row), "odd": row["odd"], "alone": row["usual"] is None}
        for row in compared
        if row["odd"] or row["name"] in SPOKEN
    ]
    if report.get("gaps") and not any(row["name"] == "gaps" and row["odd"] for row in compared):
        n = report["gaps"]
        text = ngettext(
            "%(count)s day between the first and the last has no row.",
            "%(count)s days between the first and the last have no row.", n,
        )  # fmt: skip
        rows.append({"text": text % {"count": count(n)}, "odd": True})
    return rows
