"""The event API, served, beside the usual view and the bare statement of the same run: `make bench-events-api`.

Batches of 100 events over 8 connections, by the web server that `up` starts. SQLite always, PostgreSQL where
DATABASE_URL or MAILAI_TEST_POSTGRES names a server; databases of its own are made and dropped. Options after ARGS=:
--seconds, --repeats, --only sqlite|postgresql.
"""

import argparse
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.events_api_ways import BATCH, N_SHOPPERS, SECRET, body
from bench.imports import Place, places

CONNECTIONS, WARM_BATCHES, READ_BATCHES, START_SECONDS = 8, 40, 300, 60
LEAST_PLAIN = {"sqlite": 1.8, "postgresql": 2.2}
LEAST_BARE = 0.6
MOST_P99_MS = {"sqlite": 600, "postgresql": 100}
MOST_READ_US = 2.0
# Batches for so many events a second are made before the clock starts.
FASTEST = 40_000
TARGETS = {
    "ours": ("mailai.wsgi:application", "/api/v1/events"),
    "plain": ("bench.events_api_ways:application", "/plain/events"),
}


class ApiPlace(Place):
    """A database for the event API, where so many shoppers are known."""

    def __init__(self, folder: Path, server: str = "", *, n_shoppers: int = N_SHOPPERS) -> None:
        super().__init__(folder, server)
        self.n_shoppers = n_shoppers

    def start(self, way: str, file: Path, n_rows: int) -> "subprocess.Popen[str]":
        """Begin one way in a process of its own."""
        n = self.n_shoppers if way == "prepare" else n_rows
        command = [sys.executable, "-m", "bench.events_api_ways", way, str(self.folder), str(n)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


@dataclass
class Sent:
    """What became of the batches that were sent."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    answered: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Events a second."""
        return len(self.answered) * BATCH / self.seconds

    def milliseconds(self, share: float) -> float:
        """Return the time within which this share of the requests was answered."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def total(self, what: str) -> int:
        """Add up one figure of the answers."""
        return sum(one[what] for one in self.answered.values())


@contextmanager
def served(place: ApiPlace, way: str) -> "Iterator[tuple[int, subprocess.Popen[bytes]]]":
    """Serve as `up` does; yields the port and the process, which leads a group of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    granian = shutil.which("granian", path=str(Path(sys.executable).parent)) or "granian"
    command = [
        granian, "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--blocking-threads", "8", "--no-ws", "--log-level", "warning", TARGETS[way][0],
    ]  # fmt: skip
    more = {"OPENBLAS_NUM_THREADS": "1", "PORT": str(port)} | ({"BENCH_PLAIN": "1"} if way == "plain" else {})
    process = subprocess.Popen(command, env=place.environment | more, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port, process
    finally:
        process.terminate()
        process.wait(30)


def send(place: ApiPlace, port: int, way: str, numbers: Iterable[int], seconds: float = 1e9) -> Sent:
    """Send batches, made before, over all connections until they or the time end."""
    sent, lock = Sent(), threading.Lock()
    waiting = iter([(number, body(number)) for number in numbers])
    headers = {"Authorization": f"Bearer {(place.folder / SECRET).read_text()}", "Content-Type": "application/json"}

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < until:
            with lock:
                number, content = next(waiting, (None, b""))
            if number is None:
                break
            started = time.perf_counter()
            connection.request("POST", TARGETS[way][1], content, headers)
            answer = connection.getresponse()
            found = answer.read()
            took = time.perf_counter() - started
            with lock:
                sent.times.append(took)
                if answer.status == 200:
                    sent.answered[number] = json.loads(found)
                else:
                    sent.failures.append(f"{answer.status} {found[:200]!r}")
        connection.close()

    until = time.monotonic() + seconds
    threads = [threading.Thread(target=work) for _connection in range(CONNECTIONS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - started
    return sent


def one_round(place: ApiPlace, seconds: float) -> dict[str, Any]:
    """Go every way once on a fresh database."""
    found: dict[str, Any] = {}
    for way in ("plain", "ours"):
        place.fresh(place.folder)
        with served(place, way) as (port, _process):
            send(place, port, way, range(WARM_BATCHES))
            sent = send(place, port, way, range(WARM_BATCHES, WARM_BATCHES + int(seconds * FASTEST / BATCH)), seconds)
            assert not sent.failures, sent.failures[:3]
            found[way] = {"speed": sent.speed, "p50": sent.milliseconds(0.5), "p99": sent.milliseconds(0.99)}
            if way == "ours":
                n_batches = len(sent.answered)
                found["exact"] = exact(place, port, sent)
    # As many rows, so that the indexes grow alike.
    place.fresh(place.folder)
    found["bare"] = place.go("bare", place.folder, n_batches)
    found["read"] = place.go("read", place.folder, READ_BATCHES)
    return found


def exact(place: ApiPlace, port: int, sent: Sent) -> bool:
    """Send everything again, in reverse: nothing is new, and exactly what was answered is stored."""
    again = send(place, port, "ours", sorted(sent.answered, reverse=True))
    stored = place.go("count", place.folder, 0)
    n_sent = (len(sent.answered) + WARM_BATCHES) * BATCH
    return (
        sent.total("accepted") == len(sent.answered) * BATCH
        and again.total("accepted") == 0
        and again.total("duplicates") == len(sent.answered) * BATCH
        and stored == {"events": n_sent, "keys": n_sent}
    )


def judged(vendor: str, rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every figure that has a limit; medians over the rounds."""

    def median(value: Any) -> float:
        return statistics.median(value(found) for found in rounds)

    rows = [
        (
            "served / the usual view",
            median(lambda f: f["ours"]["speed"] / f["plain"]["speed"]),
            ">=",
            LEAST_PLAIN[vendor],
        ),
        ("served / the bare statement", median(lambda f: f["ours"]["speed"] / f["bare"]["speed"]), ">=", LEAST_BARE),
        ("p99 of a request, ms", median(lambda f: f["ours"]["p99"]), "<=", MOST_P99_MS[vendor]),
        ("reading and judging, µs an event", median(lambda f: 1e6 / f["read"]["speed"]), "<=", MOST_READ_US),
        ("rounds in which repeats were exact", sum(f["exact"] for f in rounds), ">=", len(rounds)),
    ]
    return [
        {"what": what, "is": round(value, 3), "limit": f"{sign} {limit:g}",
         "holds": value >= limit if sign == ">=" else value <= limit}
        for what, value, sign, limit in rows
    ]  # fmt: skip


def report(vendor: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Print the tables of one database and return their figures."""
    print(
        f"\n{vendor}: events/s (median of {len(rounds)}), p50, p99 in ms; batches of {BATCH}, {CONNECTIONS} connections"
    )
    speeds = {}
    for way, name in (("ours", "event API"), ("plain", "json.loads + bulk_create"), ("bare", "the statement alone")):
        speeds[way] = round(statistics.median(found[way]["speed"] for found in rounds))
        times = [statistics.median(found[way].get(k, 0) for found in rounds) for k in ("p50", "p99")]
        print(f"{name:26} {speeds[way]:10,} " + (f"{times[0]:8.0f} {times[1]:8.0f}" if times[0] else ""))
    limits = judged(vendor, rounds)
    for row in limits:
        print(f"  {row['what']:40} {row['is']:9.3f}  {row['limit']:>8}  {'ok' if row['holds'] else 'OVER'}")
    return {"events_per_second": speeds, "limits": limits}


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", choices=["", "sqlite", "postgresql"], default="")
    given = options.parse_args()
    result: dict[str, Any] = {"seconds": given.seconds, "repeats": given.repeats}
    with places(given.only, ApiPlace) as found:
        for place in found:
            rounds = [one_round(place, given.seconds) for _repeat in range(given.repeats)]
            result[place.vendor] = report(place.vendor, rounds)
    print(json.dumps(result))
    return int(any(not row["holds"] for name in LEAST_PLAIN if name in result for row in result[name]["limits"]))


if __name__ == "__main__":
    sys.exit(main())
