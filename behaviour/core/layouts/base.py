"""What a recognised export looks like: the names in its header, and how its cells become those of MailAI's fields."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

Names = Mapping[str, tuple[str, ...]]
NOTHING = r"^0+([.,]0+)?$"


def plain(name: str) -> str:
    """Return a column or event name without case, spaces, dashes, underscores and width."""
    return re.sub(r"[\s_\-./]+", "", unicodedata.normalize("NFKC", name).strip().casefold())


def unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the cells as they are."""
    return frame


@dataclass(frozen=True)
class Layout:
    """One kind of export.

    name : what it is called in the database and in the wizard's words.
    kind : what its rows are.
    signature : names that a header must hold, all of them, to be taken for this layout.
    fields : field -> names of its column, the first one that the header holds counts.
    helpers : columns that are no fields themselves but that ``finish`` reads.
    carried : columns that stand only in the first row of a group, and hold for the rows below it too.
    group : the column that is equal in the rows of one group.
    file : what the file's name holds, for an export that its header alone does not tell from another one.
    finish : turns text columns named by field and helper into the same, in MailAI's terms.
    """

    name: str
    kind: str
    signature: tuple[str, ...]
    fields: Names
    helpers: Names = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    group: str = ""
    file: str = ""
    finish: Callable[[pl.DataFrame], pl.DataFrame] = unchanged

    def fits(self, header: Sequence[str], file: str = "") -> bool:
        """Say whether a header is of this layout; order, case and further columns don't matter."""
        return self.file in plain(file) and {plain(name) for name in self.signature} <= {plain(name) for name in header}

    def places(self, header: Sequence[str], names: Names) -> dict[str, int]:
        """Return field -> position of its column, for those that the header holds."""
        at = {plain(name): place for place, name in reversed(list(enumerate(header)))}
        found = {
            name: next((at[plain(alias)] for alias in aliases if plain(alias) in at), -1)
            for name, aliases in names.items()
        }
        return {name: place for name, place in found.items() if place >= 0}

    def cells(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the text columns in MailAI's terms, one row for each row."""
        if self.group and self.group in frame.columns:
            there = [name for name in self.carried if name in frame.columns]
            # Where an export leaves out even the number of the order, the row belongs to the one above it.
            bare = pl.all_horizontal(pl.col(name) == "" for name in (self.group, *there))
            number = pl.when(~bare).then(pl.col(self.group)).forward_fill().fill_null("")
            frame = frame.with_columns(number.alias(self.group))
            frame = frame.with_columns(_carried(name, self.group) for name in there)
        return self.finish(frame)


def _carried(name: str, group: str) -> pl.Expr:
    """Fill empty cells from above, within neighbouring rows of one group."""
    run = pl.col(group).rle_id()
    return (
        pl.when(pl.col(name) == "")
        .then(None)
        .otherwise(pl.col(name))
        .forward_fill()
        .over(run)
        .fill_null("")
        .alias(name)
    )


def first_given(*names: str) -> pl.Expr:
    """Return the first of these columns that is not empty."""
    return pl.coalesce(pl.when(pl.col(name) != "").then(pl.col(name)) for name in names).fill_null("")


def split_name(full: str) -> list[pl.Expr]:
    """Return first and last name from a column that holds both; what is given already stays."""
    parts = pl.col(full).str.splitn(" ", 2).struct
    return [
        pl.when(pl.col("first_name") != "").then(pl.col("first_name")).otherwise(parts.field("field_0").fill_null(""))
        .alias("first_name"),
        pl.when(pl.col("last_name") != "").then(pl.col("last_name")).otherwise(parts.field("field_1").fill_null(""))
        .alias("last_name"),
    ]  # fmt: skip


def state_of(column: str, words: Mapping[str, str]) -> pl.Expr:
    """Return the state of an order ("" = sold) from the shop's own word for it."""
    return pl.col(column).str.to_lowercase().str.replace_all(r"[\s_-]", "").replace_strict(words, default="")


def less(column: str, *back: str) -> pl.Expr:
    """Return the pieces of a line without those of it that came back or were cancelled, as the export counts them."""
    pieces = pl.col(column).cast(pl.Float64, strict=False)
    gone = pl.sum_horizontal(pl.col(name).cast(pl.Float64, strict=False).fill_null(0).abs() for name in back)
    left = pl.when((gone > 0) & (gone <= pieces) & (pieces == pieces.round())).then((pieces - gone).round())
    return left.cast(pl.Int64).cast(pl.String).fill_null(pl.col(column))


def state_of_line(order: pl.Expr) -> pl.Expr:
    """Return the state of a line from that of its order: of a line that came back whole nothing was sold."""
    nothing = pl.col("quantity").str.contains(NOTHING)
    return pl.when(nothing & (order == "")).then(pl.lit("refunded")).otherwise(order)
