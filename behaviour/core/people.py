"""What rows about orders and visits say about the person: address, names, permission."""

import polars as pl

from behaviour.core import values
from behaviour.core.columns import Match

SAID = ("email", "first_name", "last_name", "phone", "consent")
LONGEST_EMAIL, LONGEST_PERSON = 254, 150
# Before the id of somebody of whom only the browser is known.
BY_VISITOR = "visitor-"


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """Let who has no id be known by the address, who has neither by the visitor."""
    visitor = pl.when(pl.col("visitor_id") != "").then(pl.lit(BY_VISITOR) + pl.col("visitor_id")).otherwise(pl.lit(""))
    named_by = (
        pl.when(pl.col("user_id") != "").then(pl.col("user_id"))
        .when(pl.col("email") != "").then(pl.col("email"))
        .otherwise(visitor)
    )  # fmt: skip
    return frame.with_columns(user_id=named_by)


def people_in(frame: pl.DataFrame, match: Match) -> pl.DataFrame | None:
    """Return what a file of events or orders says about people, the last row of each; None where it says nothing.

    The columns are those of ``clean_shoppers``. A permission counts from the moment of the event; where somebody did
    not give it there, that is no withdrawal.
    """
    said = [name for name in SAID if name in match.columns or name in ("first_name", "last_name")]
    if not {"email", *SAID} & set(match.columns) and "full_name" not in match.helpers:
        return None
    email = pl.col("email").str.to_lowercase()
    valid = values.is_address("email") & (email.str.len_chars() <= LONGEST_EMAIL)
    rows = frame.filter(pl.any_horizontal(pl.col(name) != "" for name in said))
    agreed = values.yes_or_no("consent").fill_null(value=False)
    return (
        rows.sort("at", maintain_order=True)
        .unique("user_id", keep="last", maintain_order=True)
        .select(
            "row", "user_id",
            pl.when(valid).then(email).otherwise(pl.lit("")).alias("email"),
            *(pl.col(name).str.slice(0, LONGEST_PERSON) for name in ("first_name", "last_name", "phone")),
            pl.lit("").alias("country"), pl.lit("").alias("locale"), pl.lit("").alias("suppressed"),
            pl.lit(match.layout).alias("consent_source"),
            pl.when(agreed).then(pl.lit(value=True)).alias("consent"),
            pl.col("at").alias("consent_at"),
        )
    )  # fmt: skip
