"""Which texts our databases can hold."""

import re

# NUL and half characters: Python and JSON can hold them, PostgreSQL can't.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> bool:
    """Say whether a text can be stored, and asked for, in both databases."""
    return UNSTORABLE.search(text) is None
