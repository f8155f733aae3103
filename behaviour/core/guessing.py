"""Which field a column without a telling name may be, by looking at its values. Offered, never taken by itself."""

from collections.abc import Callable, Mapping

import polars as pl

from behaviour.core.columns import FIELDS, KNOWN_EVENTS, NEEDED, Match, plain
from behaviour.core.parsing import Block

# So many of the filled cells must look alike.
ENOUGH = 0.9
ROWS = 2_000
DATE = r"^\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}|^\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|^1[0-9]{9}(\d{3})?$"
PICTURE = r"^https?://\S+\.(jpe?g|png|webp|gif|avif)(\?\S*)?$"
NUMBER = r"^\D{0,3}[\d.,'\s]+\D{0,3}$"
NUMBERS = ("price", "quantity", "rating", "stock", "position")
LANGUAGE = r"^(en|de|fr|es|it|nl|pl|pt|sv|da|fi|nb|cs|zh|ja|ko)([-_][A-Za-z]{2,4})?$"


def suggestions(block: Block, match: Match) -> dict[int, str]:
    """Return column -> field for columns that have none; each field is offered once, and only where it is free."""
    frame = block.frame.head(ROWS)
    free = [name for name in LOOKS if name in FIELDS[match.kind] and name not in match.columns]
    used = set(match.columns.values())
    found: dict[int, str] = {}
    for at in range(frame.width - 1):
        if at in used:
            continue
        cells = _filled(frame, at)
        name = next((name for name in free if LOOKS[name](cells)), "")
        if name:
            found[at] = name
            free.remove(name)
    return found | _ids(frame, match, {*used, *found})


def doubtful(block: Block, match: Match) -> set[str]:
    """Return the fields whose column has the right name, but values that look like something else."""
    frame = block.frame.head(ROWS)
    looks = {**LOOKS, **dict.fromkeys(NUMBERS, _pattern(NUMBER))}
    cells = {name: _filled(frame, at) for name, at in match.columns.items() if name in looks}
    return {name for name, seen in cells.items() if len(seen) and not looks[name](seen)}


def _filled(frame: pl.DataFrame, at: int) -> pl.Series:
    cells = frame[f"c{at}"].str.strip_chars()
    return cells.filter(cells != "")


def _ids(frame: pl.DataFrame, match: Match, used: set[int]) -> dict[int, str]:
    """Offer a needed id where exactly one column of short texts is left that repeats as ids do."""
    needed = [name for group in NEEDED[match.kind] for name in group if name in ("user_id", "item_id")]
    missing = [name for name in needed if name not in match.columns]
    left = [at for at in range(frame.width - 1) if at not in used and _like_ids(frame[f"c{at}"])]
    return {left[0]: missing[0]} if len(left) == len(missing) == 1 else {}


def _like_ids(cells: pl.Series) -> bool:
    return _share(cells, cells.str.contains(r"^[\w.:-]{1,40}$")) and bool(cells.str.contains(r"\d").any())


def _share(cells: pl.Series, like: pl.Series) -> bool:
    return len(cells) > 0 and (like.sum() or 0) >= ENOUGH * len(cells)


def _pattern(pattern: str) -> Callable[[pl.Series], bool]:
    return lambda cells: _share(cells, cells.str.contains(pattern))


def _events(cells: pl.Series) -> bool:
    names = cells.unique().to_list()
    return 0 < len(names) <= 50 and any(plain(name) in KNOWN_EVENTS for name in names)


# Field -> what tells its values; the surer ones first.
LOOKS: Mapping[str, Callable[[pl.Series], bool]] = {
    "email": _pattern(r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    "image": _pattern(PICTURE),
    "url": _pattern(r"^https?://\S+$"),
    "currency": _pattern(r"^(EUR|USD|GBP|CNY|JPY|CHF|PLN|SEK|DKK|NOK|CZK|CAD|AUD|INR)$"),
    "event": _events,
    "timestamp": _pattern(DATE),
    "locale": _pattern(LANGUAGE),
    "price": _pattern(r"^[€$£¥]?\s?\d{1,6}[.,]\d{2}\s?[€$£¥]?$"),
}
