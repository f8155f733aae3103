"""Cells to typed columns: who did what, when, how many, for how much; what can't be read is null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from behaviour.core import addresses, layouts, people, values
from behaviour.core.columns import EVENTS, KNOWN_EVENTS, ONLINE_RETAIL, Match, plain
from behaviour.core.parsing import Block
from behaviour.core.rules import Found, is_on

# Files without a clock say only what came before what; one day per position, so that order and weekday spread stay.
NO_CLOCK_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
RETAIL_COUNTRIES = {
    "EIRE": "Ireland",
    "RSA": "South Africa",
    "USA": "United States",
    "Unspecified": "",
    "European Community": "",
}


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


def text_frame(block: Block, match: Match, fields: Sequence[str]) -> pl.DataFrame:
    """Return one text column for each field, empty where the file has none; edges are stripped; ``row`` counts."""
    places = {**match.columns, **match.helpers}
    layout = layouts.BY_NAME.get(match.layout)
    names = [*fields, *(name for name in (layout.helpers if layout else ()) if name not in fields)]
    there = {name: pl.col(f"c{places[name]}") for name in names if name in places}
    cells = [there.get(name, pl.lit("")).alias(name) for name in names]
    frame = block.frame.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), *cells)
    if block.tight:
        stripped = frame.with_columns(spaces=pl.lit(value=False))
    else:
        stripped = frame.with_columns(pl.col(name).str.strip_chars() for name in there)
        spaces = [frame[name] != stripped[name] for name in there]
        stripped = stripped.with_columns(spaces=pl.any_horizontal(pl.lit(value=False), *spaces))
    return layout.cells(stripped) if layout else stripped


def typed_rows(block: Block, match: Match, reading: Reading) -> pl.DataFrame:
    """Return rows of behaviour as texts and typed columns (null = unreadable), before anything is judged."""
    return _typed(people.named(_addressed(text_frame(block, match, _fields()), reading)), match, reading)


def views(block: Block, match: Match, reading: Reading) -> pl.DataFrame:
    """Return who viewed something and when: ``user_id`` as ``typed_rows`` says it, and ``at``, never null."""
    frame = _one_spelling(_whole_ids(people.named(_addressed(text_frame(block, match, _fields()), reading))))
    rows = frame.select("user_id", at=_at(frame, match, reading)[0], kind=_kind(frame, match, reading))
    return rows.filter((pl.col("kind") == "view") & pl.col("at").is_not_null()).select("user_id", "at")


def _addressed(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Correct typing errors in addresses where a person allowed it."""
    return addresses.mend(frame, allowed=is_on("email_typo_fixed", reading.rules))


def _fields() -> list[str]:
    return [
        "user_id", "item_id", "event", "timestamp", "order_id", "quantity", "price", "country", "rating", "position",
        "message_id", "dedupe_key", "name", "currency", "visitor_id", "email", "first_name", "last_name", "phone",
        "consent", "order_state", "question", "answer",
    ]  # fmt: skip


def _typed(frame: pl.DataFrame, match: Match, reading: Reading) -> pl.DataFrame:
    """Add typed columns beside the texts; null = unreadable."""
    at, date_format = _at(frame, match, reading)
    names = ("quantity", "price", "rating")
    (pieces, one), (each, two), (stars, three) = (values.number_and_odd(frame[name], reading.decimal) for name in names)
    frame = _one_spelling(_whole_ids(frame)).with_columns(
        at=at,
        date_format=date_format,
        pieces=pl.when(pl.col("quantity") == "").then(1.0).otherwise(pieces),
        each=each,
        stars=stars,
        number_tidied=one | two | three,
        other_currency=values.other_currency("currency", reading.currency) & (pl.col("price") != ""),
        kind=_kind(frame, match, reading),
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


def _one_spelling(frame: pl.DataFrame) -> pl.DataFrame:
    """An address in two spellings is one shopper."""
    if not values.holds(frame["user_id"], "@"):
        return frame
    user = pl.col("user_id")
    return frame.with_columns(pl.when(values.is_address("user_id")).then(user.str.to_lowercase()).otherwise(user))


def _whole_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Put ids right that a spreadsheet took for numbers: 17850.0."""
    ids = ("user_id", "order_id")
    if not any(frame[name].str.ends_with(".0").any() for name in ids):
        return frame.with_columns(id_decimal=pl.lit(value=False))
    decimal_id = r"^(\d+)\.0$"
    return frame.with_columns(
        id_decimal=pl.any_horizontal(pl.col(name).str.contains(decimal_id) for name in ids)
    ).with_columns(pl.col(name).str.replace(decimal_id, "$1") for name in ids)


def _at(frame: pl.DataFrame, match: Match, reading: Reading) -> tuple[pl.Series, pl.Series]:
    """Return when it happened, and where that is written in an odd way."""
    if "timestamp" in match.columns:
        return values.moment_and_odd(frame["timestamp"], zone=reading.zone, day_first=reading.day_first)
    place = pl.col("position")
    days = pl.when(place.is_between(0, 3650) & (place == place.floor())).then(place).cast(pl.Int64)
    at = pl.lit(NO_CLOCK_EPOCH).cast(pl.Datetime("us", "UTC")) + pl.duration(days=days)
    moments = values.number(frame["position"]).to_frame("position").select(at).to_series()
    return moments, pl.repeat(value=False, n=len(frame), eager=True)


def _kind(frame: pl.DataFrame, match: Match, reading: Reading) -> pl.Series | pl.Expr:
    if match.kind != EVENTS:
        return pl.lit("purchase")
    names = {**KNOWN_EVENTS, **{plain(name): kind for name, kind in reading.events.items()}}

    def kinds(name: pl.Expr) -> pl.Expr:
        tidy = name.str.to_lowercase().str.replace_all(r"[\s_\-./]+", "")
        return tidy.replace_strict(names, default=None, return_dtype=pl.String)

    return values.once_each(frame["event"], kinds)
