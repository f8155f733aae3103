"""Rules for everything the browser gets, checked on the files themselves."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import plotly.offline
import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from mailai.ui import shell
from mailai.ui.finders import NPM_FILES, NpmFinder
from mailai.ui.icons import drawing, icon_file, icon_svg

ROOT = Path(settings.BASE_DIR)
PAGES = [
    file
    for folder in [ROOT / "templates", *ROOT.glob("*/templates")]
    for file in sorted(folder.rglob("*.html"))
    # Mail programs know no style sheets: there, and only there, styles stand inline.
    if not {"mail", "mails", "emails", "starters"} & set(file.parts)
]
FORBIDDEN = {
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "an inline style sheet": r"<style\b",
    "an event attribute": r"<[^>]*\son[a-z]+\s*=",
    "a script in an htmx attribute": r"hx-on|js:|javascript:",
    "a trigger filter, which needs eval": r"hx-trigger=\"[^\"]*\[",
    "another host": r"(src|href)=\"(https?:)?//",
}


def without_tags(source: str) -> str:
    """Return the HTML with template tags and comments cut out, so that a > inside them misleads nobody."""
    return re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "x", source)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_holds(what: str) -> None:
    guilty = [
        str(file.relative_to(ROOT)) for file in PAGES if re.search(FORBIDDEN[what], without_tags(file.read_text()))
    ]
    assert guilty == [], f"{what} is refused by the content policy"


def test_every_component_names_its_inputs() -> None:
    assert PAGES
    mute = [
        file.name
        for file in (ROOT / "templates" / "components").glob("*.html")
        if not file.read_text().startswith("{#")
    ]
    assert mute == []


def used_icons() -> Iterator[str]:
    for file in PAGES:
        yield from re.findall(r"\{% icon [\"']([^\"']+)[\"']", file.read_text())
        yield from re.findall(r"\bicon=[\"']([^\"']+)[\"']", file.read_text())
    for entry in [*shell.ACTIONS, *(entry for group in shell.NAVIGATION for entry in group.entries)]:
        yield entry.icon


def test_every_icon_in_a_template_exists() -> None:
    assert sorted({name for name in used_icons() if not icon_file(name).exists()}) == []


def test_an_icon_is_decorative_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in icon_svg("send")
    labelled = icon_svg("send", label='Sent "now"')
    assert 'role="img"' in labelled
    assert "&quot;now&quot;" in labelled


@pytest.mark.parametrize("name", ["../../../package", "no-such-icon", "", "a/b"])
def test_an_unknown_icon_draws_a_box_and_reads_no_other_file(name: str) -> None:
    assert drawing(name) == '<path d="M5 5h14v14h-14z"/>'


def test_every_listed_npm_file_is_served_with_its_source_map() -> None:
    finder = NpmFinder()
    assert finder.check() == []
    assert {name for name, _ in finder.list(None)} == set(NPM_FILES)
    for name in NPM_FILES:
        assert finders.find(f"npm/{name}"), name
        if name.endswith(".map"):
            continue  # a map quotes its source, address and all
        text = (Path(settings.NODE_MODULES) / name).read_bytes()[-300:].decode(errors="ignore")
        for named in re.findall(r"sourceMappingURL=(\S+)", text)[-1:]:
            assert f"{name.rsplit('/', 1)[0]}/{named}" in NPM_FILES


@pytest.mark.parametrize(
    "path", ["npm/htmx.org/package.json", "npm/../package.json", "htmx.org/dist/htmx.min.js", "npm/"]
)
def test_no_other_file_of_node_modules_is_served(path: str) -> None:
    assert not NpmFinder().find(path)
    assert NpmFinder().find(path, find_all=True) == []


def test_the_check_says_what_to_run_when_files_are_missing(settings: object, tmp_path: Path) -> None:
    settings.NODE_MODULES = tmp_path
    complaints = NpmFinder().check()
    assert len(complaints) == len(NPM_FILES)
    assert "npm ci" in complaints[0].hint


def test_plotly_has_one_version_on_both_sides() -> None:
    pins = json.loads((ROOT / "package.json").read_text())["dependencies"]
    assert pins["plotly.js-basic-dist-min"] == plotly.offline.get_plotlyjs_version()
    assert not [pin for pin in pins.values() if not pin[0].isdigit()], "exact pins only"


def test_no_script_speaks_english() -> None:
    """Words for people come from the page; a script holds names, selectors and keys only."""
    for file in (ROOT / "static" / "js").glob("*.js"):
        code = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.S)
        sentences = [text for text in re.findall(r'"([^"\n]*)"', code) if re.search(r"[A-Z][a-z]+ [a-z]+ [a-z]+", text)]
        assert sentences == [], file.name
