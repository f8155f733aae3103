"""What `make run` does between installing and starting."""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandParser

from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Migrate, and load the demo shop into an empty database unless --demo=0."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", choices=["0", "1"], default="1")

    def run(self, *, demo: str, **options: Any) -> dict[str, Any]:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        # Asked by name: the foundation imports no app.
        empty = not apps.get_model("behaviour", "Shopper").objects.exists()
        return {"migrated": True, "empty": empty, "demo": demo == "1"}
