"""What a mail is about, from its words: no database."""

import re
from collections.abc import Iterable

from campaigns.core import language

BETWEEN_PARTS = " > "
# Shorter names of categories stand in too many sentences.
MIN_LETTERS = 3
ADDRESS = re.compile(r"""href\s*=\s*["']\s*(https?://[^"'{}\s]+)""", re.IGNORECASE)


def plain(text: str) -> str:
    """Return a subject or preview without its merge fields; their fallbacks say nothing of the mail either."""
    return " ".join(language.FIELD.sub(" ", text).split())


def addresses(mjml: str) -> set[str]:
    """Return the fixed addresses that a mail links to."""
    return set(ADDRESS.findall(mjml))


def named(text: str, paths: Iterable[str]) -> list[str]:
    """Return the categories whose last part stands in a text as whole words, in any case; the deepest paths first.

    Scripts that part no words are looked through letter by letter, so two letters of a name suffice there.
    """
    said = text.casefold()
    found = []
    for path in paths:
        name = path.rsplit(BETWEEN_PARTS, 1)[-1].casefold()
        if name.isascii():
            whole = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said)
            holds = len(name) >= MIN_LETTERS and whole is not None
        else:
            holds = len(name) > 1 and name in said
        if holds:
            found.append(path)
    return sorted(found, key=lambda path: (-path.count(BETWEEN_PARTS), path))
