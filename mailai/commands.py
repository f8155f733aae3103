"""The one shape of our commands: readable lines for people, one JSON object for programs."""

import json
import math
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from mailai.errors import MailAIError

MOST_SEED = 2**32 - 1


def seed(text: str) -> int:
    """Read what draws random numbers; every generator that we use takes these. For ``add_argument(type=seed)``."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_SEED:
        raise ArgumentTypeError(_("“%(text)s” is no whole number from 0 to %(most)s.") % {
            "text": text, "most": MOST_SEED,
        })  # fmt: skip
    return number


def seconds(text: str) -> float:
    """Read how long something may take. For ``add_argument(type=seconds)``."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 1 <= number < math.inf:
        raise ArgumentTypeError(_("“%(text)s” is no number of seconds from 1 on.") % {"text": text})
    return number


class JsonCommand(BaseCommand):
    """Subclasses implement ``add_options`` and ``run``; exit 0 done, 1 refused or failed, 2 wrong usage."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        """Declare the command's own arguments."""

    def run(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Do the work and return the answer; subclasses name the options they read."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Run and print; an error of the house becomes a sentence, not a stack trace."""
        as_json = options.pop("json")
        try:
            answer = self.run(**options)
        except MailAIError as error:
            self._print({"error": str(error)}, as_json)
            sys.exit(1)
        self._print(answer, as_json)

    def say(self, text: str) -> None:
        """Print a message for people; standard output belongs to the answer."""
        self.stderr.write(text)

    def _print(self, answer: dict[str, Any], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(answer, default=str))
            return
        self.show(answer)

    def show(self, answer: dict[str, Any]) -> None:
        """Print the answer for people; subclasses may choose a better form than one line a key."""
        for key, value in answer.items():
            self.stdout.write(f"{key}: {value}")
