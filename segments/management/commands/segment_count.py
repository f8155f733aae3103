"""Counts a segment and who of it can be mailed."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from mailai.commands import JsonCommand
from mailai.errors import InputError
from segments import queries


class Command(JsonCommand):
    help = "Count the shoppers of a segment or of a rule, and per reason why some can't be mailed."

    def add_options(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--rule", help="file with a rule as JSON (docs/segments.md)")
        which.add_argument("--segment", help="name of a segment")

    def run(self, *, rule: str | None, segment: str | None, **options: Any) -> dict[str, Any]:
        tree = _read(Path(rule)) if rule else queries.segment_named(segment or "").rule
        found = queries.reach(tree)
        return {
            "count": found.count, "mailable": found.mailable, "excluded": found.excluded, "seconds": found.seconds,
        }  # fmt: skip


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            _("The file %(path)s can't be read: %(why)s.") % {"path": path, "why": error.strerror}
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(_("The file %(path)s is not JSON. See docs/segments.md.") % {"path": path}) from error
