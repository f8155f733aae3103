"""Invented people for the demo shop: names that fit their country, addresses that no mail can ever reach."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from behaviour.demo import source

# The top-level domain .example is reserved (RFC 2606): whatever is sent there arrives nowhere.
DOMAINS = ("letterbox.example", "mailtown.example", "postmill.example", "inkwell.example", "homepost.example")
LETTERS = str.maketrans({"ø": "o", "å": "a", "æ": "ae", "ß": "ss", "ł": "l", "ö": "oe", "ü": "ue", "ä": "ae"})


@dataclass(frozen=True)
class Person:
    """Who a demo shopper is."""

    first_name: str
    last_name: str
    email: str
    locale: str
    timezone: str


def invent(countries: Sequence[str], rng: np.random.Generator) -> list[Person]:
    """Return one person per country of the list, all addresses different."""
    book = json.loads((source.DATA / "people.json").read_text())
    draws = rng.random((len(countries), 3))
    taken: set[str] = set()
    people = []
    for country, (first_draw, last_draw, domain_draw) in zip(countries, draws, strict=True):
        language, locale, zone = book["countries"].get(country, book["countries"][""])
        names = book["names"][language]
        first, last = _pick(names["first"], first_draw), _pick(names["last"], last_draw)
        email = _free_address(first, last, _pick(DOMAINS, domain_draw), taken)
        people.append(Person(first, last, email, locale, zone))
    return people


def _pick(choices: Sequence[str], draw: float) -> str:
    return choices[int(draw * len(choices))]


def _free_address(first: str, last: str, domain: str, taken: set[str]) -> str:
    local, number = f"{_plain(first)}.{_plain(last)}", 1
    address = f"{local}@{domain}"
    while address in taken:
        number += 1
        address = f"{local}{number}@{domain}"
    taken.add(address)
    return address


def _plain(name: str) -> str:
    """Return the letters of a name as a mail address spells them."""
    text = unicodedata.normalize("NFKD", name.lower().translate(LETTERS))
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())
