"""Writes the secrets of a new installation, once."""

import secrets
from typing import Any

from django.conf import settings

from mailai import crypto
from mailai.commands import JsonCommand

MAKERS = {
    "MAILAI_SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "MAILAI_FIELD_KEYS": crypto.new_key,
    "MAILAI_INDEX_KEY": lambda: secrets.token_urlsafe(32),
}


class Command(JsonCommand):
    help = "Write the secrets that are missing to the data folder, readable by this user only."
    requires_system_checks = ()

    def run(self, **options: Any) -> dict[str, Any]:
        folder = settings.MAILAI_DATA_DIR / "keys"
        folder.mkdir(mode=0o700, exist_ok=True)
        written = []
        for name, make in MAKERS.items():
            file = folder / name
            if not file.exists():
                file.touch(mode=0o600)
                file.write_text(make() + "\n")
                written.append(name)
        return {"written": written, "folder": str(folder)}
