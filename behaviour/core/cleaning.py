"""Rows of behaviour to events: right ones go on, odd ones are fixed and counted, the rest is refused with a reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from behaviour.core import addresses, filling, people, refunds
from behaviour.core.columns import ONLINE_RETAIL, Match
from behaviour.core.examples import examples_of
from behaviour.core.keys import SEPARATOR, own_keys, timed_keys
from behaviour.core.parsing import Block, Row
from behaviour.core.robots import hashed
from behaviour.core.rules import SOLD, is_on, is_test_shopper, no_products
from behaviour.core.typed import Reading, typed_rows

LONGEST_ID, LONGEST_ORDER, LONGEST_NAME, LONGEST_COUNTRY = 120, 80, 300, 60
LONGEST_ANSWER = 200
MOST_PIECES, HIGHEST_PRICE, MOST_STARS = 1_000_000, 1e8, 100
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
# What the rule about times lets through when a person switched it off.
ANY_TIME = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
NEED_PRODUCT = ("view", "favourite", "cart", "uncart", "purchase", "refund", "rating")
# Codes of a shop's real products begin with a digit: 22423, 85123A. POST, DOT, M, BANK CHARGES, PADS … are bookkeeping.
RETAIL_PRODUCT = r"^\d"
GIVEN = ""
ANSWERED = "survey_answer"
# Orders, or lines of them, by which nothing was sold.
ORDER_STATES = ("cancelled", "refunded", "part", "test", "unpaid")
FIXES = (
    "spaces",
    "number_tidied",
    "date_format",
    "became_refund",
    "id_decimal",
    "email_typo_fixed",
    "filled_price",
    "filled_quantity",
    "filled_country",
)


@dataclass
class Cleaned:
    """What became of some rows.

    frame : what is right, typed, one row each, in the order of the file; a repeated row stands once.
    refused : (row, code of the reason).
    people : what a file of events says about the persons behind them (``core.people``), None where it says nothing.
    block : what was read; ``frame`` counts its records in the column ``row``.
    repeated : rows that say again what a row before them said.
    fixed : rows in ``frame`` in which something was put right.
    findings : code -> rows, for fixes and other observations; refusals are counted by the caller from ``refused``.
    examples : code of a fix -> (line, cell, what it became), one for each.
    foreseen : as ``findings``, of what these rows alone can only guess and the import counts at its end.
    """

    frame: pl.DataFrame
    refused: list[tuple[Row, str]]
    block: Block
    repeated: int = 0
    fixed: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    people: pl.DataFrame | None = None
    examples: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    foreseen: Counter[str] = field(default_factory=Counter)


Rule = tuple[str, pl.Expr]


def judge(frame: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Add ``reason``: the code of the first rule that holds, "" where none does."""
    broken = frame.select(condition.fill_null(value=True).alias(str(at)) for at, (_code, condition) in enumerate(rules))
    # Most rows are right: their reason is not worked out.
    bad = broken.select(pl.any_horizontal(pl.all())).to_series()
    reason = pl.lit(GIVEN)
    for at, (code, _condition) in reversed(list(enumerate(rules))):
        reason = pl.when(pl.col(str(at))).then(pl.lit(code)).otherwise(reason)
    reasons = broken.filter(bad).select(reason.alias("reason"))["reason"]
    return frame.with_columns(reason=pl.repeat(GIVEN, len(frame), eager=True).scatter(bad.arg_true(), reasons))


def part(frame: pl.DataFrame, block: Block) -> tuple[pl.DataFrame, list[tuple[Row, str]]]:
    """Part what was judged good from the refused rows, those that the reader refused included."""
    bad = frame.filter(pl.col("reason") != GIVEN).select("row", "reason")
    refused = list(zip(block.rows(bad["row"].to_list()), bad["reason"], strict=True))
    return frame.filter(pl.col("reason") == GIVEN), [*((row, row.broken) for row in block.refused), *refused]


def count_fixes(frame: pl.DataFrame, fixes: Sequence[str]) -> tuple[int, Counter[str]]:
    """Return in how many rows something was fixed, and how often each fix was needed."""
    fixes = [name for name in fixes if name in frame.columns]
    if frame.is_empty() or not fixes:
        return 0, Counter()
    counts = Counter({name: int(frame[name].sum()) for name in fixes if frame[name].sum()})
    return int(frame.select(pl.any_horizontal(fixes)).to_series().sum()), counts


