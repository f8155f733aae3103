"""Writes who is in a segment, by pseudonym."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.accounts import audit
from mailai.commands import JsonCommand
from segments import exporting, queries, rules


class Command(JsonCommand):
    help = "Write the pseudonyms of a segment, one a row."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", required=True, help="name of the segment")
        parser.add_argument("--out", required=True, help="CSV file to write")

    def run(self, *, segment: str, out: str, **options: Any) -> dict[str, Any]:
        found = queries.segment_named(segment)
        n = exporting.write(rules.matching(found.rule), out)
        audit.record("segment.export", found, shoppers=n)
        return {"segment": found.name, "shoppers": n, "out": out}
