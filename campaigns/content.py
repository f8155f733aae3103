"""Content of a mail: from MJML to parts that are filled per shopper, and what is wrong with it."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5
from itertools import islice
from pathlib import Path
from typing import Any
from xml.parsers import expat

import mrml
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.core import language, markup
from campaigns.models import Variant

SHOPPER_FIELDS = ("first_name", "last_name", "favourite_category")
SHOP_FIELDS = ("shop_name", "shop_url", "postal_address", "unsubscribe_url")
FIELDS = (*SHOPPER_FIELDS, *SHOP_FIELDS)
# mj-include reads files, mj-raw and mj-style pass by the escaping.
REFUSED_TAGS = {"mj-include", "mj-raw", "script", "iframe", "object", "embed", "form", "style", "mj-style"}
MAX_MJML = 300_000
MAX_LINK = 1000
# The MJML library calls itself for each level: some ten thousand levels end the whole process.
MAX_DEPTH = 100
# Nobody reads more; a text full of faults must not become a page of megabytes.
MAX_FAULTS = 20
# Gmail cuts longer mails and hides what comes after, the unsubscribe link included.
GMAIL_LIMIT = 102_000
MAX_PICKS = 9
PICKS_TAG = re.compile(r"<mai-picks\b([^>]*?)/?>(?:\s*</mai-picks>)?")
FOOTER_TAG = re.compile(r"<mai-footer\s*/?>(?:\s*</mai-footer>)?")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
UNSUBSCRIBE_LINK = re.compile(r"""href\s*=\s*["']\s*\{\{\s*unsubscribe_url\b""")
STYLED_FIELD = re.compile(r"""style\s*=\s*"[^"]*\{\{""")
COUNT = re.compile(r'count\s*=\s*["\'](\d+)["\']')
ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)(\w+;)")
FOLDER = Path(__file__).parent / "starters"
PIXEL = '<img src="{{ open_url }}" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0">'
HIDDEN = '<div style="display:none;max-height:0;overflow:hidden;font-size:1px;line-height:1px">%s</div>'


@dataclass(frozen=True)
class Problem:
    """What is wrong with a mail, in words for its author. ``blocks``: it can't be sent like this."""

    text: str
    blocks: bool = True
    line: int | None = None


@dataclass(frozen=True)
class Starter:
    """A mail to start from."""

    key: str
    name: Any
    hint: Any

    @property
    def mjml(self) -> str:
        """The MJML source."""
        return (FOLDER / f"{self.key}.mjml").read_text()


STARTERS = (
    Starter("picked_for_you", gettext_lazy("Picked for you"), gettext_lazy("Three personal picks with their reasons")),
    Starter(
        "favourite_category",
        gettext_lazy("More of her favourite category"),
        gettext_lazy("Opens with what she likes most, three picks"),
    ),
    Starter("we_miss_you", gettext_lazy("We miss you"), gettext_lazy("For shoppers who went quiet, two picks")),
)


def expand(mjml: str) -> str:
    """Return plain MJML: our own tags for picks and footer become sections; a missing footer is added."""
    column = (FOLDER / "picks_column.mjml").read_text()

    def picks(match: "re.Match[str]") -> str:
        count = COUNT.search(match[1])
        n = min(MAX_PICKS, max(1, int(count[1]))) if count else 3
        columns = "".join(column.replace("pickN", f"pick{number}") for number in range(1, n + 1))
        return f'<mj-section padding="8px 16px 0">{columns}</mj-section>'

    footer = (FOLDER / "footer.mjml").read_text()
    # Browsers send \r\n, which mrml takes for a token of its own.
    mjml = PICKS_TAG.sub(picks, mjml.replace("\r\n", "\n").replace("\r", "\n"))
    mjml = FOOTER_TAG.sub(lambda _match: footer, mjml)
    if not UNSUBSCRIBE_LINK.search(COMMENT.sub("", mjml)):
        mjml = mjml.replace("</mj-body>", footer + "</mj-body>", 1)
    return _known_entities(mjml)


def _known_entities(mjml: str) -> str:
    """Write out HTML's named characters, which XML does not know; &LT; and the like stay escaped."""
    return ENTITY.sub(lambda match: html.escape(html5[match[1]]) if match[1] in html5 else match[0], mjml)


