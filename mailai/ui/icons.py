"""Inline SVG icons, read from the npm package: a web font would cost 505 KB."""

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# A packager may leave node_modules out; then a page still shows, without pictures.
EMPTY = '<path d="M5 5h14v14h-14z"/>'
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def icon_file(name: str) -> Path:
    """Return the SVG file of a Tabler outline icon."""
    return Path(settings.NODE_MODULES) / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"


@cache
def drawing(name: str) -> str:
    """Return the inner drawing of an icon, without Tabler's invisible frame."""
    if not NAME.fullmatch(name) or not icon_file(name).exists():
        return EMPTY
    inner = icon_file(name).read_text().split(">", 1)[1].rsplit("</svg>", 1)[0]
    inner = inner.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "")
    return re.sub(r">\s+<", "><", inner.strip())


def icon_svg(name: str, label: str = "", css: str = "") -> SafeString:
    """Return the icon; decorative unless it has a label."""
    meaning = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    classes = escape(f"ti {css}".strip())
    return mark_safe(  # noqa: S308 the drawing comes from our own files, the rest is escaped
        f'<svg class="{classes}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" {meaning}>{drawing(name)}</svg>'
    )
