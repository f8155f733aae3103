"""Sentences put together from parts, with the gaps that Chinese wants between its letters and others."""

import re

from django.utils.translation import get_language

HAN = "\u4e00-\u9fff"
# A date such as 11月27日 stays as it is written everywhere.
DATE = "年月日"
GAPS = (
    (re.compile(r"\("), "（"),
    (re.compile(r"\)"), "）"),
    (re.compile(r"\s*([（），。；：、])\s*"), r"\1"),
    (re.compile(rf"(?<=[{HAN}])(?<![{DATE}])\s+(?=[{HAN}])"), ""),
    (re.compile(rf"(?<=[{HAN}])(?<![{DATE}])(?=[A-Za-z0-9£$€])"), " "),
    (re.compile(rf"(?<=[A-Za-z0-9%])(?=[{HAN}])(?![{DATE}])"), " "),
)
# Names stand in quotes; they are not ours to change.
QUOTED = re.compile(r"(“[^”]*”)")


def spaced(text: str) -> str:
    """Return a sentence with one gap between Chinese and Latin letters, and none where Chinese has none."""
    if not (get_language() or "").startswith("zh"):
        return text
    return "".join(part if part.startswith("“") else _gaps(part) for part in QUOTED.split(text))


def _gaps(part: str) -> str:
    for found, instead in GAPS:
        part = found.sub(instead, part)
    return part