def _as_written(mjml: str) -> str:
    """Return markup with the author's own lines, so that a fault is named where she sees it."""

    def empty(match: "re.Match[str]") -> str:
        return "<mai-tag/>" + "\n" * match[0].count("\n")

    return _known_entities(FOOTER_TAG.sub(empty, PICKS_TAG.sub(empty, mjml)))


def problems_of(variant: Variant) -> list[Problem]:
    """Return all that is wrong with a variant; the first blocking one is what to mend first."""
    found = list(_text_problems(variant))
    if not variant.mjml.strip():
        return [*found, Problem(_("The email has no content yet. Choose a starter or write MJML."))]
    found += _markup_problems(variant.mjml)
    if not any(problem.blocks for problem in found):
        source = compile_html(variant.mjml, variant.preheader)
        size = len(source.encode())
        if not UNSUBSCRIBE_LINK.search(COMMENT.sub("", source)):
            found.append(Problem(_("The email has no unsubscribe link. Put <mai-footer /> at the end of <mj-body>.")))
        if STYLED_FIELD.search(source):
            found.append(Problem(_("A merge field can't stand in a colour, size or other style. Use it in text.")))
        if size > GMAIL_LIMIT:
            sentence = _("The email is %(size)s KB. Gmail hides what comes after 102 KB; make it shorter.")
            found.append(Problem(sentence % {"size": size // 1000}, blocks=False))
    return found


def _text_problems(variant: Variant) -> Iterator[Problem]:
    if not variant.subject.strip():
        yield Problem(_("The subject is empty. Write one on the step “Subject”."))
    for source in (variant.subject, variant.preheader):
        yield from _fault_sentences(source)
    if len(variant.subject) > 60:
        yield Problem(_("The subject is longer than 60 characters; phones cut it."), blocks=False)


def _fault_sentences(source: str) -> Iterator[Problem]:
    for fault in islice(language.faults(source, FIELDS), MAX_FAULTS):
        if not fault.name:
            text = _("These braces are no merge field. Write for example {{ first_name }} or {{ first_name|there }}.")
        elif fault.near:
            text = _("There is no merge field “%(name)s”. Did you mean “%(near)s”?") % {
                "name": fault.name, "near": fault.near,
            }  # fmt: skip
        else:
            text = _("There is no merge field “%(name)s”. Take one from the list.") % {"name": fault.name}
        yield Problem(text, line=fault.line)


def _markup_problems(mjml: str) -> list[Problem]:
    """Check form, tags, fields and links; a broken form hides the rest, so it stands alone."""
    if max(len(mjml), len(expand(mjml))) > MAX_MJML:
        return [Problem(_("The MJML is longer than 300,000 characters. Make it shorter."))]
    reader = _Tags()
    broken = reader.read(_as_written(mjml))
    if broken:
        return [broken]
    found = [
        Problem(_("The tag <%(tag)s> is not allowed here. Remove it.") % {"tag": tag}, line=line)
        for tag, line in reader.tags
        if tag in REFUSED_TAGS
    ]
    for name, line in reader.scripts:
        found.append(Problem(_("The attribute %(name)s is not allowed here. Remove it.") % {"name": name}, line=line))
    if not found:
        found += _render_problems(mjml)
    found += islice((problem for link in reader.links for problem in _link_problems(link)), MAX_FAULTS)
    return [*found, *_fault_sentences(mjml)][:MAX_FAULTS]


def _link_problems(link: str) -> Iterator[Problem]:
    """A click can lead to a whole address only; what else stands there would be a dead link in every mail."""
    shown, link = {"link": link[:80]}, link.strip()
    if "{{" in link:
        if not language.FIELD.fullmatch(link):
            text = _("A link may be an address or one whole field such as {{ pick1.url }}, not a mixture: %(link)s")
            yield Problem(text % shown)
    elif len(link) > MAX_LINK:
        yield Problem(_("A link is longer than 1,000 characters: %(link)s") % shown)
    elif not link.startswith("#") and not language.is_whole_address(link):
        yield Problem(_("A link must be a whole address that begins with https://: %(link)s") % shown)


def _render_problems(mjml: str) -> list[Problem]:
    try:
        to_html(expand(mjml))
    except OSError as error:
        return [Problem(_("The MJML can't be turned into an email: %(reason)s.") % {"reason": error})]
    return []


class _Tags:
    """Reads well-formed markup; refuses declarations, so no entity can be defined."""

    def __init__(self) -> None:
        self.tags: list[tuple[str, int]] = []
        self.links: list[str] = []
        self.scripts: list[tuple[str, int]] = []
        self.depth = 0

    def read(self, source: str) -> Problem | None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = lambda tag, attributes: self._start(parser, tag, attributes)
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(source.encode(), True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            text = _("The MJML is broken near line %(line)s: %(reason)s. Look for a tag that is not closed.")
            return Problem(text % {"line": error.lineno, "reason": reason}, line=error.lineno)
        except ValueError:
            return Problem(_("A <!DOCTYPE> is not allowed here. Remove it."))
        except RecursionError:
            text = _("Tags are nested more than 100 deep near line %(line)s. Close them earlier.")
            return Problem(text % {"line": parser.CurrentLineNumber}, line=parser.CurrentLineNumber)
        if not self.tags or self.tags[0][0] != "mjml":
            return Problem(_("The content must begin with <mjml>. Choose a starter to see the form."))
        return None

    def _start(self, parser: Any, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RecursionError
        self.tags.append((tag.lower(), parser.CurrentLineNumber))
        handlers = (name for name in attributes if name.lower().startswith("on"))
        self.scripts += [(name, parser.CurrentLineNumber) for name in handlers]
        if attributes.get("href"):
            self.links.append(attributes["href"])

    def _end(self, _tag: str) -> None:
        self.depth -= 1

    def _refuse(self, *_declaration: Any) -> None:
        raise ValueError("doctype")


def to_html(mjml: str) -> str:
    """Return the HTML of plain MJML; no fonts are fetched, or each reader's mail program would call their host."""
    return str(mrml.to_html(mjml, None, mrml.RenderOptions(fonts={})).content)


def compile_html(mjml: str, preheader: str = "") -> str:
    """Return the HTML of a checked mail, merge fields still in it, with preheader and pixel."""
    source = to_html(expand(mjml))
    hidden = HIDDEN % _escaped_literals(preheader) if preheader else ""
    body = source.index(">", source.index("<body")) + 1
    source = source[:body] + hidden + source[body:]
    return source.replace("</body>", f"{PIXEL}</body>", 1)


def _escaped_literals(text: str) -> str:
    """Escape a text for HTML but leave its merge fields as they are."""
    out, end = [], 0
    for match in language.FIELD.finditer(text):
        out += [html.escape(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*out, html.escape(text[end:])])


@dataclass(frozen=True)
class Link:
    """A tracked link of a mail: a fixed address, or the product in one pick slot."""

    url: str = ""
    pick: int | None = None


def compile_variant(variant: Variant, shop_url: str, first_number: int = 1) -> tuple[dict[str, Any], list[Link]]:
    """Return the parts of a checked variant (for ``Variant.compiled``) and its links, counted from ``first_number``."""
    links: list[Link] = []
    source = markup.replace_links(
        compile_html(variant.mjml, variant.preheader), lambda address: _tracked(address, links, shop_url, first_number)
    )
    parts = {
        "subject": language.parts_of_text(variant.subject),
        "preheader": language.parts_of_text(variant.preheader),
        "html": language.parts_of_html(source),
        "text": language.parts_of_text(markup.text_of(source)),
    }
    names = set().union(*(language.fields_of(part) for part in parts.values()))
    return {**parts, "n_picks": language.n_picks(names), "fields": sorted(names)}, links


def _tracked(address: str, links: list[Link], shop_url: str, first_number: int) -> str:
    """Put a numbered field in a link's place; unsubscribe, mail and phone links lead directly."""
    field = language.FIELD.fullmatch(address.strip())
    name = field[1] if field else ""
    if name == "unsubscribe_url" or not address.strip() or address.startswith(("mailto:", "tel:", "#")):
        return address
    pick = language.PICK.fullmatch(name)
    link = Link(pick=int(pick[1])) if pick else Link(url=shop_url if name else address)
    if link not in links:
        links.append(link)
    return f"{{{{ link.{first_number + links.index(link)} }}}}"
