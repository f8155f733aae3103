"""manage.py recommend: lists for the shoppers of a file, learnt from a history file, database untouched."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand, seed
from recommender import lists


class Command(JsonCommand):
    help = "Learn from a behaviour CSV and write the best products for each shopper of another file."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--history", required=True, help="behaviour CSV, also .gz")
        parser.add_argument("--items", help="product CSV; for algorithms that read names, categories and prices")
        parser.add_argument("--users", required=True, help="CSV with a column user_id: who gets a list")
        parser.add_argument("--k", type=int, default=10, help="products a shopper")
        parser.add_argument("--out", required=True, help="writes user_id,item_id,rank,score; .gz packs it")
        parser.add_argument("--algorithm", default=lists.AUTO, help="auto (default) or a name of docs/recommender.md")
        parser.add_argument("--repeats", choices=("keep", "drop"), default="keep", help="may bought products return?")
        parser.add_argument("--budget", type=float, default=300.0, help="seconds for auto")
        parser.add_argument("--seed", type=seed, default=0)

    def run(self, **options: Any) -> dict[str, Any]:
        wanted = lists.Options(
            k=options["k"],
            algorithm=options["algorithm"],
            repeats=options["repeats"] == "keep",
            budget=options["budget"],
            seed=options["seed"],
        )
        return lists.recommend(
            options["history"], options["users"], options["out"], wanted, items=options["items"], say=self.say
        )
