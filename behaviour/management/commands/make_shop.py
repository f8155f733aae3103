"""Make a synthetic shop for benchmarks."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from behaviour.demo import synthetic
from mailai.commands import JsonCommand, seed


class Command(JsonCommand):
    help = "Make a synthetic shop for benchmarks; the same numbers and seed give the same rows."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--shoppers", type=int, required=True)
        parser.add_argument("--products", type=int, required=True)
        parser.add_argument("--events", type=int, required=True)
        parser.add_argument("--opens", type=int, default=0, help="opened mails, beside the events")
        parser.add_argument("--seed", type=seed, default=0)
        parser.add_argument("--add", action="store_true", help="also beside real shoppers")

    def run(self, **options: Any) -> dict[str, Any]:
        wanted = {name: options[name] for name in ("shoppers", "products", "events", "opens", "seed", "add")}
        return asdict(synthetic.make_shop(**wanted))
