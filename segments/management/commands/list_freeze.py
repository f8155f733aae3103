"""Makes a list of who is in a segment now."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from segments import lists, queries


class Command(JsonCommand):
    help = "Make a list of who is in a segment now; it stays as it is."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", required=True, help="name of the segment")
        parser.add_argument("--name", default="", help="name of the list; else that of the segment, and the day")

    def run(self, *, segment: str, name: str, **options: Any) -> dict[str, Any]:
        made = lists.freeze(queries.segment_named(segment), name=name)
        return {"list": str(made.uuid), "name": made.name, "shoppers": made.n_members}
