"""Removes a segment that nothing uses."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from segments import queries, services


class Command(JsonCommand):
    help = "Remove a segment; refused while a campaign or the rule of another segment uses it."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the segment")

    def run(self, *, name: str, **options: Any) -> dict[str, Any]:
        services.delete_segment(queries.segment_named(name), by=None)
        return {"deleted": name}
