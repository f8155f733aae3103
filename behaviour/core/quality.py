"""What the rows of a file are like: what is missing, which days have none, what machines did, how views become orders.

Counts are kept per day and per field, so that memory does not grow with the file.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import polars as pl

MOST_DAYS = 800
# Fields that a page about missing values shows, by column of the clean frame.
ASKED = {
    "item_id": "item_id", "order_id": "order_id", "each": "price", "country": "country", "name": "name",
    "category": "category", "stock": "stock", "url": "url", "image": "image", "email": "email",
    "first_name": "first_name", "last_name": "last_name", "consent": "consent", "locale": "locale",
}  # fmt: skip
# Only rows of these kinds have it.
SOLD_ONLY = ("each", "order_id", "country", "name")
# How far from its usual a share may be that is small itself.
LEEWAY = 0.02


class Tally:
    """Counts over one clean frame after another."""

    def __init__(self) -> None:
        self._missing: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._days: Counter[date] = Counter()
        self._kinds: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._findings: Counter[str] = Counter()
        self._n: Counter[str] = Counter()

    def add(
        self,
        frame: pl.DataFrame,
        reasons: Counter[str],
        findings: Counter[str],
        *,
        repeated: int,
        fields: Collection[str],
    ) -> None:
        """Count the rows of a block: the clean ones, why others were refused, what was found, what was repeated.

        ``fields`` are those of which the file has a column; of the others nothing can be missing.
        """
        self._n.update(
            rows=len(frame) + repeated + reasons.total(), clean=len(frame), repeated=repeated, refused=reasons.total()
        )
        self._reasons += reasons
        self._findings += findings
        sold = pl.col("kind").is_in(["purchase", "refund"]) if "kind" in frame.columns else pl.lit(value=True)
        for column, name in ASKED.items():
            if column not in frame.columns or name not in fields:
                continue
            rows = frame.filter(sold) if column in SOLD_ONLY and "kind" in frame.columns else frame
            empty = rows[column].is_null()
            empty = empty | (rows[column] == "") if rows[column].dtype == pl.String else empty
            self._asked[name] += len(rows)
            self._missing[name] += int(empty.sum())
        if "kind" in frame.columns and len(frame):
            self._kinds.update(dict(frame.group_by("kind").len().rows()))
            days = frame.select(day=pl.col("at").dt.date()).group_by("day").len()
            self._days.update(dict(days.rows()))

    def refuse(self, reasons: Counter[str]) -> None:
        """Count rows as refused that were added as clean ones; of days and missing values they stay a part."""
        self._n.update(clean=-reasons.total(), refused=reasons.total())
        self._reasons += reasons

    def report(self) -> dict[str, Any]:
        """Return the counts as JSON values of bounded size."""
        n = self._n
        share = (lambda part: round(part / n["rows"], 4)) if n["rows"] else (lambda _part: 0.0)
        return {
            "rows": n["rows"], "clean": n["clean"],
            "missing": {name: round(self._missing[name] / of, 4) for name, of in self._asked.items() if of},
            "kinds": dict(self._kinds),
            **_by_day(self._days),
            "shares": {
                "refused": share(n["refused"]), "repeated": share(n["repeated"]),
                "machines": share(self._reasons["robot"]),
                "outliers": share(sum(self._findings[code] for code in ("price_outlier", "quantity_outlier"))),
            },
            "reasons": dict(self._reasons.most_common(20)),
            "rates": _rates(self._kinds),
        }  # fmt: skip


def _by_day(counted: Mapping[date, int]) -> dict[str, Any]:
    if not counted:
        return {"days": [], "period": [], "gaps": 0, "first_gaps": []}
    first, last = min(counted), max(counted)
    length = (last - first).days + 1
    kept = sorted(counted)[-MOST_DAYS:]
    return {
        "days": [[day.isoformat(), counted[day]] for day in kept],
        "period": [first.isoformat(), last.isoformat()],
        "per_day": round(sum(counted.values()) / length, 1),
        "gaps": length - len(counted),
        "first_gaps": [day.isoformat() for day in _between(counted)],
    }


def _between(counted: Mapping[date, int]) -> list[date]:
    """Return the first days without a row, at most ten, each between days that have some."""
    days = sorted(counted)
    found: list[date] = []
    for before, after in pairwise(days):
        day = before + timedelta(days=1)
        while day < after and len(found) < 10:
            found.append(day)
            day += timedelta(days=1)
    return found


def _rates(kinds: Mapping[str, int]) -> dict[str, float]:
    bought = kinds.get("purchase", 0)
    rates = {}
    for name, n in (("cart_to_order", kinds.get("cart", 0)), ("view_to_order", kinds.get("view", 0))):
        if n:
            rates[name] = round(bought / n, 4)
    return rates


# So many earlier files say what is usual.
FEW = 3
# What is compared with earlier files: name -> where it stands in a report.
COMPARED = ("per_day", "refused", "repeated", "machines", "outliers", "gaps", "cart_to_order", "view_to_order")


def measures(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a report that can be compared with those of other files."""
    found = {**report.get("shares", {}), **report.get("rates", {})}
    if report.get("days"):
        found |= {"per_day": report["per_day"], "gaps": report["gaps"]}
    return {name: float(found[name]) for name in COMPARED if name in found}


def compared(report: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare a report with the usual: median and range of earlier ones.

    A number is unusual when it lies outside the range of the earlier ones, widened by half of it and by what chance
    brings to small shares. With fewer than ``FEW`` earlier files nothing is called usual or unusual.
    """
    rows = []
    for name, value in measures(report).items():
        known = [found[name] for one in earlier if name in (found := measures(one))]
        row: dict[str, Any] = {"name": name, "value": value, "n": len(known), "usual": None, "odd": False}
        if known:
            low, high, middle = min(known), max(known), median(known)
            wider = 0.5 * (high - low) + (LEEWAY if name in ("refused", "repeated", "machines", "outliers") else 0)
            wider = max(wider, 0.25 * middle)
            odd = len(known) >= FEW and not low - wider <= value <= high + wider
            change = (value - middle) / middle if middle else None
            row |= {"usual": middle, "low": low, "high": high, "change": change, "odd": odd}
        rows.append(row)
    return rows
