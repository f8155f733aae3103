"""Products of an XML feed (Google Merchant: RSS or Atom) as rows. Read as a stream; entities are refused."""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.parsers import expat

from behaviour.core.encodings import as_utf8, encoding_of
from behaviour.core.parsing import BAD, MOST_COLUMNS, Row, TableError

READ_BYTES = 1 << 16
TAG = re.compile(rb"<([?!]?[A-Za-z]|!--)")
ITEMS = frozenset({"item", "entry"})
GOOGLE = "http://base.google.com/ns/1.0"
LONGEST_ITEM, DEEPEST = 1_000_000, 60
DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.-]{1,40})["']""")
Item = dict[str, str]


def is_feed(head: bytes) -> bool:
    """Say whether a text is XML."""
    start = head[:400].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t")
    return bool(TAG.match(start))


def encoding_of_feed(head: bytes) -> str:
    """Return the encoding that the XML names, or the one it is seen to be in."""
    named = DECLARED.match(head)
    if named is None:
        return encoding_of(head, cut=True)[0]
    try:
        name = codecs.lookup(named.group(1).decode()).name
    except LookupError as error:
        raise TableError("encoding_unknown") from error
    return {"iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "ascii": "utf-8"}.get(
        name, "utf-8-sig" if name == "utf-8" and head.startswith(codecs.BOM_UTF8) else name
    )


def names(stream: BinaryIO, encoding: str) -> tuple[str, ...]:
    """Return the names of everything that products have, in the order in which they first come.

    Raises
    ------
    TableError : no feed, no products, broken, or made to unpack without end.
    """
    found: dict[str, None] = {}
    for item in items(stream, encoding):
        found.update(dict.fromkeys(item))
        if len(found) > MOST_COLUMNS:
            raise TableError("too_many_columns")
    if not found:
        raise TableError("no_items")
    return tuple(found)


def rows(stream: BinaryIO, encoding: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield each product; its line is its number in the file, the header being the first."""
    for line, item in enumerate(items(stream, encoding), start=2):
        cells = [item.get(name, "") for name in columns]
        yield Row(line, cells, "bad_bytes" if BAD.search("\n".join(cells)) else "")


def items(stream: BinaryIO, encoding: str) -> Iterator[Item]:
    """Yield name -> text of each product; several of one name are joined by commas."""
    text = as_utf8(stream, encoding)
    collector = _Collector()
    parser = _parser(collector)
    try:
        while block := text.read(READ_BYTES):
            parser.Parse(block, False)
            yield from collector.take()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise TableError("xml_broken", line=error.lineno) from error
    yield from collector.take()


def _parser(collector: "_Collector") -> "expat.XMLParserType":
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    refuse = _refusing()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    return parser


def _refusing() -> Callable[..., int]:
    def refuse(*_: object) -> int:
        raise TableError("xml_entities")

    return refuse


class _Collector:
    """Products as they come, at most a few at a time."""

    def __init__(self) -> None:
        self._ready: list[Item] = []
        self._depth = self._size = 0
        self._item: dict[tuple[str, bool], list[str]] | None = None
        self._item_depth = 0
        self._parts: list[str] = []
        self._link = ""

    def take(self) -> list[Item]:
        """Return the products that came since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Note that an element begins."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise TableError("xml_broken", line=0)
        if self._item is None:
            if name.rpartition(" ")[2] in ITEMS:
                self._item, self._item_depth, self._size = {}, self._depth, 0
        elif self._depth == self._item_depth + 1:
            self._parts = []
            self._link = attributes.get("href", "")

    def text(self, text: str) -> None:
        """Note text of the element at hand."""
        if self._item is not None and self._depth > self._item_depth:
            self._size += len(text)
            if self._size > LONGEST_ITEM:
                raise TableError("endless_item")
            self._parts.append(text)

    def end(self, name: str) -> None:
        """Note that an element ends."""
        self._depth -= 1
        if self._item is None:
            return
        if self._depth < self._item_depth:
            self._ready.append(_flat(self._item))
            self._item = None
        elif self._depth == self._item_depth:
            space, _, short = name.rpartition(" ")
            parts = [part.strip() for part in self._parts if part.strip()]
            nested = len(parts) > 1 and any(not part.strip() for part in self._parts)
            text = (":" if nested else " ").join(parts) or self._link
            self._item.setdefault((short, space == GOOGLE), []).append(text)


def _flat(item: dict[tuple[str, bool], list[str]]) -> Item:
    """Return one text for each name; what Google's own names say goes before what RSS and Atom say."""
    names = dict.fromkeys(name for name, _google in item)
    return {
        name: ",".join(text for text in item.get((name, True)) or item.get((name, False), []) if text) for name in names
    }
