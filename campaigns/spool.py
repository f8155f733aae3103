"""Opens and clicks go to a file first: one append, then the answer. See docs/adr/0005-tracking-spool.md."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings

WRITING, READING = ".jsonl", ".reading"
# A writer opens, appends and closes within microseconds; a file that was taken is read after this long.
SETTLE_SECONDS = 1.0


def _folder() -> Path:
    folder = Path(settings.MAILAI_DATA_DIR) / "spool"
    folder.mkdir(exist_ok=True)
    return folder


def append(entry: dict[str, Any]) -> None:
    """Write one line. It survives a killed process at once, a power cut as soon as the system writes it out."""
    line = json.dumps(entry | {"id": uuid4().hex}, separators=(",", ":")) + "\n"
    descriptor = os.open(_folder() / f"{os.getpid()}{WRITING}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


@contextmanager
def reading_alone() -> Iterator[bool]:
    """Say whether nobody else reads the spool now; the lock falls with the process, so a kill leaves none behind."""
    with (_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def take(settle: float = SETTLE_SECONDS) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Yield files with their entries. The caller removes a file when its entries are stored."""
    for file in sorted(_folder().glob(f"*{WRITING}")):
        file.rename(file.with_name(f"{file.stem}-{time.time_ns()}{READING}"))
    for file in sorted(_folder().glob(f"*{READING}")):
        if time.time() - file.stat().st_mtime >= settle:
            yield file, list(_entries(file))


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    """Read whole entries. A full disk or a power cut leaves half a line, and the next one is appended to it."""
    for line in file.read_text(errors="replace").splitlines():
        try:
            yield json.loads(line[max(0, line.rfind("{")) :])
        except json.JSONDecodeError:
            continue