def clean_events(block: Block, match: Match, reading: Reading) -> Cleaned:
    """Clean rows of behaviour or orders.

    The frame has user_id, item_id (text, "" = none), kind, at (UTC), quantity (int), cents (int, the line's total; for
    a rating the stars times 100), order_id, country, name, price, message_id, question, answer (text) and
    key (hexadecimal).
    """
    retail = match.layout == ONLINE_RETAIL
    frame = typed_rows(block, match, reading)
    frame = frame.with_columns(no_product=no_products(frame, reading.non_products))
    rules = _retail_rules() if retail else _rules(frame, match, reading)
    frame, refused = part(judge(frame, [*rules, *_time_rules(match, reading)]), block)
    frame = _with_keys(_within_limits(frame), retail=retail)
    repeated = len(frame) - frame["key"].n_unique()
    once = frame.unique("key", keep="first", maintain_order=True) if repeated else frame
    if retail:
        return Cleaned(once, refused, block, repeated, 0, _retail_findings(frame, once))
    once = _filled(once, reading)
    foreseen = Counter({code: n for code, n in refunds.foresee(once).items() if is_on(code, reading.rules)})
    fixed, findings = count_fixes(once, FIXES)
    about = people.people_in(once, match)
    findings += _marks(once, reading) + addresses.marks(about, reading.rules)
    if "timestamp" not in match.columns:
        findings["no_clock"] = len(once)
    examples = examples_of(once, block, match)
    return Cleaned(once, refused, block, repeated, fixed, findings, about, examples, foreseen)


