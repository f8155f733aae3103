"""What the cells of a file tell about dates and numbers; what only a person can tell is asked, never guessed."""

import re
from dataclasses import dataclass
from typing import Any

import polars as pl

from behaviour.core import values
from behaviour.core.columns import Match
from behaviour.core.parsing import Block

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
DATES = ("timestamp", "consent_at")
# Fields that hold amounts; a layout may add its own.
AMOUNTS = ("price", "total", "discount", "refunded", "shipping", "quantity", "rating", "cost", "sale_price")
SAMPLES = 3
SLASHED = r"^\s*\d{1,2}[/-]\d{1,2}[/-](\d{4}|\d{2})(\D|$)"
# A number that tells its decimal mark: "12,50", "1.234,5"; not "1.250".
TELLS = {
    mark: [
        shape.replace("D", re.escape(mark)).replace("G", re.escape(other))
        for shape in (r"^\d*D(\d{1,2}|\d{4,})$", r"^0\d*D\d+$", r"^\d{4,}D\d+$", r"^\d{1,3}(G\d{3})+D\d*$",
                      r"^\d{1,3}(G\d{3}){2,}$")
    ]
    for mark, other in ((",", "."), (".", ","))
}  # fmt: skip
ONE_OR_THOUSAND = r"^[1-9]\d{0,2}[.,]\d{3}$"


@dataclass(frozen=True)
class Question:
    """What the file does not tell.

    code : "date_order" or "decimal".
    column : place of the column that shows it.
    samples : cells of it.
    choices : the answers; ``default`` is the more common one, taken only when a person says so.
    """

    code: str
    column: int
    samples: tuple[str, ...]
    choices: tuple[str, ...]
    default: str

    def stored(self, header: list[str]) -> dict[str, Any]:
        """Return the question as JSON values, its column by name."""
        return {
            "code": self.code,
            "column": header[self.column],
            "samples": list(self.samples),
            "choices": list(self.choices),
            "default": self.default,
        }


def questions(block: Block, match: Match) -> list[Question]:
    """Return what has to be asked before the file can be read: the order of day and month, the decimal mark."""
    asked = []
    if date_order(block, match) == "":
        column, cells = _first_like(block, match, DATES, SLASHED)
        one, two = _numbers(cells)
        # 03/03/2024 shows nobody the difference.
        telling = cells.filter(one != two)
        samples = tuple((telling if len(telling) else cells).head(SAMPLES))
        asked.append(Question("date_order", column, samples, (DAY_FIRST, MONTH_FIRST), DAY_FIRST))
    if decimal_mark(block, match) == "":
        column, cells = _first_like(block, match, AMOUNTS, ONE_OR_THOUSAND, signs=True)
        asked.append(Question("decimal", column, tuple(cells.head(SAMPLES)), (".", ","), "."))
    return asked


def _columns(match: Match, fields: tuple[str, ...]) -> list[int]:
    return list(dict.fromkeys(match.columns[name] for name in fields if name in match.columns))


def _cells(block: Block, column: int) -> pl.Series:
    """Return the different cells of a column without spaces around them."""
    return block.frame[f"c{column}"].str.strip_chars().unique(maintain_order=True)


def _bare(cells: pl.Series) -> pl.Series:
    return cells.str.replace_all(values.CURRENCY_SIGNS, "").str.replace_all(r"[\s()+−-]", "")


def _first_like(
    block: Block, match: Match, fields: tuple[str, ...], shape: str, *, signs: bool = False
) -> tuple[int, pl.Series]:
    """Return the first column with cells of a shape, and these cells."""
    for column in _columns(match, fields):
        cells = _cells(block, column)
        like = cells.filter((_bare(cells) if signs else cells).str.contains(shape))
        if len(like):
            return column, like
    return 0, pl.Series(dtype=pl.String)


def _numbers(dates: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the first and the second number of dates like 03/04/2024."""
    parts = dates.str.extract_groups(r"^(\d{1,2})[/-](\d{1,2})").struct
    return parts.field("1").cast(pl.Int64), parts.field("2").cast(pl.Int64)


def date_order(block: Block, match: Match) -> str | None:
    """Return which of day and month comes first in dates like 03/04/2024.

    "" when every such date could be meant either way, or they contradict each other; None when there are none, or each
    has the same number twice.
    """
    first, second, open_ = False, False, False
    for column in _columns(match, DATES):
        cells = _cells(block, column)
        one, two = _numbers(cells.filter(cells.str.contains(SLASHED)))
        first |= bool((one > 12).any())
        second |= bool((two > 12).any())
        open_ |= bool(((one <= 12) & (two <= 12) & (one != two)).any())
    if first and not second:
        return DAY_FIRST
    if second and not first:
        return MONTH_FIRST
    return "" if open_ or (first and second) else None


def decimal_mark(block: Block, match: Match) -> str | None:
    """Return the decimal mark of the amounts.

    "" when some could be one or a thousand and nothing tells, or both marks are seen; None when it does not matter.
    """
    told: set[str] = set()
    open_ = False
    for column in _columns(match, AMOUNTS):
        bare = _bare(_cells(block, column))
        told |= {mark for mark, shapes in TELLS.items() if any(bare.str.contains(shape).any() for shape in shapes)}
        open_ |= bool(bare.str.contains(ONE_OR_THOUSAND).any())
    if len(told) == 1:
        return told.pop()
    return "" if open_ else None


def seen(block: Block, match: Match) -> dict[str, Any]:
    """Return what the cells show, as JSON values: ``dates`` (formats, the most frequent first), ``zone_written``,
    ``date_order`` and ``decimal`` (absent where nothing is told)."""
    shown: dict[str, Any] = {"dates": [], "zone_written": False}
    counts: dict[str, int] = {}
    order = date_order(block, match)
    for column in _columns(match, DATES):
        cells = block.frame[f"c{column}"].str.strip_chars()
        cells = cells.filter(cells != "")
        for name, n in values.formats_seen(cells, day_first=order != MONTH_FIRST):
            counts[name] = counts.get(name, 0) + n
        shown["zone_written"] |= bool(cells.str.contains(r"\d:\d\d.*?" + values.ZONE).any())
    shown["dates"] = sorted(counts, key=lambda name: -counts[name])
    for name, found in (("date_order", order), ("decimal", decimal_mark(block, match))):
        if found:
            shown[name] = found
    return shown
