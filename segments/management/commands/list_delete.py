"""Removes a list that no rule names."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from segments import list_queries, lists


class Command(JsonCommand):
    help = "Remove a list; refused while the rule of a segment or a waiting campaign names it."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the list")

    def run(self, *, name: str, **options: Any) -> dict[str, Any]:
        found = list_queries.list_named(name)
        lists.delete(found, by=None)
        return {"deleted": name}
