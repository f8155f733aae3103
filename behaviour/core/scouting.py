"""A quick look over a whole file before its rows are judged: machines, what is usual, what empty cells are taken for.

Both the check and the import judge by what was found here, so that they say the same of every row.
"""

from dataclasses import replace

import polars as pl

from behaviour.core import filling
from behaviour.core.cleaning import HIGHEST_PRICE, MOST_PIECES
from behaviour.core.columns import EVENTS, ONLINE_RETAIL, ORDERS, Match
from behaviour.core.parsing import Block
from behaviour.core.robots import RobotWatch
from behaviour.core.rules import SOLD, Found, is_on
from behaviour.core.typed import Reading, typed_rows, views

# Rows of which prices, quantities and countries are looked at.
SAMPLE = 200_000
# Other numbers say nothing about what is usual.
SENSIBLE = {"price": (0, HIGHEST_PRICE), "quantity": (1, MOST_PIECES)}
# Above the usual: ten times it, and ten standard deviations as the median of deviations tells them, of so many rows.
TIMES, DEVIATIONS, FEWEST, MOST_PRODUCTS = 10, 10 * 1.4826, 8, 5_000


class Scout:
    """Looks at one block after another."""

    def __init__(self, match: Match, reading: Reading) -> None:
        self._match, self._reading = match, reading
        behaviour = match.kind in (EVENTS, ORDERS) and match.layout != ONLINE_RETAIL
        watches = behaviour and match.kind == EVENTS and {"event", "timestamp"} <= set(match.columns)
        self._watch = RobotWatch() if watches and is_on("robot", reading.rules) else None
        numbers = behaviour and {"price", "quantity"} & set(match.columns)
        self._left = SAMPLE if numbers or (behaviour and reading.fill) else 0
        self._sample: list[pl.DataFrame] = []

    @property
    def needs_more(self) -> bool:
        """Say whether the next block tells something too."""
        return self._watch is not None or self._left > 0

    def add(self, block: Block) -> None:
        """Look at a block."""
        if self._left > 0:
            first = Block(block.frame.head(self._left))
            rows = typed_rows(first, self._match, self._reading)
            rows = rows.filter(pl.col("kind").is_in(SOLD))
            given = pl.when(pl.col("quantity") != "").then(pl.col("pieces"))
            self._sample.append(rows.select("item_id", "country", price=pl.col("each"), quantity=given))
            self._left -= len(first)
        if self._watch is not None:
            self._watch.add(views_in(block, self._match, self._reading))

    def finish(self) -> Found:
        """Return what was found."""
        robots = self._watch.robots() if self._watch else ()
        if not self._sample:
            return Found(robots)
        sample = pl.concat(self._sample)
        sensible = sample.with_columns(
            pl.when(pl.col(name).is_between(*ends)).then(name).alias(name) for name, ends in SENSIBLE.items()
        )
        prices, pieces = limits(sensible, "price"), limits(sensible, "quantity")
        usual = {item: (prices.get(item), pieces.get(item)) for item in {**prices, **pieces}}
        return Found(robots, usual, self._values(sensible))

    def _values(self, sample: pl.DataFrame) -> dict[str, dict[str, object]]:
        values: dict[str, dict[str, object]] = {}
        for name, way in self._reading.fill.items():
            if name == "country":
                text = filling.most_frequent(sample["country"])
                values[name] = {"": text} if text else {}
            else:
                values[name] = {**filling.numbers(sample, name, way)}
        return values


# All that tells who viewed when; the other columns are not worth reading twice.
WATCHED = ("user_id", "visitor_id", "email", "event", "timestamp", "position")


def views_in(block: Block, match: Match, reading: Reading) -> pl.DataFrame:
    """Return who viewed something and when. What stands without a zone is read as UTC: a minute is one on any clock."""
    narrow = replace(match, columns={name: at for name, at in match.columns.items() if name in WATCHED})
    return views(block, narrow, replace(reading, zone="UTC"))


def limits(sample: pl.DataFrame, name: str) -> dict[str, float]:
    """Return product -> the value above which one is far from the product's usual."""
    given = sample.filter(pl.col(name).is_not_null() & (pl.col("item_id") != "")).select("item_id", value=name)
    given = given.filter(pl.len().over("item_id") >= FEWEST)
    if given.is_empty():
        return {}
    middle = pl.col("value").median().over("item_id")
    given = given.with_columns(middle=middle).with_columns(off=(pl.col("value") - pl.col("middle")).abs())
    each = given.group_by("item_id", maintain_order=True).agg(
        pl.col("middle").first(), pl.col("off").median(), pl.len()
    )
    each = each.sort("len", descending=True, maintain_order=True).head(MOST_PRODUCTS)
    limit = pl.max_horizontal(pl.col("middle") * TIMES, pl.col("middle") + DEVIATIONS * pl.col("off"))
    return dict(each.filter(pl.col("middle") > 0).select("item_id", limit.round(2)).rows())
