"""HTML of a mail: its links, and the text part that says the same."""

import html
import re
from collections.abc import Callable
from html.parser import HTMLParser

# Quoted attributes before the address may hold ">"; data-href and the like are other attributes.
ANCHOR = re.compile(
    r"""(<a\s(?:[^<>"']|"[^"]*"|'[^']*')*?(?<![\w:-])href\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL
)
BLOCK_TAGS = {"p", "div", "tr", "table", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "section", "article", "hr"}
SILENT_TAGS = {"head", "style", "script", "title"}
BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def replace_links(source: str, replace: Callable[[str], str]) -> str:
    """Return the HTML with each address of an ``<a>`` given to ``replace`` (unescaped) and its answer put there."""

    def swap(match: "re.Match[str]") -> str:
        return f"{match[1]}{match[2]}{html.escape(replace(html.unescape(match[3])))}{match[2]}"

    return ANCHOR.sub(swap, source)


def text_of(source: str) -> str:
    """Return the text part of a mail: block tags break lines, links show their address, pictures their description."""
    reader = _TextReader()
    reader.feed(re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL))
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).splitlines())
    return BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.silent = 0
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in SILENT_TAGS:
            self.silent += 1
        elif tag in BLOCK_TAGS:
            self.pieces.append("\n")
        elif tag == "img" and given.get("alt"):
            self.pieces.append(f"[{given['alt']}]")
        elif tag == "a":
            self.addresses.append(given.get("href") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in SILENT_TAGS:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT_TAGS:
            self.silent = max(0, self.silent - 1)
        elif tag in BLOCK_TAGS:
            self.pieces.append("\n")
        elif tag == "a" and self.addresses:
            address = self.addresses.pop()
            if address:
                self.pieces.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.pieces.append(data)