def _within_limits(frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out prices beyond all limits, which only come here where a person switched their rule off."""
    beyond = pl.col("each").is_not_null() & ~pl.col("each").is_between(0, HIGHEST_PRICE)
    return frame.with_columns(
        price_left_out=beyond, each=pl.when(~beyond).then(pl.col("each")), quantity_text=pl.col("quantity")
    )


def _filled(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Fill empty cells where a person allowed it; the identity of a row stays what the file said."""
    known = {name: values for name, values in reading.found.filled_with.items() if name in reading.fill and values}
    if not known:
        return frame
    return filling.fill(frame, known, pl.col("kind").is_in(SOLD) & ~pl.col("other_currency"))


def _marks(frame: pl.DataFrame, reading: Reading) -> Counter[str]:
    """Count what is odd and yet goes on."""
    counts = {
        "other_currency": int(frame["other_currency"].sum()),
        "price_left_out": int(frame["price_left_out"].sum()),
    }
    if reading.found.usual:
        far = frame.select(price_outlier=_far("each", 0, reading), quantity_outlier=_far("quantity", 1, reading))
        counts |= {code: int(far[code].sum()) for code in far.columns if is_on(code, reading.rules)}
    return Counter({code: n for code, n in counts.items() if n})


def _far(name: str, place: int, reading: Reading) -> pl.Expr:
    """Say whether a number is far above what is usual for the product."""
    limits = {item: both[place] for item, both in reading.found.usual.items() if both[place] is not None}
    if not limits:
        return pl.lit(value=False)
    limit = pl.col("item_id").replace_strict(list(limits), list(limits.values()), default=None, return_dtype=pl.Float64)
    return (pl.col("kind").is_in(SOLD) & (pl.col(name) > limit)).fill_null(value=False)


def _id_rules() -> list[Rule]:
    return [
        ("no_shopper", pl.col("user_id") == ""),
        ("id_too_long", pl.any_horizontal(_longer("user_id", LONGEST_ID), _longer("item_id", LONGEST_ID))),
        ("id_too_long", _longer("order_id", LONGEST_ORDER)),
    ]


def _longer(name: str, limit: int) -> pl.Expr:
    return pl.col(name).str.len_chars() > limit


def _rules(frame: pl.DataFrame, match: Match, reading: Reading) -> list[Rule]:
    rated, answered = pl.col("kind") == "rating", pl.col("kind") == ANSWERED
    rules = [
        *_id_rules(),
        ("robot", _is_robot(reading)),
        ("unknown_event", pl.col("kind").is_null() | (pl.col("kind") == "skip")),
        *((f"order_{state}", pl.col("order_state") == state) for state in ORDER_STATES),
        ("test_shopper", is_test_shopper(frame)),
        # Where the export has no products at all, an order without one still is an order.
        (
            "no_product",
            pl.col("kind").is_in(NEED_PRODUCT) & (pl.col("item_id") == "") & pl.lit("item_id" in match.columns),
        ),
        ("not_a_product", pl.col("kind").is_in(NEED_PRODUCT) & pl.col("no_product")),
        ("quantity_unreadable", pl.col("pieces").is_null() | (pl.col("pieces") != pl.col("pieces").round())),
        ("quantity_out_of_range", ~pl.col("pieces").is_between(1, MOST_PIECES)),
        ("price_unreadable", (pl.col("price") != "") & pl.col("each").is_null()),
        ("price_out_of_range", pl.col("each").is_not_null() & ~pl.col("each").is_between(0, HIGHEST_PRICE)),
        ("rating_unreadable", rated & ~pl.col("stars").is_between(0, MOST_STARS).fill_null(value=False)),
        ("answer_missing", answered & ((pl.col("question") == "") | (pl.col("answer") == ""))),
        ("answer_too_long", answered & (_longer("question", LONGEST_ANSWER) | _longer("answer", LONGEST_ANSWER))),
        ("outlier", _far("each", 0, reading) | _far("pieces", 1, reading)),
    ]
    return [rule for rule in rules if is_on(rule[0], reading.rules)]


def _is_robot(reading: Reading) -> pl.Expr:
    """Say whether a machine did it; what it bought counts all the same."""
    robots = pl.Series(reading.found.robots, dtype=pl.UInt64)
    if robots.is_empty():
        return pl.lit(value=False)
    return hashed("user_id").is_in(robots.implode()) & ~pl.col("kind").is_in(["purchase", "refund"])


def _retail_rules() -> list[Rule]:
    """Give the published cleaning of the data set, in its order, so that each step counts the same."""
    return [
        *_id_rules(),
        ("not_positive", (pl.col("pieces").fill_null(0) <= 0) | (pl.col("each").fill_null(0) <= 0)),
        ("return_not_a_product", (pl.col("kind") == "refund") & ~pl.col("item_id").str.contains(RETAIL_PRODUCT)),
        ("not_a_product", ~pl.col("item_id").str.contains(RETAIL_PRODUCT)),
        ("quantity_out_of_range", (pl.col("pieces") > MOST_PIECES) | (pl.col("pieces") != pl.col("pieces").round())),
        ("price_out_of_range", pl.col("each") > HIGHEST_PRICE),
    ]


def _time_rules(match: Match, reading: Reading) -> list[Rule]:
    column = "timestamp" if "timestamp" in match.columns else "position"
    limits = (EARLIEST, reading.now + timedelta(days=1))
    first, last = limits if is_on("time_out_of_range", reading.rules) else ANY_TIME
    return [
        ("no_time", pl.col(column) == ""),
        ("time_unreadable", pl.col("at").is_null()),
        ("time_out_of_range", ~pl.col("at").is_between(first, last)),
    ]


def _with_keys(frame: pl.DataFrame, *, retail: bool) -> pl.DataFrame:
    """Add the line's total and the key of its content: shopper, product, kind, time, order, quantity, price."""
    rated = pl.col("kind") == "rating"
    total = pl.when(rated).then(pl.col("stars")).otherwise(pl.col("each") * pl.col("pieces"))
    # Few files know fractions of a millisecond.
    fraction = frame["at"].dt.epoch("us") % 1000
    frame = frame.with_columns(
        quantity=pl.col("pieces").cast(pl.Int64),
        cents=(total * 100).round().cast(pl.Int64),
        pl_price=pl.col("each").cast(pl.String).fill_null(""),
        stars_text=pl.when(rated).then(pl.col("stars").cast(pl.String)).otherwise(pl.lit("")),
    )
    parts = [
        pl.col("user_id"), pl.col("item_id"), pl.col("kind"),
        fraction.cast(pl.String) if (fraction != 0).any() else pl.lit("0"),
        pl.col("order_id"), pl.col("quantity").cast(pl.String), pl.col("pl_price"), pl.col("stars_text"),
        pl.col("message_id"),
    ]  # fmt: skip
    content = pl.concat_str(parts, separator=SEPARATOR)
    frame = frame.with_columns(content=content)
    if (frame["kind"] == ANSWERED).any():
        said = pl.concat_str("content", "question", "answer", separator=SEPARATOR)
        frame = frame.with_columns(content=pl.when(pl.col("kind") == ANSWERED).then(said).otherwise("content"))
    if retail:
        # An order holds the same line twice under two names (two pairs in the year): the second is no repetition.
        detail = pl.concat_str("name", "country", separator=SEPARATOR)
        first = detail.first().over("content")
        longer = pl.concat_str(pl.col("content"), detail, separator=SEPARATOR)
        frame = frame.with_columns(content=pl.when(detail == first).then(pl.col("content")).otherwise(longer))
    # The price is part of the key, but no amount in another currency goes on.
    unknown = pl.col("other_currency")
    return frame.with_columns(
        cents=pl.when(rated | ~unknown).then(pl.col("cents")),
        each=pl.when(~unknown).then(pl.col("each")),
        key=_keys(frame),
    )


def _keys(frame: pl.DataFrame) -> pl.Series:
    """Return what identifies each row: its own key where the file gives one, else its time and content."""
    made = timed_keys(frame["at"].dt.epoch("ms").clip(lower_bound=0), frame["content"])
    if (frame["dedupe_key"] != "").any():
        own = pl.Series(own_keys(frame["dedupe_key"].to_list()))
        return made.zip_with(frame["dedupe_key"] == "", own)
    return made


def _retail_findings(frame: pl.DataFrame, once: pl.DataFrame) -> Counter[str]:
    """Count what the published cleaning counts: orders kept and repeated, returns kept and repeated."""
    before, after = Counter(frame["kind"].to_list()), Counter(once["kind"].to_list())
    return Counter(
        {
            "purchases": after["purchase"],
            "repeated_purchases": before["purchase"] - after["purchase"],
            "refunds": after["refund"],
            "repeated_refunds": before["refund"] - after["refund"],
        }
    )
