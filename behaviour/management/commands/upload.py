"""manage.py upload FILE [--kind] [--mapping] [--yes]"""

import gzip
import json
import math
import os
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.utils.translation import gettext as _

from behaviour import shaping, uploads
from behaviour.core.columns import KINDS
from behaviour.importing import import_upload
from behaviour.models import Upload
from behaviour.rejects import path_of
from behaviour.removal import cancel_upload
from mailai.commands import JsonCommand
from mailai.errors import InputError, StateError

WAIT_SECONDS = 2
SAMPLE_BYTES = 1 << 20
GZIP, GZIP_END = b"\x1f\x8b", 4


class Command(JsonCommand):
    help = "Reads a file of behaviour, orders, products or shoppers. Killed and called again, it loads nothing twice."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--kind", choices=["auto", *KINDS], default="auto")
        parser.add_argument(
            "--mapping",
            help='JSON: {"columns": {field: column}, "events": {name: kind}, "answers": {question: choice}}',
        )
        parser.add_argument("--yes", action="store_true", help="ask nothing; what is ambiguous takes its default")

    def run(self, *args: Any, file: str, kind: str, mapping: str | None, yes: bool, **options: Any) -> dict[str, Any]:
        started = time.monotonic()
        upload = _received(Path(file), kind)
        begun = None if mapping else uploads.begun_before(upload)
        try:
            if mapping:
                uploads.choose_columns(upload, _mapping(Path(mapping), kind))
            if begun:
                self.say(_("An earlier import of this file was interrupted; it goes on from there."))
                cancel_upload(upload)
                upload = begun
            else:
                self._queue(upload, yes=yes)
        except (InputError, StateError):
            cancel_upload(upload)
            raise
        upload = self._import(upload, Path(file))
        if upload.state != Upload.State.DONE:
            raise StateError(upload.error or _("The import was stopped."))
        return _answer(upload, round(time.monotonic() - started, 1))

    def _queue(self, upload: Upload, *, yes: bool) -> None:
        if yes:
            shaping.answer(upload, shaping.defaults(upload))
        elif sys.stdin.isatty() and sys.stderr.isatty():
            self._ask(upload)
        uploads.queue(upload)

    def _ask(self, upload: Upload) -> None:
        self.stderr.write(_("%(file)s holds: %(kind)s. Import it? [y/N] ") % _named(upload), ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise InputError(_("Nothing was imported."))

    def _import(self, upload: Upload, path: Path) -> Upload:
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(upload.pk, about_rows(path), done), daemon=True)
        if sys.stderr.isatty():
            watcher.start()
        try:
            return self._imported_in_turn(upload)
        finally:
            done.set()
            if watcher.is_alive():
                watcher.join()

    def _imported_in_turn(self, upload: Upload) -> Upload:
        """Import; while another import runs, wait for it."""
        upload, told = import_upload(upload.pk), False
        while upload.state == Upload.State.QUEUED or (upload.state == Upload.State.IMPORTING and upload.heartbeat_at):
            if not told:
                self.say(_("Another import is at work. This one waits until it is done."))
                told = True
            time.sleep(WAIT_SECONDS)
            upload = import_upload(upload.pk)
        return upload

    def _watch(self, pk: int, whole: int, done: threading.Event) -> None:
        first: tuple[float, int] | None = None
        while not done.wait(1):
            n = Upload.objects.values_list("rows_read", flat=True).get(pk=pk)
            first = first or (time.monotonic() - 1, n)
            pace = round((n - first[1]) / (time.monotonic() - first[0]))
            self.stderr.write("\r\033[K" + _progress(n, pace, whole), ending="")
            self.stderr.flush()
        self.stderr.write("")
        connection.close()


def _progress(n: int, pace: int, whole: int) -> str:
    shown = {"n": f"{n:,}", "pace": f"{pace:,}"}
    if not pace or whole <= n:
        return _("Rows read: %(n)s, %(pace)s a second") % shown
    left = math.ceil((whole - n) / pace)
    shown["left"] = f"{left // 60}:{left % 60:02}"
    return _("Rows read: %(n)s, %(pace)s a second, about %(left)s left") % shown


def about_rows(path: Path) -> int:
    """Guess how many rows a text file has from the length of its first lines; 0 where the size does not tell."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(2)
        if start == GZIP and size > GZIP_END:
            # The last four bytes hold the length of what was packed, up to 4 GB.
            file.seek(-GZIP_END, os.SEEK_END)
            size = int.from_bytes(file.read(GZIP_END), "little")
        file.seek(0)
        try:
            front = gzip.GzipFile(fileobj=file).read(SAMPLE_BYTES) if start == GZIP else file.read(SAMPLE_BYTES)
        except (OSError, EOFError, zlib.error):
            return 0
    if start == b"PK":
        return 0
    return round(size / max(len(front), 1) * front.count(b"\n"))


def _received(path: Path, kind: str) -> Upload:
    if path.is_dir():
        raise InputError(_("%(path)s is a folder. Name one file.") % {"path": path})
    try:
        with path.open("rb") as file:
            return uploads.receive_upload(file, path.name, kind=kind)
    except FileNotFoundError as error:
        raise InputError(_("There is no file %(path)s. Check the path.") % {"path": path}) from error
    except OSError as error:
        raise InputError(_("%(path)s can't be read. Check who may read it.") % {"path": path}) from error


def _mapping(path: Path, kind: str) -> dict[str, Any]:
    """Read a mapping; a flat one names columns only."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(_("%(path)s is no JSON file. Write {field: column}.") % {"path": path}) from error
    if not isinstance(read, dict):
        raise InputError(_("%(path)s is no JSON file. Write {field: column}.") % {"path": path})
    chosen = read if {"columns", "events", "kind", "answers"} & set(read) else {"columns": read}
    return chosen if kind == "auto" else chosen | {"kind": kind}


def _named(upload: Upload) -> dict[str, str]:
    return {"file": upload.filename, "kind": upload.get_kind_display()}


def _answer(upload: Upload, seconds: float) -> dict[str, Any]:
    return {
        "upload": upload.pk,
        "kind": upload.kind,
        "rows_read": upload.rows_read,
        "loaded": upload.loaded,
        "duplicates": upload.duplicates,
        "rejected": upload.rejected,
        "fixed": upload.fixed,
        "seconds": seconds,
        "rejects_file": str(path_of(upload.rejects_file)) if upload.rejects_file else None,
        "findings": upload.findings,
    }
