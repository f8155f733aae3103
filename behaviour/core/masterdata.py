"""Rows about products and shoppers, cleaned: what is right goes on, the rest is refused with a reason."""

import polars as pl

from behaviour.core import addresses, values
from behaviour.core.cleaning import (
    HIGHEST_PRICE,
    LONGEST_COUNTRY,
    LONGEST_ID,
    LONGEST_NAME,
    Cleaned,
    count_fixes,
    judge,
    part,
)
from behaviour.core.columns import FIELDS, PRODUCTS, SHOPPERS, Match
from behaviour.core.parsing import Block
from behaviour.core.rules import is_on, is_test_shopper
from behaviour.core.typed import Reading, text_frame

LONGEST_CATEGORY, LONGEST_ADDRESS, LONGEST_PERSON = 200, 500, 150
HIGHEST_STOCK = 2_000_000_000
WEB_ADDRESS = r"^https?://[^\s<>\"]+$"
IMAGE = r"^(https?://[^\s<>\"]+|products/[\w./-]+)$"

# Why an address must not be mailed, and other words for it.
REASONS = ("bounced", "complained", "unsubscribed", "requested")
SUPPRESSED = {"no": "", "false": "", "0": "", "yes": "requested", "true": "requested", "1": "requested"}


def clean_products(block: Block, match: Match, reading: Reading) -> Cleaned:
    """Clean rows of products; of a repeated product the last row counts.

    The frame has item_id, name, category, currency, url, image (text, "" = not given), cents and stock (int or null)
    and active (bool or null).
    """
    frame = text_frame(block, match, FIELDS[PRODUCTS])
    (each, one), (pieces, two) = (values.number_and_odd(frame[name], reading.decimal) for name in ("price", "stock"))
    frame = frame.with_columns(
        number_tidied=one | two,
        cut=pl.col("name").str.len_chars() > LONGEST_NAME,
        each=each,
        pieces=pieces,
        on_sale=values.yes_or_no("active"),
    )
    frame = frame.with_columns(
        pl.col("name").str.slice(0, LONGEST_NAME),
        pl.col("category").str.replace_all(r"\s*[>|»]\s*", " > ").str.slice(0, LONGEST_CATEGORY),
        pl.col("currency").str.to_uppercase(),
        cents=(pl.col("each") * 100).round().cast(pl.Int64, strict=False),
        pieces=pl.col("pieces").clip(lower_bound=0),
    )
    frame, refused = part(judge(frame, _product_rules()), block)
    frame = frame.with_columns(stock=pl.col("pieces").cast(pl.Int64), active=pl.col("on_sale"))
    once = frame.unique("item_id", keep="last", maintain_order=True)
    fixed, findings = count_fixes(once, ["spaces", "number_tidied", "cut"])
    return Cleaned(once, refused, block, len(frame) - len(once), fixed, findings)


def _product_rules() -> list[tuple[str, pl.Expr]]:
    return [
        ("no_product", pl.col("item_id") == ""),
        ("id_too_long", pl.col("item_id").str.len_chars() > LONGEST_ID),
        ("price_unreadable", (pl.col("price") != "") & pl.col("each").is_null()),
        ("price_out_of_range", pl.col("each").is_not_null() & ~pl.col("each").is_between(0, HIGHEST_PRICE)),
        (
            "stock_unreadable",
            (pl.col("stock") != "") & ~pl.col("pieces").is_between(0, HIGHEST_STOCK).fill_null(value=False),
        ),
        ("active_unreadable", (pl.col("active") != "") & pl.col("on_sale").is_null()),
        ("currency_unreadable", ~pl.col("currency").str.contains(r"^([A-Z]{3})?$")),
        ("address_unreadable", _not_like("url", WEB_ADDRESS) | _not_like("image", IMAGE)),
    ]


def _not_like(name: str, pattern: str) -> pl.Expr:
    written = pl.col(name) != ""
    return written & (~pl.col(name).str.contains(pattern) | (pl.col(name).str.len_chars() > LONGEST_ADDRESS))


def clean_shoppers(block: Block, match: Match, reading: Reading) -> Cleaned:
    """Clean rows about people; of a repeated shopper the last row counts.

    The frame has user_id, email, first_name, last_name, phone, country, locale, consent_source (text, "" = not given),
    consent (bool or null) and consent_at (UTC or null).
    """
    frame = addresses.mend(text_frame(block, match, FIELDS[SHOPPERS]), allowed=is_on("email_typo_fixed", reading.rules))
    frame = frame.with_columns(
        said=values.yes_or_no("consent"),
        said_at=values.moment(frame["consent_at"], zone=reading.zone, day_first=reading.day_first),
        email_case=pl.col("email") != pl.col("email").str.to_lowercase(),
    )
    frame = frame.with_columns(
        pl.col("email").str.to_lowercase(),
        pl.col("locale").str.slice(0, 10),
        pl.col("suppressed").replace_strict(SUPPRESSED, default=pl.col("suppressed")),
    )
    rules = [rule for rule in _shopper_rules(frame, reading) if is_on(rule[0], reading.rules)]
    frame, refused = part(judge(frame, rules), block)
    frame = frame.with_columns(
        pl.col("country").str.slice(0, LONGEST_COUNTRY),
        pl.col("consent_source").str.slice(0, 60),
        consent=pl.col("said"),
        consent_at=pl.col("said_at"),
        who=pl.when(pl.col("user_id") != "").then(pl.col("user_id")).otherwise(pl.col("email")),
    )
    once = frame.unique("who", keep="last", maintain_order=True)
    fixed, findings = count_fixes(once, ["spaces", "email_case", "email_typo_fixed"])
    findings += addresses.marks(once, reading.rules)
    return Cleaned(once, refused, block, len(frame) - len(once), fixed, findings)


def _shopper_rules(frame: pl.DataFrame, reading: Reading) -> list[tuple[str, pl.Expr]]:
    long_name = pl.any_horizontal(
        pl.col(name).str.len_chars() > LONGEST_PERSON for name in ("first_name", "last_name", "phone")
    )
    return [
        ("no_shopper", (pl.col("user_id") == "") & (pl.col("email") == "")),
        ("id_too_long", pl.col("user_id").str.len_chars() > LONGEST_ID),
        ("email_invalid", (pl.col("email") != "") & ~addresses.is_valid(frame["email"])),
        ("test_shopper", is_test_shopper(frame)),
        ("name_too_long", long_name),
        ("suppressed_unreadable", ~pl.col("suppressed").is_in(["", *REASONS])),
        ("consent_unreadable", (pl.col("consent") != "") & pl.col("said").is_null()),
        ("time_unreadable", (pl.col("consent_at") != "") & pl.col("said_at").is_null()),
        ("time_out_of_range", pl.col("said_at").is_not_null() & (pl.col("said_at") > reading.now)),
    ]
