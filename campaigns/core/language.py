"""The merge language of mails: ``{{ name }}`` and ``{{ name|fallback }}``, and nothing else.

It is closed on purpose: no expressions, no filters, no template engine, so a text by a marketer can't read or run
anything. A text is cut into parts once per campaign; per shopper the gaps are filled, escaped for their place.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import quote, urlsplit

FIELD = re.compile(r"\{\{\s*([a-z][a-z0-9_.]*)\s*(?:\|([^{}|]*))?\}\}")
STRAY = re.compile(r"\{\{|\}\}")
PICK = re.compile(r"pick([1-9])\.(name|price|image|url|reason)")
PICK_FIELDS = ("name", "price", "image", "url", "reason")
# Places of a gap: running text of HTML, a quoted attribute, a whole address in href or src, plain text or a header.
TEXT, ATTRIBUTE, ADDRESS, PLAIN = "text", "attribute", "address", "plain"
SAFE_SCHEMES = {"http", "https", "mailto", "tel"}
CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
ADDRESS_ATTRIBUTE = re.compile(r"""(?:href|src|background)\s*=\s*["']\s*$""", re.IGNORECASE)
ADDRESS_REACH = 200

# A literal, or [field name, fallback, place].
Part = str | list[str]


@dataclass(frozen=True)
class Fault:
    """A place that is no proper merge field. ``near`` is the nearest known name, or empty; ``name`` empty = braces."""

    name: str
    near: str
    line: int


def faults(source: str, known: Sequence[str]) -> Iterator[Fault]:
    """Yield unknown fields and braces that are no field."""
    for match in FIELD.finditer(source):
        if match[1] not in known and not PICK.fullmatch(match[1]):
            near = get_close_matches(match[1], [*known, *(f"pick1.{field}" for field in PICK_FIELDS)], 1, 0.5)
            yield Fault(match[1], near[0] if near else "", _line(source, match.start()))
    without_fields = FIELD.sub(lambda found: " " * len(found[0]), source)
    for match in STRAY.finditer(without_fields):
        yield Fault("", "", _line(source, match.start()))


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def parts_of_text(source: str) -> list[Part]:
    """Cut a subject or plain text into parts."""
    return list(_cut(source, lambda _source, _position: PLAIN))


def parts_of_html(source: str) -> list[Part]:
    """Cut HTML into parts; each gap knows whether it stands in text, in an attribute or is a whole address."""
    return list(_cut(source, _place))


def _cut(source: str, place_at: Callable[[str, int], str]) -> Iterator[Part]:
    end = 0
    for match in FIELD.finditer(source):
        if match.start() > end:
            yield source[end : match.start()]
        yield [match[1], html.unescape((match[2] or "").strip()), place_at(source, match.start())]
        end = match.end()
    if end < len(source):
        yield source[end:]


def _place(source: str, position: int) -> str:
    """Say where a gap stands, from what comes before it.

    An address is known by what stands right before it, not by the tag around: a ">" may stand in another attribute.
    """
    if ADDRESS_ATTRIBUTE.search(source, max(0, position - ADDRESS_REACH), position):
        return ADDRESS
    return TEXT if source.rfind("<", 0, position) <= source.rfind(">", 0, position) else ATTRIBUTE


def fields_of(parts: Sequence[Part]) -> set[str]:
    """Return the names that the gaps ask for."""
    return {part[0] for part in parts if not isinstance(part, str)}


def n_picks(names: set[str]) -> int:
    """Return how many picks a mail shows: the highest number that is asked for."""
    return max((int(match[1]) for match in map(PICK.fullmatch, names) if match), default=0)


def fill(parts: Sequence[Part], values: Mapping[str, str]) -> str:
    """Join the parts; an absent or blank value becomes the fallback. Every value is escaped for its place."""
    return "".join(part if isinstance(part, str) else _escaped(part, values) for part in parts)


def _escaped(part: Sequence[str], values: Mapping[str, str]) -> str:
    name, fallback, place = part
    value = (values.get(name) or "").strip() or fallback
    if place == PLAIN:
        return CONTROL.sub(" ", value)
    if place == ADDRESS:
        return html.escape(safe_address(value))
    return html.escape(CONTROL.sub(" ", value))


def is_whole_address(value: str) -> bool:
    """Say whether a click can lead there: a scheme that is allowed and something behind it."""
    try:
        address = urlsplit(value)
    except ValueError:
        return False
    scheme = address.scheme.lower()
    return scheme in SAFE_SCHEMES and bool(address.netloc if scheme.startswith("http") else address.path)


def safe_address(value: str) -> str:
    """Return an address that a mail may carry; one with another scheme (javascript:, data:) becomes "#"."""
    value = CONTROL.sub("", value).strip()
    try:
        scheme = urlsplit(value).scheme.lower()
    except ValueError:
        return "#"
    return quote(value, safe="/:?&=#%+,;@!$'()*[]~-._") if scheme in SAFE_SCHEMES else "#"
