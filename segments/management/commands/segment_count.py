"""Counts a segment and who of it can be mailed."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from segments import queries, rule_files


class Command(JsonCommand):
    help = "Count the shoppers of a segment or of a rule, and per reason why some can't be mailed."

    def add_options(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--rule", help="file with a rule as JSON (docs/segments.md)")
        which.add_argument("--segment", help="name of a segment")

    def run(self, *, rule: str | None, segment: str | None, **options: Any) -> dict[str, Any]:
        tree = rule_files.read(rule) if rule else queries.segment_named(segment or "").rule
        found = queries.reach(tree)
        return {
            "count": found.count, "mailable": found.mailable, "excluded": found.excluded, "seconds": found.seconds,
        }  # fmt: skip
