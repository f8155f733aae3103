"""Makes the four starter segments."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from segments import services


class Command(JsonCommand):
    help = "Make the four starter segments; those that exist stay as they are."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="they belong to the demo shop and go with it")

    def run(self, *, demo: bool, **options: Any) -> dict[str, Any]:
        return {"segments": [segment.name for segment in services.make_starter_segments(demo)]}
