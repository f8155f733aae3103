"""Writes who is on a list, by pseudonym."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.accounts import audit
from mailai.commands import JsonCommand
from segments import exporting, list_queries


class Command(JsonCommand):
    help = "Write the pseudonyms of a list, one a row."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--list", required=True, help="name of the list", dest="name")
        parser.add_argument("--out", required=True, help="CSV file to write")

    def run(self, *, name: str, out: str, **options: Any) -> dict[str, Any]:
        found = list_queries.list_named(name)
        n = exporting.write(list_queries.shoppers(found), out)
        audit.record("list.export", found, shoppers=n)
        return {"list": found.name, "shoppers": n, "out": out}
