"""The large shop of the benchmarks: made once, and used again by each of them with --keep.

As a program it makes the shop in the database at hand: `python -m bench.shop SIZES`, the sizes as JSON.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection

from behaviour.demo import synthetic
from behaviour.models import Shopper
from bench.imports import Place, ended, places

SIZES = {
    "postgresql": {"shoppers": 1_000_000, "products": 50_000, "events": 20_000_000, "opens": 5_000_000},
    "sqlite": {"shoppers": 200_000, "products": 50_000, "events": 4_000_000, "opens": 1_000_000},
}


class ShopPlace(Place):
    """A database of its own with a made shop."""

    sizes: dict[str, int]
    # Where shops that were made are kept; on PostgreSQL they are databases that begin with `mailai_shop_`.
    keep: Path | None = None

    def launch(self, module: str, way: str, options: dict[str, Any]) -> "subprocess.Popen[str]":
        """Begin one way of a module in a process of its own."""
        command = [sys.executable, "-m", module, way, json.dumps(options)]
        return subprocess.Popen(command, env=self.environment, text=True, stdout=subprocess.PIPE)

    def run(self, module: str, way: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go one way of a module and return what came out."""
        return ended(self.launch(module, way, options or {}))

    def make(self) -> dict[str, Any]:
        """Make the shop, or copy the one that was kept; return its sizes and how long it took."""
        name = "_".join(["mailai_shop", *map(str, self.sizes.values())])
        used_again = self.keep is not None and self._copy_kept(name)
        if self.server and not used_again:
            self._sql(f"CREATE DATABASE {self.name}")
        # A kept one may be older than the newest migration.
        found = self.run("bench.shop", "make", self.sizes)
        if self.keep is not None and not used_again:
            self._keep(name)
        return self.sizes | found

    def _copy_kept(self, name: str) -> bool:
        if self.server:
            there = self._sql(f"SELECT FROM pg_database WHERE datname = '{name}'") == 1
            if there:
                self._copy_database(name, self.name)
            return there
        file = self._kept_file(name)
        if file.exists():
            shutil.copy(file, self.folder / "bench.sqlite3")
        return file.exists()

    def _keep(self, name: str) -> None:
        if self.server:
            self._copy_database(self.name, name)
            return
        file = self._kept_file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.folder / "bench.sqlite3", file)

    def _kept_file(self, name: str) -> Path:
        assert self.keep is not None
        return self.keep / f"{name}.sqlite3"

    def _copy_database(self, one: str, other: str) -> None:
        """Copy by files, which takes a third of the time of copying through the log."""
        with psycopg.connect(self.server, autocommit=True) as server:
            by_files = " STRATEGY file_copy" if server.info.server_version >= 150_000 else ""
        self._sql(f"CREATE DATABASE {other} TEMPLATE {one}{by_files}")


def add_options(options: argparse.ArgumentParser, *also: str) -> None:
    """Add what all benchmarks with a large shop can be told; ``also`` are further answers to --only."""
    for name in SIZES["sqlite"]:
        options.add_argument(f"--{name}", type=int, default=0, help="0: the size of this kind of database")
    options.add_argument("--only", choices=["", *SIZES, *also], default="")
    options.add_argument("--keep", type=Path, help="a folder: the made shop stays there and is used again")


@contextmanager
def shop_places(given: argparse.Namespace) -> Iterator[list[ShopPlace]]:
    """Yield the databases to try, each told how large its shop shall be."""
    with places(given.only, ShopPlace) as found:
        for place in found:
            place.keep = given.keep
            place.sizes = {name: getattr(given, name) or size for name, size in SIZES[place.vendor].items()}
        yield found


def finished(result: dict[str, Any], wrong: list[str]) -> int:
    """Print what is beyond its limit and the JSON line; 1 when there is such a thing."""
    for one in wrong:
        print(f"OVER: {one}")
    print(json.dumps(result | {"over": wrong}))
    return int(bool(wrong))


def make(sizes: dict[str, int]) -> dict[str, Any]:
    """Make the tables, and the shop where there is none yet."""
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    started = time.perf_counter()
    if not Shopper.objects.exists():
        synthetic.make_shop(**sizes)
        with connection.cursor() as cursor:
            # What a server does by itself after a while.
            cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return {"seconds": time.perf_counter() - started}


def main() -> None:
    """Make the shop and print how long it took as the last line: make SIZES."""
    _way, sizes = sys.argv[1:]
    print(json.dumps(make(json.loads(sizes))), flush=True)


if __name__ == "__main__":
    main()
