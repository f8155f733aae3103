"""Who is in a segment or on a list, as CSV: by pseudonym and nothing else, in constant memory."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from behaviour.models import Shopper
from mailai.errors import InputError
from mailai.ui.exports import safe_cell

COLUMNS = ("pseudonym",)
CHUNK = 10_000


def parts(shoppers: "QuerySet[Shopper]") -> Iterator[str]:
    """Yield the lines of the file, ten thousand at a time; a cell that a spreadsheet would run gets a quote."""
    rows = shoppers.order_by("pk").values_list(*COLUMNS).iterator(chunk_size=CHUNK)
    yield _lines([COLUMNS])
    while some := list(islice(rows, CHUNK)):
        yield _lines(some)


def _lines(rows: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def write(shoppers: "QuerySet[Shopper]", path: str) -> int:
    """Write the file and return how many shoppers it holds; InputError when it can't be written."""
    n = -1
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            for part in parts(shoppers):
                file.write(part)
                n += part.count("\n")
    except OSError as error:
        raise InputError(
            _("The file %(path)s can't be written: %(why)s.") % {"path": path, "why": error.strerror}
        ) from error
    return n


def answer(shoppers: "QuerySet[Shopper]", name: str) -> StreamingHttpResponse:
    """Return the file as a stream, so that a million shoppers take no more memory than ten thousand."""
    response = StreamingHttpResponse(parts(shoppers), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{name[:100]}.csv") or "attachment"
    return response
