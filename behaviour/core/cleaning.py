"""Rows of behaviour to events: right ones go on, odd ones are fixed and counted, the rest is refused with a reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from behaviour.core import addresses, filling, layouts, people, refunds, values
from behaviour.core.columns import EVENTS, KNOWN_EVENTS, ONLINE_RETAIL, Match, plain
from behaviour.core.examples import examples_of
from behaviour.core.keys import SEPARATOR, own_keys, timed_keys
from behaviour.core.parsing import Block, Row
from behaviour.core.robots import hashed
from behaviour.core.rules import SOLD, Found, is_no_product, is_on, is_test_shopper

LONGEST_ID, LONGEST_ORDER, LONGEST_NAME, LONGEST_COUNTRY = 120, 80, 300, 60
MOST_PIECES, HIGHEST_PRICE, MOST_STARS = 1_000_000, 1e8, 100
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
# What the rule about times lets through when a person switched it off.
ANY_TIME = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
# Files without a clock say only what came before what; one day per position, so that order and weekday spread stay.
NO_CLOCK_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NEED_PRODUCT = ("view", "favourite", "cart", "uncart", "purchase", "refund", "rating")
# Codes of a shop's real products begin with a digit: 22423, 85123A. POST, DOT, M, BANK CHARGES, PADS … are bookkeeping.
RETAIL_PRODUCT = r"^\d"
RETAIL_COUNTRIES = {
    "EIRE": "Ireland",
    "RSA": "South Africa",
    "USA": "United States",
    "Unspecified": "",
    "European Community": "",
}
GIVEN = ""
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


@dataclass(frozen=True)
class Reading:
    """How the cells of this file are to be understood.

    zone : IANA name; times without a zone are read in it.
    day_first : 3/4/2026 is the third of April.
    now : aware time; nothing may lie more than a day after it.
    events : name in the file -> kind, decided by a person.
    currency : code of the shop's currency; an amount in another one is left out.
    decimal : "." or ","; whether 1.250 is one or a thousand. "" = ".".
    rules : rule -> whether it holds, where a person said so (``core.rules``).
    fill : field -> "mean", "median" or "most_frequent": what an empty cell is taken for.
    non_products : further product codes or names that are bookkeeping.
    found : what the whole file told before (``core.scouting``).
    """

    zone: str
    now: datetime
    day_first: bool = True
    events: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    decimal: str = ""
    rules: Mapping[str, bool] = field(default_factory=dict)
    fill: Mapping[str, str] = field(default_factory=dict)
    non_products: tuple[str, ...] = ()
    found: Found = field(default_factory=Found)


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


def text_frame(block: Block, match: Match, fields: Sequence[str]) -> pl.DataFrame:
    """Return one text column for each field, empty where the file has none; edges are stripped; ``row`` counts."""
    places = {**match.columns, **match.helpers}
    layout = layouts.BY_NAME.get(match.layout)
    names = [*fields, *(name for name in (layout.helpers if layout else ()) if name not in fields)]
    there = {name: pl.col(f"c{places[name]}") for name in names if name in places}
    cells = [there.get(name, pl.lit("")).alias(name) for name in names]
    frame = block.frame.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), *cells)
    stripped = frame.with_columns(pl.col(name).str.strip_chars() for name in there)
    spaces = [frame[name] != stripped[name] for name in there]
    stripped = stripped.with_columns(spaces=pl.any_horizontal(spaces) if spaces else pl.lit(value=False))
    return layout.cells(stripped) if layout else stripped


def judge(frame: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Add ``reason``: the code of the first rule that holds, "" where none does."""
    reason = pl.lit(GIVEN)
    for code, condition in reversed(rules):
        reason = pl.when(condition.fill_null(value=True)).then(pl.lit(code)).otherwise(reason)
    return frame.with_columns(reason=reason)


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
    a rating the stars times 100), order_id, country, name, price, message_id (text) and key (hexadecimal).
    """
    retail = match.layout == ONLINE_RETAIL
    frame = _typed(people.named(_addressed(text_frame(block, match, _fields()), reading)), match, reading)
    rules = _retail_rules() if retail else [rule for rule in _rules(match, reading) if is_on(rule[0], reading.rules)]
    frame, refused = part(judge(frame, [*rules, *_time_rules(match, reading)]), block)
    frame = _with_keys(_within_limits(frame), retail=retail)
    once = frame.unique("key", keep="first", maintain_order=True)
    repeated = len(frame) - len(once)
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


def typed_rows(block: Block, match: Match, reading: Reading) -> pl.DataFrame:
    """Return rows of behaviour as texts and typed columns (null = unreadable), before anything is judged."""
    return _typed(people.named(_addressed(text_frame(block, match, _fields()), reading)), match, reading)


def _addressed(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Correct typing errors in addresses where a person allowed it."""
    return addresses.mend(frame, allowed=is_on("email_typo_fixed", reading.rules))


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


def _fields() -> list[str]:
    return [
        "user_id", "item_id", "event", "timestamp", "order_id", "quantity", "price", "country", "rating", "position",
        "message_id", "dedupe_key", "name", "currency", "visitor_id", "email", "first_name", "last_name", "phone",
        "consent", "order_state",
    ]  # fmt: skip


