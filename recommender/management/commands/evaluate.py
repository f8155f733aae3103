"""manage.py evaluate: the leaderboard on a behaviour file, database untouched."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand
from recommender import offline


class Command(JsonCommand):
    help = "Score every algorithm on the last part of a behaviour CSV; the database is not touched."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("events", help="behaviour CSV, also .gz")
        parser.add_argument("--items", help="product CSV; for algorithms that read names and categories")
        parser.add_argument("--test-share", type=float, default=0.2)
        parser.add_argument("--k", type=int, default=10)
        parser.add_argument("--repeats", choices=("keep", "drop"), default="keep")
        parser.add_argument("--seed", type=int, default=0)

    def run(self, **options: Any) -> dict[str, Any]:
        return offline.evaluate(
            options["events"],
            options["items"],
            test_share=options["test_share"],
            k=options["k"],
            repeats=options["repeats"] == "keep",
            seed=options["seed"],
        )
