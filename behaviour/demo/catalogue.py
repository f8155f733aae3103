"""From a line of the shop's ledger to something that reads like a product: name, category, picture."""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from behaviour.demo import source

FALLBACK_ICON = "gift"
SMALL_WORDS = {"a", "an", "and", "as", "at", "for", "from", "in", "it", "of", "on", "or", "the", "to", "up", "with"}
# Not things one can put on a shelf.
SERVICES = re.compile(r"\b(NEXT DAY CARRIAGE|PACKING CHARGE|HIGH RESOLUTION IMAGE)\b", re.IGNORECASE)

# Words of a name that decide the ground of its picture, first found first.
COLOUR_WORDS = {
    "RED": "rose", "STRAWBERRY": "rose", "CHERRY": "rose", "RETROSPOT": "rose", "PINK": "pink", "ROSE": "pink",
    "BLUE": "blue", "TURQUOISE": "cyan", "AQUA": "cyan", "MINT": "green", "GREEN": "green", "APPLE": "lime",
    "APPLES": "lime", "WOODLAND": "lime", "YELLOW": "yellow", "GOLD": "yellow", "ORANGE": "orange",
    "PURPLE": "violet", "LAVENDER": "violet", "AMETHYST": "violet", "LILAC": "violet", "BLACK": "slate",
    "SKULL": "slate", "SILVER": "slate", "ZINC": "slate", "GREY": "slate", "WHITE": "sand", "IVORY": "sand",
    "CREAM": "sand", "NATURAL": "sand", "WOODEN": "orange", "WICKER": "sand", "CHOCOLATE": "brown", "BROWN": "brown",
}  # fmt: skip
GROUNDS = ("rose", "pink", "blue", "cyan", "green", "lime", "yellow", "orange", "violet", "indigo", "slate", "brown")


@dataclass(frozen=True)
class Look:
    """What the demo shop shows of a product."""

    name: str
    category: str
    icon: str
    ground: str
    on_sale: bool


def look(description: str) -> Look:
    """Work out how a product of the ledger looks in the shop."""
    words = re.sub(r"[\s,.\"+()]+", " ", description.upper()).strip()
    category, icon = next(
        ((path, icon) for path, icon, pattern in _rules() if pattern.search(words)), ("", FALLBACK_ICON)
    )
    ground = next((COLOUR_WORDS[word] for word in words.split() if word in COLOUR_WORDS), None)
    return Look(
        readable(description), category, icon, ground or _any_ground(category + icon), not SERVICES.search(description)
    )


@cache
def _rules() -> list[tuple[str, str, re.Pattern[str]]]:
    return [(path, icon, re.compile(rf"\b(?:{words})(?!\w)")) for path, icon, words in source.kinds()]


def _any_ground(text: str) -> str:
    """Choose a ground by the text, the same on every machine."""
    return GROUNDS[sha256(text.encode()).digest()[0] % len(GROUNDS)]


def readable(description: str) -> str:
    """Return "Set of 3 Cake Tins" for "SET OF 3 CAKE  TINS"."""
    text = re.sub(r"(?<=[A-Za-z]),(?=\S)", ", ", description)
    words = re.sub(r"\s+", " ", text).replace(" ,", ",").strip(" .,").split(" ")
    return " ".join(_word(word, first=number == 0) for number, word in enumerate(words))[:300]


def _word(word: str, *, first: bool) -> str:
    lower = word.lower()
    if lower in SMALL_WORDS and not first:
        return lower
    # Each part of "T-LIGHT" or "BLUE/CREAM" begins with a capital; sizes such as "40x40cm" and "50's" stay small.
    return re.sub(r"(?<![\w'’])[a-z]", lambda match: match[0].upper(), lower)
