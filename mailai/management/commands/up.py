"""Web server, worker and beat in one foreground command."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.core.management.base import CommandParser

from mailai.accounts.models import User
from mailai.commands import JsonCommand
from mailai.errors import StateError

GRACE_SECONDS = 30
START_SECONDS = 60
# Imports and training keep a core busy for minutes: pages go before them.
BEHIND = ["nice", "-n", "5"] if shutil.which("nice") else []


class Command(JsonCommand):
    help = "Start web server, Celery worker and beat; Ctrl-C stops all three."
    # Checks would load every page into this process, which only watches the others.
    requires_system_checks = ()

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument(
            "--demo", choices=["0", "1"], default="0", help="1: load the demo shop into an empty database"
        )

    def run(self, *, port: int, host: str, demo: str, **options: Any) -> dict[str, Any]:
        _refuse_taken_port(host, port)
        stopping: list[str] = []

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.append(signal.Signals(number).name)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        running = {name: _start(command, port) for name, command in _commands(host, port).items()}
        helpers: dict[str, subprocess.Popen[bytes]] = {}
        try:
            if self._greet(running, stopping, port) and demo == "1":
                # It ends by itself, and its end stops nobody.
                helpers["demo"] = _start([sys.executable, "manage.py", "demo_shop", "--if-empty"], port)
            _watch(running, stopping)
        finally:
            _stop(running | helpers)
        died = [name for name in stopping if name in running]
        if died:
            raise StateError(f"{died[0]} stopped by itself (see the lines above); the others were stopped too.")
        return {"stopped": stopping[0] if stopping else "", "services": list(running)}

    def _greet(self, running: dict[str, "subprocess.Popen[bytes]"], stopping: list[str], port: int) -> bool:
        """Wait for the web server, then tell the address and how to log in."""
        answers = _wait_for_web(port, lambda: bool(stopping) or any(p.poll() is not None for p in running.values()))
        if answers:
            self.say(f"MailAI answers on {settings.MAILAI_PUBLIC_URL}")
            self.say(_login_hint())
            self.say("Ctrl-C stops everything.")
        return answers


def _watch(running: dict[str, "subprocess.Popen[bytes]"], stopping: list[str]) -> None:
    """Wait for a signal or for the first service that dies."""
    while not stopping:
        time.sleep(0.2)
        stopping += [name for name, process in running.items() if process.poll() is not None]


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise StateError(f"Port {port} is in use. Stop the other program, or run `make run PORT=8123`.") from None


def _commands(host: str, port: int) -> dict[str, list[str]]:
    """Return service name -> command line. Celery gets flags for a broker without fan-out."""
    here = Path(sys.executable).parent
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "mailai"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker_class = [f"--concurrency={min(2, os.cpu_count() or 1)}", "--queues=send,train,default", "--loglevel=warning"]
    return {
        "web": [
            shutil.which("granian", path=str(here)) or "granian", "--interface", "wsgi", "--host", host,
            "--port", str(port), "--workers", "1", "--blocking-threads", "8", "--no-ws", "--log-level", "warning",
            "mailai.wsgi:application",
        ],
        "worker": [*BEHIND, *celery, "worker", *worker_class, *quiet],
        "beat": [*celery, "beat", "--loglevel=warning", "--pidfile="],
    }  # fmt: skip


def _start(command: list[str], port: int) -> "subprocess.Popen[bytes]":
    # One BLAS thread a process: the kernels of the recommender bring threads of their own.
    environment = {
        "OPENBLAS_NUM_THREADS": "1",
        "CELERY_SKIP_CHECKS": "1",
        **os.environ,
        "PORT": str(port),
        "MAILAI_PUBLIC_URL": settings.MAILAI_PUBLIC_URL,
        "MAILAI_ROLE": "beat" if "beat" in command else "",
    }
    # A session of its own: the terminal's Ctrl-C reaches only this parent, which tells each main process once.
    return subprocess.Popen(command, env=environment, start_new_session=True, cwd=settings.BASE_DIR)  # noqa: S603


def _wait_for_web(port: int, given_up: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not given_up():
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return True
        except (URLError, OSError):
            time.sleep(0.1)
    return False


def _login_hint() -> str:
    """Tell how to log in; the first start makes an admin with a random password and prints it once."""
    file = settings.MAILAI_DATA_DIR / "keys" / "first-login"
    if not User.objects.exists():
        # Before the account: keys from the environment leave no such folder, and a password nobody saw locks us out.
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser("admin@shop.example", password, name="Admin")
        file.touch(mode=0o600)
        file.write_text(f"admin@shop.example  {password}\n")
        return f"Log in as admin@shop.example with the password {password}"
    return (
        f"Log in with your account; the first login stands in {file}" if file.exists() else "Log in with your account."
    )


def _stop(running: dict[str, "subprocess.Popen[bytes]"]) -> None:
    for process in running.values():
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in running.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
