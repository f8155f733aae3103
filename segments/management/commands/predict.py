"""Predicts what shoppers will do."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand, seed
from segments import predictions


class Command(JsonCommand):
    help = "Try the models on the last months, then predict orders, spending and leaving of every shopper."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=seed, default=0, help="draws the samples of large shops")

    def run(self, **options: Any) -> dict[str, Any]:
        run = predictions.predict(seed=options["seed"])
        return {
            "run": str(run.uuid),
            "shoppers": run.n_shoppers,
            "orders": run.n_orders,
            "chosen": run.chosen,
            "coverage": run.metrics.get("coverage", {}),
            "seconds": run.seconds,
        }
