"""The file of refused rows: their own columns, the line, why, and what to do. Written chunk by chunk."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from behaviour.core.parsing import Row
from behaviour.models import Upload
from behaviour.tables import folder
from behaviour.upload_words import REASONS
from mailai.ui.exports import csv_parts

ADDED = ("line", "reason", "what to do")


def own_columns() -> set[str]:
    """Return the names of the columns that this file adds, as they are written and in the reader's language."""
    return {*ADDED, _("line"), _("reason"), _("what to do")}


class RejectsFile:
    """A gzip CSV that grows by one member per chunk, so that it can be cut back to the last checkpoint."""

    def __init__(self, name: str, header: Sequence[str], size: int = 0) -> None:
        """Open the file, cut to ``size`` bytes: what a killed run wrote beyond its checkpoint goes."""
        self.path = path_of(name)
        self.path.touch(mode=0o600)
        self._header = header
        with self.path.open("r+b") as file:
            file.truncate(size)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    def add(self, refused: Sequence[tuple[Row, str]]) -> None:
        """Append rows; the header comes before the first."""
        if not refused:
            return
        rows: list[Sequence[Any]] = []
        if not self.size:
            rows.append([*self._header, _("line"), _("reason"), _("what to do")])
        width = len(self._header)
        words = {code: [str(text) for text in REASONS[code]] for code in {code for _row, code in refused}}
        for row, code in sorted(refused, key=lambda pair: pair[0].line):
            cells = [*row.cells, *[""] * (width - len(row.cells))]
            rows.append([*cells, row.line, *words[code]])
        with self.path.open("ab") as file:
            file.write(gzip.compress("".join(csv_parts(rows)).encode(), compresslevel=6))


def checking_name(upload: Upload, run: str) -> str:
    """Return the name under which one check collects refused rows until it is done."""
    return f"{upload.uuid}.check-{run}.csv.gz"


def drop_rejects(upload: Upload, *, keep: str = "") -> None:
    """Delete the refused rows of an upload, also those that a killed check left; ``keep`` names the file to keep."""
    for path in folder("rejects").glob(f"{upload.uuid}.*"):
        if path.name != keep:
            path.unlink(missing_ok=True)


def path_of(name: str) -> Path:
    """Return where a file of refused rows lies."""
    return folder("rejects") / name
