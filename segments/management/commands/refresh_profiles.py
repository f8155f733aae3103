"""Brings shopper profiles up to date."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from segments import profiles


class Command(JsonCommand):
    help = "Rebuild the profiles of shoppers with new events, or of everybody."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", dest="everybody", help="read everybody anew")

    def run(self, *, everybody: bool, **options: Any) -> dict[str, Any]:
        done = profiles.refresh_profiles(everybody=everybody)
        return {"shoppers": done.shoppers, "seconds": done.seconds}
