"""manage.py check_pictures [--all]"""

from typing import Any

from django.core.management.base import CommandParser

from behaviour.pictures import check_pictures
from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Looks at the pictures of products whose turn it is: is there a picture that an email can show?"

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="also pictures that were looked at this week")

    def run(self, *args: Any, **options: Any) -> dict[str, Any]:
        found = check_pictures(everything=options["all"])
        return {"checked": sum(found.values()), "states": found}
