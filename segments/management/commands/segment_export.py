"""Writes who is in a segment, by pseudonym."""

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from mailai.accounts import audit
from mailai.commands import JsonCommand
from mailai.errors import InputError
from segments import queries, rules


class Command(JsonCommand):
    help = "Write the pseudonyms of a segment, one a row."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", required=True, help="name of the segment")
        parser.add_argument("--out", required=True, help="CSV file to write")

    def run(self, *, segment: str, out: str, **options: Any) -> dict[str, Any]:
        found = queries.segment_named(segment)
        pseudonyms = rules.matching(found.rule).order_by("pk").values_list("pseudonym", flat=True)
        try:
            with Path(out).open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["pseudonym"])
                n = sum(1 for one in pseudonyms.iterator(chunk_size=10_000) if writer.writerow([one]))
        except OSError as error:
            raise InputError(
                _("The file %(path)s can't be written: %(why)s.") % {"path": out, "why": error.strerror}
            ) from error
        audit.record("segment.export", found, shoppers=n)
        return {"segment": found.name, "shoppers": n, "out": out}
