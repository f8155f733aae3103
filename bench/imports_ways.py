"""The ways to load a file that the import benchmark compares, each in a process of its own."""

import csv
import json
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from behaviour import tables, uploads
from behaviour.importing import cleaned_ahead, import_upload
from behaviour.models import Event, Product, Shop, Shopper, Upload
from mailai.accounts.models import User

BATCH = 5000
COLUMNS = ("user_id", "item_id", "event", "timestamp", "quantity", "price")
PAUSE_SECONDS = 0.05
RAW_TABLE = f"CREATE {{unlogged}}TABLE bench_raw ({', '.join(f'{name} text' for name in COLUMNS)})"


def peak_mb() -> float:
    """Return the most memory this process held; what it inherited from its parent does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def prepare(path: Path, _rows: int) -> dict[str, Any]:
    """Make the tables and one admin."""
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    Shop.current()
    User.objects.create(email="bench@example.com", is_admin=True)
    return {}


def _received(path: Path) -> Upload:
    with path.open("rb") as file:
        return uploads.receive_upload(file, path.name)


def ours(path: Path, _rows: int) -> dict[str, Any]:
    """Import the file as `manage.py upload` does, from its arrival to its publication."""
    started = time.perf_counter()
    upload = import_upload(uploads.queue(_received(path)).pk)
    seconds = time.perf_counter() - started
    if upload.state != Upload.State.DONE:
        raise SystemExit(f"The import ended as {upload.state}: {upload.error}")
    counts = {name: getattr(upload, name) for name in ("rows_read", "loaded", "duplicates", "rejected")}
    return {"rows": upload.rows_read, "seconds": seconds, **counts}


def read(path: Path, _rows: int) -> dict[str, Any]:
    """Read and validate every row, as an import does; nothing is stored."""
    upload, n = _received(path), 0
    uploads.queue(upload)
    started = time.perf_counter()
    with tables.open_table(upload) as table:
        for cleaned in cleaned_ahead(table, tables.reading_of(upload), look=lambda _cleaned: None):
            n += len(cleaned.frame)
    return {"rows": n, "seconds": time.perf_counter() - started}


def plain(path: Path, n_rows: int) -> dict[str, Any]:
    """Load rows the usual way: csv module, objects, ``bulk_create(ignore_conflicts=True, batch_size=5000)``."""
    started, n = time.perf_counter(), 0
    with path.open(newline="", encoding="utf-8") as file:
        batch: list[dict[str, str]] = []
        ids: dict[Any, dict[str, int]] = {Shopper: {}, Product: {}}
        for row in csv.DictReader(file):
            n += 1
            if n > n_rows:
                break
            if _right(row):
                batch.append(row)
            if len(batch) == BATCH:
                _create(batch, ids)
                batch = []
        _create(batch, ids)
    return {"rows": min(n, n_rows), "seconds": time.perf_counter() - started}


def _right(row: dict[str, str]) -> bool:
    try:
        datetime.fromisoformat(row["timestamp"])
        return (
            bool(row["user_id"]) and row["event"] in Event.Kind and int(row["quantity"]) > 0 and float(row["price"]) > 0
        )
    except ValueError:
        return False


def _create(batch: list[dict[str, str]], ids: dict[Any, dict[str, int]]) -> None:
    fields: tuple[tuple[Any, str, str], ...] = ((Shopper, "user_id", "external_id"), (Product, "item_id", "sku"))
    for model, name, field in fields:
        known, table = ids[model], model.everything
        missing = {row[name] for row in batch} - known.keys()
        table.bulk_create((model(**{field: one}) for one in missing), ignore_conflicts=True)
        known.update(table.filter(**{f"{field}__in": missing}).values_list(field, "pk"))
    Event.everything.bulk_create(
        (
            Event(
                shopper_id=ids[Shopper][row["user_id"]],
                product_id=ids[Product][row["item_id"]],
                kind=row["event"],
                at=datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC),
                quantity=int(row["quantity"]),
                amount=Decimal(row["price"]) * int(row["quantity"]),
                dedupe_key=UUID(bytes=blake2b("|".join(row.values()).encode(), digest_size=16).digest()),
            )
            for row in batch
        ),
        ignore_conflicts=True,
        batch_size=BATCH,
    )


def raw(path: Path, n_rows: int) -> dict[str, Any]:
    """Load the text as it is into a table without any index: COPY, or `.import` of the sqlite3 program."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(RAW_TABLE.format(unlogged="UNLOGGED "))
            started = time.perf_counter()
            with cursor.copy("COPY bench_raw FROM STDIN (FORMAT csv, HEADER)") as copy, path.open("rb") as file:
                while block := file.read(1 << 20):
                    copy.write(block)
        return {"rows": n_rows, "seconds": time.perf_counter() - started, "way": "COPY"}
    database = settings.DATABASES["default"]["NAME"] + ".raw"
    with sqlite3.connect(database) as made:
        # As the database of the shop is written.
        made.execute("PRAGMA journal_mode=WAL")
        made.execute(RAW_TABLE.format(unlogged=""))
    made.close()
    started = time.perf_counter()
    if program := shutil.which("sqlite3"):
        script = f"PRAGMA synchronous=NORMAL;\n.import --csv --skip 1 {path} bench_raw\n"
        subprocess.run([program, database], input=script.encode(), check=True)
        return {"rows": n_rows, "seconds": time.perf_counter() - started, "way": ".import"}
    with sqlite3.connect(database) as out, path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        out.executemany(f"INSERT INTO bench_raw VALUES ({', '.join('?' * len(COLUMNS))})", rows)
    return {"rows": n_rows, "seconds": time.perf_counter() - started, "way": "executemany, no sqlite3 program here"}


