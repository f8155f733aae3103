"""Serves an allow-list of npm files under ``npm/``; whole packages hold 1,400 files and broken source maps."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage

PREFIX = "npm"
# A file that carries a sourceMappingURL needs its map beside it, else the manifest step of collectstatic stops.
NPM_FILES = (
    "@tabler/core/dist/css/tabler.min.css",
    "@tabler/core/dist/css/tabler.min.css.map",
    "@tabler/core/dist/js/tabler.min.js",
    "@tabler/core/dist/js/tabler.min.js.map",
    "htmx.org/dist/htmx.min.js",
    "htmx.org/dist/htmx.min.js.map",
    "plotly.js-basic-dist-min/plotly-basic.min.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
)


# The method NpmFinder.list hides the type inside the class.
Complaints = list[CheckMessage]


class NpmStorage(FileSystemStorage):
    """The folder ``node_modules``, published under the prefix ``npm``."""

    prefix = PREFIX


class NpmFinder(BaseFinder):
    """Finds the listed npm files and nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.folder = Path(settings.NODE_MODULES)
        self.storage = NpmStorage(location=self.folder)

    def find(self, path: str, *args: Any, **kwargs: Any) -> Any:
        """Return the file behind a static path; a list when all matches are asked for."""
        find_all = kwargs.get("find_all", kwargs.get("all", args[0] if args else False))
        name = Path(path).as_posix().removeprefix(f"{PREFIX}/")
        file = self.folder / name
        found = name != Path(path).as_posix() and name in NPM_FILES and file.exists()
        if not found:
            return []
        return [str(file)] if find_all else str(file)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield each listed file that is there; check() complains about the others."""
        for name in NPM_FILES:
            if (self.folder / name).exists() and not matches_patterns(name, ignore_patterns or ()):
                yield name, self.storage

    def check(self, **kwargs: Any) -> Complaints:
        """Report every listed file that is missing."""
        return [
            Error(f"The front-end file {name} is missing.", hint="Run npm ci (make run does it).", id="mailai.E001")
            for name in NPM_FILES
            if not (self.folder / name).exists()
        ]
