"""Makes a list of the shoppers that a file names."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from mailai.commands import JsonCommand
from mailai.errors import InputError
from segments import list_uploads, lists
from segments.models import ShopperList


class Command(JsonCommand):
    help = "Make a list of the shoppers that a file names by address, id of the shop or pseudonym."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="CSV, TSV, text or .xlsx, also packed")
        parser.add_argument("--name", default="", help="name of the list; else that of the file")
        parser.add_argument("--column", default="", help="header of the column that names shoppers; else it is found")

    def run(self, *, file: str, name: str, column: str, **options: Any) -> dict[str, Any]:
        path = Path(file)
        try:
            with path.open("rb") as stream:
                made = list_uploads.receive(
                    stream, name=name or path.name.split(".")[0], filename=path.name, column=column
                )
        except OSError as error:
            raise InputError(
                _("The file %(path)s can't be read: %(why)s.") % {"path": file, "why": error.strerror}
            ) from error
        read = list_uploads.read(made.pk) if made.state == ShopperList.State.READING else made
        if read is None or read.state != ShopperList.State.READY:
            lists.delete(made, by=None)
            raise InputError(_sentence(read or made))
        return {
            "list": str(read.uuid), "name": read.name, "column": read.column, "rows": read.n_rows,
            "shoppers": read.n_members, "twice": read.n_twice, "unknown": read.n_unknown,
        }  # fmt: skip


def _sentence(asked: ShopperList) -> str:
    if asked.problem:
        return asked.problem
    names = ", ".join(f"“{name}”" for name in asked.file.get("header", [])[:20])
    return _("Which column names shoppers? Say it with --column, one of: %(names)s.") % {"names": names}
