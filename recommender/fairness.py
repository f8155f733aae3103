"""Whom the live model serves worse, and whether popular products crowd out the others, in words."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailai.ui import numbers
from recommender.models import TrainingRun

KINDS = {
    "orders": gettext_lazy("By orders so far"),
    "country": gettext_lazy("By country"),
    "price": gettext_lazy("By the mean price of what they bought"),
}
PARTS = {
    "head": gettext_lazy("Most popular tenth"),
    "middle": gettext_lazy("Next four tenths"),
    "tail": gettext_lazy("Rarer half"),
}


@dataclass(frozen=True)
class GroupRow:
    """A group of shoppers: its name, the heading above it if it is the first of its kind, and its figures."""

    heading: str
    name: str
    figures: dict[str, Any]

    @property
    def sentence(self) -> str:
        """The interval bar in words."""
        names = ("difference", "difference_low", "difference_high")
        value, low, high = (f"{self.figures[name]:+.3f}" for name in names)
        text = _("%(value)s against all shoppers, between %(low)s and %(high)s")
        return text % {"value": value, "low": low, "high": high}


def group_rows(run: TrainingRun) -> list[GroupRow]:
    """Return how each group of shoppers is served by a model, in the order of the training."""
    rows: list[GroupRow] = []
    kind = ""
    for group in run.metrics.get("groups", []):
        heading = "" if group["by"] == kind else str(KINDS.get(group["by"], group["by"]))
        kind = group["by"]
        rows.append(GroupRow(heading, group_name(group), group))
    return rows


def group_name(group: dict[str, Any]) -> str:
    """Name a group of shoppers."""
    if group["by"] == "orders":
        texts = {
            "new": _("New: one day with an order"),
            "light": _("Light: %(least)s to %(most)s days with orders"),
            "heavy": _("Heavy: %(least)s to %(most)s days with orders"),
        }
        return texts[group["group"]] % {end: f"{group[end] or 0:.0f}" for end in ("least", "most")}
    if group["by"] == "price":
        ends = {end: f"{group[end] or 0:.2f}" for end in ("least", "most")}
        return _("Mean price %(least)s to %(most)s") % ends
    return _("Other countries") if group["group"] == "other" else str(group["group"])


def group_finding(rows: list[GroupRow]) -> str:
    """Say in a title who is served worse."""
    worse = [row for row in rows if row.figures["worse"]]
    if not worse:
        return _("No group of shoppers gets worse picks for sure")
    worst = min(worse, key=lambda row: row.figures["difference"])
    return _("Worse picks than the whole: %(group)s") % {"group": worst.name}


def axis(rows: list[GroupRow]) -> dict[str, float]:
    """Return one axis for all bars, zero in its middle."""
    ends = [abs(row.figures[end]) for row in rows for end in ("difference_low", "difference_high")]
    room = max(ends, default=0.0) * 1.1 or 0.01
    return {"low": -room, "high": room}


def bias_rows(run: TrainingRun) -> list[dict[str, Any]]:
    """Return how often popular and rare products are shown, beside how often they are ordered."""
    return [row | {"label": PARTS.get(row["part"], row["part"])} for row in run.metrics.get("bias", [])]


def bias_finding(rows: list[dict[str, Any]]) -> str:
    """Say in a title how much of the lists the popular ones take."""
    head = next(row for row in rows if row["part"] == "head")
    text = _("The most popular tenth takes %(shown)s of the places, and has %(bought)s of the orders")
    return text % {"shown": numbers.percent(head["exposure"]), "bought": numbers.percent(head["purchases_after"])}
