"""What people write into cells, turned into numbers, times and yes or no; whole columns at once, null = unreadable."""

import polars as pl


def _words(text: str) -> list[str]:
    return text.split()


CURRENCY_SIGNS = r"[\s\u00a0\u202f'’€£$¥￥₹]|(?i:EUR|GBP|USD|CNY|RMB|元)"
EMAIL = r"^[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\.]+(\.[^\s@<>,;:\"()\[\]\\.]+)+$"
# How the shop's currency may be written beside its code.
CURRENCY_NAMES = {"GBP": ("£",), "EUR": ("€",), "USD": ("$", "US$"), "CNY": ("¥", "￥", "RMB", "元", "人民币")}
# A cell that is a number as it stands.
PLAIN_NUMBER = r"^-?\d+(\.\d+)?$"
ISO_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d")
YEAR_FIRST = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d",
    "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日",
)  # fmt: skip
DOTTED = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y")
DAY_FIRST = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y")
MONTH_FIRST = tuple(pattern.replace("%d", "%x").replace("%m", "%d").replace("%x", "%m") for pattern in DAY_FIRST)
PLAIN_TIME = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$"
EPOCH = r"^\d{9,10}(\.\d+)?$"
EPOCH_MS = r"^\d{12,13}$"
ZONED = r"(Z|[+-]\d{2}:?\d{2})$"
YES = _words("1 true t yes y given granted subscribed optin active on ja oui 是 同意 已订阅 上架")
NO = _words("0 false f no n withdrawn denied unsubscribed optout inactive off nein non 否 不同意 未订阅 下架")


def number(texts: pl.Series) -> pl.Series:
    """Return texts as floats: "1.234,50 €", "1,234.50", "-3" and "(3)" are read."""
    if (texts.str.contains(PLAIN_NUMBER) | (texts == "")).all():
        return texts.cast(pl.Float64, strict=False)
    return texts.to_frame("text").select(_tidied("text")).to_series()


def _tidied(name: str) -> pl.Expr:
    text = pl.col(name).str.replace_all(CURRENCY_SIGNS, "").str.replace(r"^\((.*)\)$", "-$1").str.replace("−", "-")
    both = text.str.contains(",", literal=True) & text.str.contains(".", literal=True)
    comma_last = text.str.contains(r",\d*$")
    european = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    english = text.str.replace_all(",", "", literal=True)
    tidy = (
        pl.when(both & comma_last).then(european)
        .when(both).then(english)
        .when(text.str.contains(r"^-?\d+,\d{1,2}$")).then(text.str.replace(",", ".", literal=True))
        .when(text.str.contains(r"^-?\d{1,3}(,\d{3})+$")).then(english)
        .when(text.str.contains(r"^-?\d{1,3}(\.\d{3}){2,}$")).then(text.str.replace_all(".", "", literal=True))
        .otherwise(text)
    )  # fmt: skip
    value = tidy.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def odd_number(name: str) -> pl.Expr:
    """Say where a number had to be tidied before it could be read."""
    return (pl.col(name) != "") & ~pl.col(name).str.contains(PLAIN_NUMBER)


def is_address(name: str) -> pl.Expr:
    """Say where a text is an email address."""
    return pl.col(name).str.contains(EMAIL)


def other_currency(name: str, code: str) -> pl.Expr:
    """Say where a currency is written that is not ``code``; nothing is said where nothing is written."""
    own = ["", code, *CURRENCY_NAMES.get(code, ())]
    return ~pl.col(name).str.to_uppercase().is_in(own) if code else pl.lit(value=False)


def moment(texts: pl.Series, *, zone: str, day_first: bool) -> pl.Series:
    """Return texts as UTC times. Those without a zone are read in ``zone``.

    An hour that the clock skipped is moved on by one hour; one that it repeated means the first.
    """
    frame = texts.to_frame("text")
    if texts.str.contains(PLAIN_TIME).all():
        local = pl.col("text").str.to_datetime(ISO_FORMATS[0], time_unit="us", strict=False)
        return frame.select(_placed(local, zone)).to_series()
    return frame.select(_any_moment("text", zone=zone, day_first=day_first)).to_series()


def _any_moment(name: str, *, zone: str, day_first: bool) -> pl.Expr:
    text = pl.col(name).str.replace(r"^(\d{4}-\d{2}-\d{2})T", "$1 ").str.replace(r" UTC$", "Z")
    zoned = text.str.replace(r"Z$", "+00:00").str.replace(r" ([+-]\d{2}:?\d{2})$", "$1")
    with_zone = pl.coalesce(
        zoned.str.to_datetime(pattern, time_unit="us", time_zone="UTC", strict=False)
        for pattern in ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%:z")
    )
    local = pl.coalesce(
        text.str.to_datetime(pattern, time_unit="us", strict=False)
        for pattern in (*ISO_FORMATS, *YEAR_FIRST, *DOTTED, *(DAY_FIRST if day_first else MONTH_FIRST))
    )
    seconds = text.cast(pl.Float64, strict=False)
    counted = pl.when(text.str.contains(EPOCH)).then(seconds).when(text.str.contains(EPOCH_MS)).then(seconds / 1000)
    return (
        pl.when(text.str.contains(EPOCH) | text.str.contains(EPOCH_MS))
        .then((counted * 1_000_000).cast(pl.Int64).cast(pl.Datetime("us", "UTC")))
        .when(text.str.contains(ZONED)).then(with_zone)
        .otherwise(_placed(local, zone))
    )  # fmt: skip


def _placed(local: pl.Expr, zone: str) -> pl.Expr:
    def place(value: pl.Expr) -> pl.Expr:
        return value.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")

    return pl.coalesce(place(local), place(local.dt.offset_by("1h")))


def odd_moment(name: str) -> pl.Expr:
    """Say where a time is not written as 2026-11-23, with or without the time of day."""
    return ~pl.col(name).str.contains(r"^\d{4}-\d{2}-\d{2}([T ]|$)")


def looks_month_first(values: list[str]) -> bool | None:
    """Say how dates with slashes are meant: True for 12/31/2026, False for 31/12/2026, None when nothing tells."""
    parts = pl.Series(values, dtype=pl.String).str.extract_groups(r"^(?<a>\d{1,2})[/-](?<b>\d{1,2})[/-]\d{4}").struct
    first, second = (parts.field(name).cast(pl.Int32, strict=False).max() for name in ("a", "b"))
    if first is None or (first <= 12 and second <= 12):  # type: ignore[operator]
        return None
    return bool(second > 12 >= first)  # type: ignore[operator]


def yes_or_no(name: str) -> pl.Expr:
    """Return a text column as booleans; null where it is empty or says neither."""
    text = pl.col(name).str.to_lowercase().str.replace_all(r"[\s_-]", "")
    return pl.when(text.is_in(YES)).then(pl.lit(value=True)).when(text.is_in(NO)).then(pl.lit(value=False))
