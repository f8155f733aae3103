"""Load the demo shop and all that makes it live."""

from typing import Any

from django.core.management.base import CommandParser

from analytics import demo_setup
from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Load the demo shop with segments, profiles, a trained model and the demo inbox. Run twice, nothing doubles."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="only into a shop without real data")

    def run(self, *, if_empty: bool, **options: Any) -> dict[str, Any]:
        if if_empty and not demo_setup.wanted():
            return {"loaded": False}
        return {"loaded": True, **demo_setup.set_up_demo_shop(say=self.say)}
