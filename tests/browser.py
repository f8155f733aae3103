"""What tests in a real browser share: start Chromium, log in, note what goes wrong, measure accessibility."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, Request, expect

DESKTOP, PHONE = 1440, 390
HEIGHTS = {DESKTOP: 1000, PHONE: 844}
# Layout depends on the width, contrast on the theme, hardly anything on both: these two show what all four would.
DIAGONAL = pytest.mark.parametrize(("width", "theme"), [(DESKTOP, "light"), (PHONE, "dark")])
# The parts that all pages are made of are looked at in every way.
EVERY_WAY = pytest.mark.parametrize(("width", "theme"), [(w, t) for w in (DESKTOP, PHONE) for t in ("light", "dark")])
# What never comes fails a test; a busy machine, on which all of it takes ten times as long, must not.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
STILL_LOOKS = 3
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
# The policy is also reported where the browser would stay silent.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", function (e) {
  console.error("CSP " + e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber);
});
"""
# A frame in a sandbox is a document of its own: a mail is judged by tests of its own.
AXE = """async tags => {
  const options = {runOnly: {type: "tag", values: tags}, iframes: false, resultTypes: ["violations"]};
  const result = await axe.run(document, options);
  return result.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(", "));
}"""


@dataclass
class Watched:
    """A page and everything it complained about."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    flying: set[Request] = field(default_factory=set)

    def listen(self) -> None:
        """Note errors of scripts and of the policy, failed answers and requests to other hosts."""
        self.page.add_init_script(REPORT_VIOLATIONS)
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._leaves)
        self.page.on("requestfinished", self._ends)
        self.page.on("requestfailed", self._ends)

    def _leaves(self, request: Request) -> None:
        self.flying.add(request)
        if urlsplit(request.url).scheme in {"http", "https"} and not request.url.startswith(self.base):
            self.foreign.append(request.url)

    def _ends(self, request: Request) -> None:
        self.flying.discard(request)

    def open(self, path: str) -> None:
        """Go to a page of the app and wait until it is quiet."""
        self.flying.clear()
        self.page.goto(self.base + path)
        self.wait_until_quiet()

    def wait_until_quiet(self) -> None:
        """Wait until a moment passes without a request; Playwright's "networkidle" waits half a second on each page."""
        self.page.wait_for_load_state()
        deadline = time.monotonic() + PATIENCE_MS / 1000
        still = 0
        while still < STILL_LOOKS:
            assert time.monotonic() < deadline, f"still asking for {[request.url for request in self.flying]}"
            # What an answer brought is on the page, and has asked for more, two frames later.
            self.page.evaluate(TWO_FRAMES)
            still = 0 if self.flying else still + 1

    def axe(self) -> list[str]:
        """Return the accessibility rules that the page breaks, each with the elements that break it."""
        source = Path(settings.NODE_MODULES) / "axe-core" / "axe.min.js"
        self.page.evaluate(source.read_text())
        return self.page.evaluate(AXE, WCAG)

    def overflow(self) -> int:
        """Return by how many pixels the page scrolls sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def check(self) -> None:
        """Assert the definition of done of a page: quiet, at home, not too wide, usable by everybody."""
        found = {
            "complaints": self.complaints,
            "other hosts": self.foreign,
            "pixels too wide": self.overflow(),
            "accessibility": self.axe(),
        }
        # One assertion over all, so that one run shows everything that is wrong.
        assert not any(found.values()), {what: seen for what, seen in found.items() if seen}


Visit = Callable[..., Watched]


def follow(link: Locator) -> None:
    """Click what leads to another page, and wait until its scripts listen: before that, a click there does nothing."""
    link.click()
    link.page.wait_for_load_state()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Start the Chromium of the machine: nothing is downloaded for a test."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return {**browser_type_launch_args, "executable_path": found, "args": ["--no-sandbox"]}


@pytest.fixture
def visit(browser: Browser, live_server: Any) -> Iterator[Visit]:
    """Open a page as a user: visit("/", admin, width=PHONE, theme="dark")."""
    contexts = []

    def open_page(path: str, user: Any = None, *, width: int = DESKTOP, theme: str = "light") -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHTS[width]}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        context.set_default_timeout(PATIENCE_MS)
        watched = Watched(context.new_page(), live_server.url)
        watched.listen()
        watched.open(path)
        return watched

    yield open_page
    for context in contexts:
        context.close()