def _typed(frame: pl.DataFrame, match: Match, reading: Reading) -> pl.DataFrame:
    """Add typed columns beside the texts; null = unreadable."""
    decimal_id = r"^(\d+)\.0$"
    frame = frame.with_columns(
        id_decimal=pl.col("user_id").str.contains(decimal_id) | pl.col("order_id").str.contains(decimal_id),
        number_tidied=values.odd_number("quantity") | values.odd_number("price") | values.odd_number("rating"),
        date_format=values.odd_moment("timestamp") & (pl.col("timestamp") != ""),
    ).with_columns(
        # An address in two spellings is one shopper.
        pl.when(values.is_address("user_id"))
        .then(pl.col("user_id").str.to_lowercase())
        .otherwise(pl.col("user_id").str.replace(decimal_id, "$1")),
        pl.col("order_id").str.replace(decimal_id, "$1"),
        at=_at(frame, match, reading),
        pieces=pl.when(pl.col("quantity") == "").then(1.0).otherwise(values.number(frame["quantity"], reading.decimal)),
        each=values.number(frame["price"], reading.decimal),
        stars=values.number(frame["rating"], reading.decimal),
        other_currency=values.other_currency("currency", reading.currency) & (pl.col("price") != ""),
        kind=_kind(match, reading),
    )
    if match.layout == ONLINE_RETAIL:
        cancelled = pl.col("order_id").str.starts_with("C")
        frame = frame.with_columns(
            pl.when(cancelled).then(pl.lit("refund")).otherwise(pl.lit("purchase")).alias("kind"),
            pl.col("country").replace(RETAIL_COUNTRIES),
            became_refund=pl.lit(value=False),
        )
    else:
        turned = (pl.col("kind") == "purchase") & (pl.col("pieces") < 0)
        frame = frame.with_columns(
            became_refund=turned.fill_null(value=False),
            kind=pl.when(turned).then(pl.lit("refund")).otherwise(pl.col("kind")),
        )
    signed = pl.when(pl.col("kind") == "refund").then(pl.col("pieces").abs()).otherwise(pl.col("pieces"))
    return frame.with_columns(pieces=signed)


def _at(frame: pl.DataFrame, match: Match, reading: Reading) -> pl.Series:
    if "timestamp" in match.columns:
        return values.moment(frame["timestamp"], zone=reading.zone, day_first=reading.day_first)
    place = pl.col("position")
    days = pl.when(place.is_between(0, 3650) & (place == place.floor())).then(place).cast(pl.Int64)
    at = pl.lit(NO_CLOCK_EPOCH).cast(pl.Datetime("us", "UTC")) + pl.duration(days=days)
    return values.number(frame["position"]).to_frame("position").select(at).to_series()


def _kind(match: Match, reading: Reading) -> pl.Expr:
    if match.kind != EVENTS:
        return pl.lit("purchase")
    names = {**KNOWN_EVENTS, **{plain(name): kind for name, kind in reading.events.items()}}
    tidy = pl.col("event").str.to_lowercase().str.replace_all(r"[\s_\-./]+", "")
    return tidy.replace_strict(names, default=None, return_dtype=pl.String)


def _id_rules() -> list[Rule]:
    return [
        ("no_shopper", pl.col("user_id") == ""),
        ("id_too_long", pl.any_horizontal(_longer("user_id", LONGEST_ID), _longer("item_id", LONGEST_ID))),
        ("id_too_long", _longer("order_id", LONGEST_ORDER)),
    ]


def _longer(name: str, limit: int) -> pl.Expr:
    return pl.col(name).str.len_chars() > limit


def _rules(match: Match, reading: Reading) -> list[Rule]:
    rated = pl.col("kind") == "rating"
    return [
        *_id_rules(),
        ("robot", _is_robot(reading)),
        ("unknown_event", pl.col("kind").is_null() | (pl.col("kind") == "skip")),
        *((f"order_{state}", pl.col("order_state") == state) for state in ORDER_STATES),
        ("test_shopper", is_test_shopper()),
        # Where the export has no products at all, an order without one still is an order.
        (
            "no_product",
            pl.col("kind").is_in(NEED_PRODUCT) & (pl.col("item_id") == "") & pl.lit("item_id" in match.columns),
        ),
        ("not_a_product", pl.col("kind").is_in(NEED_PRODUCT) & is_no_product(reading.non_products)),
        ("quantity_unreadable", pl.col("pieces").is_null() | (pl.col("pieces") != pl.col("pieces").round())),
        ("quantity_out_of_range", ~pl.col("pieces").is_between(1, MOST_PIECES)),
        ("price_unreadable", (pl.col("price") != "") & pl.col("each").is_null()),
        ("price_out_of_range", pl.col("each").is_not_null() & ~pl.col("each").is_between(0, HIGHEST_PRICE)),
        ("rating_unreadable", rated & ~pl.col("stars").is_between(0, MOST_STARS).fill_null(value=False)),
        ("outlier", _far("each", 0, reading) | _far("pieces", 1, reading)),
    ]


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
    frame = frame.with_columns(
        quantity=pl.col("pieces").cast(pl.Int64),
        cents=(total * 100).round().cast(pl.Int64),
        pl_price=pl.col("each").cast(pl.String).fill_null(""),
        stars_text=pl.when(rated).then(pl.col("stars").cast(pl.String)).otherwise(pl.lit("")),
    )
    parts = [
        pl.col("user_id"), pl.col("item_id"), pl.col("kind"), pl.col("at").dt.epoch("us").cast(pl.String),
        pl.col("order_id"), pl.col("quantity").cast(pl.String), pl.col("pl_price"), pl.col("stars_text"),
        pl.col("message_id"),
    ]  # fmt: skip
    content = pl.concat_str(parts, separator=SEPARATOR)
    frame = frame.with_columns(content=content)
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
    times = pl.col("at").dt.epoch("ms").clip(lower_bound=0)
    made = frame.select(key=timed_keys(times, pl.col("content")))["key"]
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
