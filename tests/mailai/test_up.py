"""One foreground command starts everything and stops everything."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _wait(question, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError("waited too long")


def _manage(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def _environment(folder: Path) -> dict[str, str]:
    others = ("MAILAI", "CELERY", "DATABASE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return kept | {"MAILAI_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "mailai.settings"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of an empty installation, on SQLite and the embedded broker."""
    folder = tmp_path_factory.mktemp("prepared") / "var"
    for command in ("init_keys", "prepare"):
        assert _manage(_environment(folder), command).returncode == 0
    return folder


@pytest.fixture
def installation(prepared, tmp_path):
    """A free port and an installation of its own."""
    port = _free_port()
    folder = shutil.copytree(prepared, tmp_path / "var")
    return port, _environment(folder) | {"PORT": str(port)}


@pytest.fixture
def running(installation):
    port, environment = installation
    up = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--port", str(port), "--demo", "0"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    yield port, up
    for child in psutil.Process(up.pid).children(recursive=True) if up.poll() is None else []:
        child.kill()
    up.kill()


def _services(up) -> list[psutil.Process]:
    return psutil.Process(up.pid).children()


@pytest.mark.slow
def test_it_answers_works_and_stops_cleanly_on_ctrl_c(running):
    port, up = running
    assert _wait(lambda: urlopen(f"http://127.0.0.1:{port}/healthz").status == 200)
    assert _wait(lambda: urlopen(f"http://127.0.0.1:{port}/readyz").status == 200)
    children = psutil.Process(up.pid).children(recursive=True)
    up.send_signal(signal.SIGINT)
    output, _nothing = up.communicate(timeout=40)
    assert up.returncode == 0
    assert f"http://localhost:{port}" in output
    assert "Log in as admin@shop.example with the password" in output
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.slow
def test_when_one_service_dies_all_stop_and_it_is_named(running):
    port, up = running
    _wait(lambda: urlopen(f"http://127.0.0.1:{port}/healthz").status == 200)
    beat = next(process for process in _services(up) if "beat" in process.cmdline())
    beat.kill()
    output, _nothing = up.communicate(timeout=40)
    assert up.returncode == 1
    assert "beat stopped by itself" in output


def test_a_taken_port_is_named_with_what_to_do(installation):
    port, environment = installation
    with socket.create_server(("127.0.0.1", port)):
        done = _manage(environment, "up", "--port", str(port))
    assert done.returncode == 1
    assert "make run PORT=" in done.stdout
