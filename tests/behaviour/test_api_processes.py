"""The event API served by processes that are killed: what was answered is there, what is sent again is there once."""

import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings as installed

from bench.events_api import ApiPlace, send, served
from bench.events_api_ways import BATCH, SECRET, body

pytestmark = pytest.mark.slow
N_BATCHES, N_CLIENTS = 400, 4


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiPlace]:
    """A database of its own, on the kind of server that the other tests use."""
    database = installed.DATABASES["default"]
    server = ""
    if "postgresql" in database["ENGINE"]:
        server = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/postgres".format(**database)
    place = ApiPlace(tmp_path_factory.mktemp("place"), server, n_shoppers=200)
    place.fresh(place.folder)
    yield place
    place.drop()


def sent_until_killed(
    place: ApiPlace, port: int, process: "subprocess.Popen[bytes]", numbers: "Iterator[int]", after: int
) -> tuple[set[int], set[int]]:
    """Send batches over several connections and kill the server amid them; return those sent and those answered."""
    begun: set[int] = set()
    answered: set[int] = set()
    headers = {"Authorization": f"Bearer {(place.folder / SECRET).read_text()}"}
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with suppress(OSError, http.client.HTTPException):
            while True:
                with lock:
                    number = next(numbers, None)
                    if number is None:
                        return
                    begun.add(number)
                connection.request("POST", "/api/v1/events", body(number), headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                answered.add(number)

    threads = [threading.Thread(target=work) for _client in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    while len(answered) < after and time.monotonic() < until:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    return begun, answered


def test_a_killed_server_loses_nothing_it_answered_and_repeats_add_nothing(place: ApiPlace) -> None:
    numbers, begun, answered = iter(range(N_BATCHES)), set[int](), set[int]()
    for after in (5, 20, 40):
        with served(place, "ours") as (port, process):
            more: Any = sent_until_killed(place, port, process, numbers, after)
        assert len(more[1]) < len(more[0]), "the server was killed amid requests"
        begun |= more[0]
        answered |= more[1]
    stored = place.go("count", place.folder, 0)
    assert len(answered) * BATCH <= stored["events"] <= len(begun) * BATCH
    assert stored["events"] % BATCH == 0, "a batch is there whole or not at all"
    with served(place, "ours") as (port, _process):
        known = send(place, port, "ours", sorted(answered))
        assert (known.total("accepted"), known.total("duplicates")) == (0, len(answered) * BATCH)
        again = send(place, port, "ours", sorted(begun))
        assert stored["events"] + again.total("accepted") == len(begun) * BATCH
    everything = {"events": len(begun) * BATCH, "keys": len(begun) * BATCH}
    assert place.go("count", place.folder, 0) == everything
