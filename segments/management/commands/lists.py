"""Shows the lists of shoppers."""

from typing import Any

from mailai.commands import JsonCommand
from segments import list_pages, list_queries


class Command(JsonCommand):
    help = "Show the lists of shoppers: how many are on each now, where it came from, what uses it."

    def run(self, **options: Any) -> dict[str, Any]:
        rows = list_pages.rows(list(list_queries.listed()))
        return {
            "lists": [
                {
                    "list": str(row["list"].uuid), "name": row["list"].name, "state": row["list"].state,
                    "shoppers": row["size"], "unknown": row["list"].n_unknown, "source": row["source"],
                    "used_by": row["users"],
                }
                for row in rows
            ]
        }  # fmt: skip