def others(_path: Path, _rows: int) -> dict[str, Any]:
    """Write rows and open a page again and again until the input ends; the longest wait of each.

    The first seconds, before the caller sends a line, are the calm that the pages are compared with.
    """
    settings.ALLOWED_HOSTS.append("testserver")
    client = Client()
    client.force_login(User.objects.get(email="bench@example.com"))
    addresses = [reverse("behaviour:imports"), reverse("analytics:today")]
    for address in addresses:
        client.get(address)
    calm = _busy(client, addresses, seconds=3)
    print("ready", flush=True)
    sys.stdin.readline()
    found = _busy(client, addresses, stop=Path(settings.MAILAI_DATA_DIR) / "stop")
    return {
        "writes": len(found["write"]),
        "longest_wait": max(found["write"]),
        "calm_page_ms": statistics.median(calm["page"]) * 1000,
        "page_ms": statistics.median(found["page"]) * 1000,
    }


def _busy(client: Client, addresses: list[str], *, seconds: float = 1e9, stop: Path | None = None) -> dict[str, Any]:
    times: dict[str, list[float]] = {"write": [], "page": []}
    until, turn = time.monotonic() + seconds, 0
    while time.monotonic() < until and not (stop and stop.exists()):
        turn += 1
        times["write"].append(_timed(lambda: Shop.objects.filter(pk=1).update(url="https://shop.example")))
        if turn % 5 == 0:
            times["page"].append(_timed(lambda: client.get(addresses[turn // 5 % len(addresses)])))  # noqa: B023 run at once
        time.sleep(PAUSE_SECONDS)
    return times


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


WAYS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "prepare": prepare, "ours": ours, "read": read, "plain": plain, "raw": raw, "others": others,
}  # fmt: skip


def main() -> None:
    """Go one way and print what came out as the last line: WAY FILE ROWS."""
    way, path, n_rows = sys.argv[1:]
    result = WAYS[way](Path(path), int(n_rows))
    print(json.dumps(result | {"peak_mb": round(peak_mb())}), flush=True)


if __name__ == "__main__":
    main()
