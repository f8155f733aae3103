"""Who is in a segment or on a list, as CSV: by pseudonym and nothing else, in constant memory."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from behaviour.models import Shopper
from mailai.errors import InputError
from mailai.ui.exports import CHUNK, csv_parts

COLUMNS = ("pseudonym",)


def parts(shoppers: "QuerySet[Shopper]") -> Iterator[str]:
    """Yield the lines of the file, with its header."""
    rows = shoppers.order_by("pk").values_list(*COLUMNS).iterator(chunk_size=CHUNK)
    return csv_parts(chain([COLUMNS], rows))


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
