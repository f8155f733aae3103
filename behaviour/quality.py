"""The quality of each upload and of all of them over time: collected while rows are read, compared with the usual."""

from collections import Counter
from typing import Any

import polars as pl
from django.db.models import QuerySet

from behaviour.core.cleaning import Cleaned
from behaviour.core.columns import ONLINE_RETAIL, Match
from behaviour.core.quality import Tally, compared
from behaviour.models import Product, Upload

BATCH = 5000
# Earlier files that say what is usual; files that a page over time shows.
MOST_EARLIER, MOST_SHOWN = 20, 60
MOST_PRODUCTS = 200_000


class Collector:
    """Collects over the blocks of one upload; a run that goes on later reads them all again, and so does this."""

    def __init__(self, upload: Upload) -> None:
        self._tally = Tally()
        self._upload = upload
        self._items: list[pl.Series] = []

    def add(self, cleaned: Cleaned, match: Match) -> None:
        """Count one block; ``match`` says which fields the file has."""
        reasons = Counter(code for _row, code in cleaned.refused)
        findings = cleaned.findings if self._upload.layout != ONLINE_RETAIL else Counter[str]()
        fields = set(match.columns)
        self._tally.add(cleaned.frame, reasons, findings, repeated=cleaned.repeated, fields=fields)
        if "kind" in cleaned.frame.columns:
            self._items.append(cleaned.frame["item_id"].unique())
            if len(self._items) > 50:
                self._items = [pl.concat(self._items).unique().head(MOST_PRODUCTS)]

    def refuse(self, reasons: Counter[str]) -> None:
        """Count rows as refused that were clean by themselves, but not beside what the shop knows."""
        self._tally.refuse(+reasons)

    def finish(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        report = self._tally.report()
        if self._items:
            items = [item for item in pl.concat(self._items).unique().sort().to_list() if item]
            known = _in_catalogue(items)
            report |= {"products": len(items), "unknown_products": len(items) - known}
        return report


def _in_catalogue(items: list[str]) -> int:
    """Count the products that a file of products described; those that only events named are not in the catalogue."""
    return sum(
        Product.objects.filter(sku__in=items[start : start + BATCH], in_catalogue=True).count()
        for start in range(0, len(items), BATCH)
    )


def reported() -> "QuerySet[Upload]":
    """Return the imported uploads that have a report, newest first."""
    return Upload.objects.filter(state=Upload.State.DONE, demo=False).exclude(quality={}).order_by("-id")


def earlier(upload: Upload) -> list[dict[str, Any]]:
    """Return the reports of earlier files of the same kind and layout."""
    same = reported().filter(kind=upload.kind, layout=upload.layout, pk__lt=upload.pk)
    return list(same.values_list("quality", flat=True)[:MOST_EARLIER])


def report_of(upload: Upload) -> dict[str, Any]:
    """Return what the import found, or the check where it was not imported yet."""
    return upload.quality or upload.preview.get("quality", {})


def comparison(upload: Upload) -> list[dict[str, Any]]:
    """Return each number of the report beside the usual."""
    report = report_of(upload)
    return compared(report, earlier(upload)) if report else []
