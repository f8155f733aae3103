"""Makes groups of shoppers who are alike."""

from typing import Any

from django.core.management.base import CommandParser

from mailai.commands import JsonCommand, seed
from segments import clustering


class Command(JsonCommand):
    help = "Make the groups of shoppers who are alike, and write who is in which."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=seed, default=0, help="draws the random starts")

    def run(self, **options: Any) -> dict[str, Any]:
        done = clustering.cluster_shoppers(seed=options["seed"])
        rows = done.clustering.clusters.order_by("number")
        return {
            "shoppers": done.clustering.n_shoppers,
            "groups": {one.number: one.size for one in rows},
            "stability": done.clustering.stability,
            "tried": done.clustering.tried,
            "changed": done.changed,
            "seconds": done.seconds,
        }
