"""Files that people open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from mailai.chunks import chunks

# A spreadsheet runs a cell that begins like this as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Excel reads UTF-8 only with this mark at the beginning.
BOM = "\ufeff"
CHUNK = 10_000


def safe_cell(value: Any) -> Any:
    """Return the value; text that a spreadsheet would run gets a quote in front. Numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def csv_parts(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a CSV file, ten thousand at a time, every cell safe."""
    for some in chunks(rows, CHUNK):
        out = io.StringIO()
        csv.writer(out).writerows([safe_cell(cell) for cell in row] for row in some)
        yield out.getvalue()


def csv_answer(parts: Iterable[str | bytes], name: str) -> HttpResponse:
    """Return a CSV file as a stream, so that a million rows take no more memory than ten thousand."""
    response = StreamingHttpResponse(chain([BOM], parts), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{name[:100]}.csv") or "attachment"
    return response  # type: ignore[return-value]  # a stream, as every caller takes it
