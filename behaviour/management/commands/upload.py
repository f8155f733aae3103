"""manage.py upload FILE [--kind] [--mapping] [--yes]"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour import shaping, uploads
from behaviour.core.columns import KINDS
from behaviour.importing import import_upload
from behaviour.models import Upload
from behaviour.rejects import path_of
from behaviour.removal import cancel_upload
from mailai.commands import JsonCommand
from mailai.errors import InputError, StateError


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
        try:
            if mapping:
                uploads.choose_columns(upload, _mapping(Path(mapping), kind))
            if yes:
                shaping.answer(upload, shaping.defaults(upload))
            elif sys.stdin.isatty() and sys.stderr.isatty():
                self._ask(upload)
            uploads.queue(upload)
        except (InputError, StateError):
            cancel_upload(upload)
            raise
        upload = self._import(upload)
        if upload.state != Upload.State.DONE:
            raise StateError(upload.error or _("The import was stopped."))
        return _answer(upload, round(time.monotonic() - started, 1))

    def _ask(self, upload: Upload) -> None:
        self.stderr.write(_("%(file)s holds: %(kind)s. Import it? [y/N] ") % _named(upload), ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise InputError(_("Nothing was imported."))

    def _import(self, upload: Upload) -> Upload:
        if not sys.stderr.isatty():
            return import_upload(upload.pk)
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(upload.pk, done), daemon=True)
        watcher.start()
        try:
            return import_upload(upload.pk)
        finally:
            done.set()
            watcher.join()

    def _watch(self, pk: int, done: threading.Event) -> None:
        while not done.wait(1):
            n = Upload.objects.values_list("rows_read", flat=True).get(pk=pk)
            text = ngettext("%(n)s row read", "%(n)s rows read", n) % {"n": f"{n:,}"}
            self.stderr.write("\r" + text, ending="")
            self.stderr.flush()
        self.stderr.write("")


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
