"""Make a campaign from a JSON file."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from campaigns.spec import create_campaign
from mailai.commands import JsonCommand
from mailai.errors import InputError


class Command(JsonCommand):
    help = "Make a campaign from a specification (docs/campaign-spec.schema.json)."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("spec", type=Path, help="a JSON file with the fields of the composer")

    def run(self, *, spec: Path, **options: Any) -> dict[str, Any]:
        try:
            given = json.loads(spec.read_text())
        except OSError as error:
            raise InputError(f"{spec} can't be read: {error.strerror}.") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{spec} is not JSON: {error}.") from None
        return {"campaign": create_campaign(given).pk}
