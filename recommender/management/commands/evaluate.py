"""manage.py evaluate: the leaderboard on a behaviour file, database untouched."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand, seed
from recommender import offline

COLUMNS = ("ndcg", "ndcg_low", "ndcg_high", "ndcg_other", "precision", "recall", "coverage", "fit_s", "recommend_s")


class Command(JsonCommand):
    help = "Score every algorithm on the last part of a behaviour CSV; the database is not touched."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("events", help="behaviour CSV, also .gz")
        parser.add_argument("--items", help="product CSV; for algorithms that read names and categories")
        parser.add_argument("--test-share", type=float, default=0.2, help="share of the time that is held back")
        parser.add_argument("--k", type=int, default=10, help="length of the lists")
        parser.add_argument(
            "--repeats", choices=("keep", "drop"), default="keep", help="may products bought before be recommended?"
        )
        parser.add_argument("--seed", type=seed, default=0)
        parser.add_argument("--rolls", type=int, default=1, help="test windows that follow each other")

    def run(self, **options: Any) -> dict[str, Any]:
        chosen = offline.Options(
            test_share=options["test_share"],
            k=options["k"],
            repeats=options["repeats"] == "keep",
            seed=options["seed"],
            rolls=options["rolls"],
        )
        return offline.evaluate(options["events"], options["items"], chosen, tell=self.say)

    def show(self, answer: dict[str, Any]) -> None:
        """Print the leaderboard as a table, and who is served worse."""
        if "error" in answer:
            super().show(answer)
            return
        split, tested, shoppers = answer["split_at"] or "-", answer["test_shoppers"], answer["shoppers"]
        self.stdout.write(f"split {split}, {tested} of {shoppers} shoppers tested, repeats {answer['repeats']}\n")
        self.stdout.write(f"{'':18}" + "".join(f"{name:>12}" for name in COLUMNS))
        for row in answer["algorithms"]:
            cells = row.get("error") or "".join(f"{row[name]:12.4f}" for name in COLUMNS)
            self.stdout.write(f"{row['name']:18}{cells}")
        for row in answer["groups"]["rows"] if "groups" in answer else []:
            if row["worse"]:
                self.stdout.write(f"worse: {row['by']} {row['group']}, {row['ndcg']:.4f} ({row['difference']:+.4f})")
