"""Load the demo shop's data."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from behaviour.demo import load_demo_shop
from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Load the demo shop: a real year of orders with invented people. Run twice, nothing doubles."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, help="only the last N orders (default: the whole year)")

    def run(self, *, orders: int | None, **options: Any) -> dict[str, Any]:
        return asdict(load_demo_shop(n_orders=orders, say=self.say))
