"""Moves all identities to the newest field key."""

import time
from typing import Any

from behaviour import identity, set_aside
from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Encrypt every identity with the newest key of MAILAI_FIELD_KEYS; can be interrupted and run again."

    def run(self, **options: Any) -> dict[str, Any]:
        started, rows = time.monotonic(), 0
        while moved := identity.rotate() or set_aside.rotate():
            rows += moved
            self.say(f"{rows} rows")
        return {"rows": rows, "seconds": round(time.monotonic() - started, 2)}
