"""Checks the installation, and says how to mend what is wrong."""

import ctypes.util
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from celery import current_app
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from kombu.exceptions import OperationalError

from mailai import crypto
from mailai.commands import JsonCommand
from mailai.errors import KeyRingError, StateError
from mailai.models import Heartbeat

FREE_GB = 1.0
# (name, whether it is well, what was found or how to mend it)
Finding = tuple[str, bool, str]


class Command(JsonCommand):
    help = "Check database, broker, worker, storage, keys, front-end packages, libraries and disk."

    def run(self, **options: Any) -> dict[str, Any]:
        findings = [finding for check in CHECKS for finding in check()]
        for name, well, text in findings:
            self.say(f"{'ok  ' if well else 'MEND'} {name}: {text}")
        broken = [name for name, well, _text in findings if not well]
        answer = {"ok": not broken, "checks": {name: {"ok": well, "text": text} for name, well, text in findings}}
        if broken:
            raise StateError("; ".join(f"{name}: {text}" for name, well, text in findings if not well))
        return answer


def database() -> Iterator[Finding]:
    """The database answers and its tables are up to date."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield "database", False, f"does not answer ({error}). Check DATABASE_URL."
        return
    yield "database", True, connection.vendor
    yield "migrations", not waiting, f"{len(waiting)} to apply: run `manage.py migrate`" if waiting else "up to date"


def broker() -> Iterator[Finding]:
    """Tasks can be queued."""
    try:
        with current_app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, timeout=3)
        yield "broker", True, link.transport_cls if isinstance(link.transport_cls, str) else "reachable"
    except (OperationalError, OSError) as error:
        yield "broker", False, f"does not answer ({error}). Check CELERY_BROKER_URL."


def worker() -> Iterator[Finding]:
    """Beat queues and a worker runs: one heartbeat row proves both."""
    last = Heartbeat.objects.filter(name="worker").values_list("at", flat=True).first()
    alive = last is not None and timezone.now() - last < timedelta(seconds=60)
    yield "worker and beat", alive, "alive" if alive else "no sign of life for a minute: start them with `make run`"


def keys() -> Iterator[Finding]:
    """Personal data can be written and read."""
    try:
        crypto.decrypt(crypto.encrypt("probe", "doctor"), "doctor")
        yield "keys", bool(settings.MAILAI_INDEX_KEY), f"{len(crypto.ring())} in the ring"
    except KeyRingError as error:
        yield "keys", False, str(error)


def storage() -> Iterator[Finding]:
    """Files can be stored and removed."""
    try:
        name = default_storage.save("doctor/probe.txt", ContentFile(b"probe"))
        default_storage.delete(name)
        yield "storage", True, "writable"
    except OSError as error:
        yield "storage", False, f"can't be written ({error}). Check MAILAI_DATA_DIR and its rights."


def front_end() -> Iterator[Finding]:
    """The npm packages that pages load are there."""
    missing = finders.find("npm/htmx.org/dist/htmx.min.js") is None
    yield "front-end packages", not missing, "run `npm ci --ignore-scripts`" if missing else "installed"


def libraries() -> Iterator[Finding]:
    """System libraries that Python wheels lean on."""
    found = ctypes.util.find_library("gomp") is not None
    yield "libgomp", found, "found" if found else "install the system package libgomp1"


def disk() -> Iterator[Finding]:
    """There is room to work."""
    free = shutil.disk_usage(settings.MAILAI_DATA_DIR).free / 1e9
    yield "disk", free > FREE_GB, f"{free:.1f} GB free" + ("" if free > FREE_GB else ": make room in MAILAI_DATA_DIR")


def senders() -> Iterator[Finding]:
    """Mail can leave. The model is asked by name: the foundation imports no app."""
    model = apps.get_model("campaigns", "Sender")
    failing = model.objects.exclude(last_error="").values_list("name", "last_error")
    yield (
        "senders",
        not failing,
        "; ".join(f"{name}: {error}" for name, error in failing) or f"{model.objects.count()} set up",
    )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    database, broker, worker, keys, storage, front_end, libraries, disk, senders,
)  # fmt: skip
