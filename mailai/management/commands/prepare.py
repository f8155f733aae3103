"""What `make run` does between installing and starting."""

from typing import Any

from django.core.management import call_command

from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Bring the database's tables up to date."

    def run(self, **options: Any) -> dict[str, Any]:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        return {"migrated": True}
