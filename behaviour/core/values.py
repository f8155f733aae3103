"""What people write into cells, turned into numbers, times and yes or no; whole columns at once, null = unreadable."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import polars as pl


def _words(text: str) -> list[str]:
    return text.split()


# What stands around an amount.
CURRENCY_SIGNS = r"\p{Sc}|(?i:\b(EUR|GBP|USD|CNY|RMB|CHF|PLN|SEK|NOK|DKK|CZK|HUF|JPY|CAD|AUD|US|Kr|Ft)\b|zł|元|円)"
EMAIL = r"^[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\.]+(\.[^\s@<>,;:\"()\[\]\\.]+)+$"
# How the shop's currency may be written beside its code.
CURRENCY_NAMES = {"GBP": ("£",), "EUR": ("€",), "USD": ("$", "US$"), "CNY": ("¥", "￥", "RMB", "元", "人民币")}
# A cell that is a number as it stands.
PLAIN_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
# Only a person can tell whether this is a thousand or one.
AMBIGUOUS_NUMBER = r"^[-+(]?[1-9]\d{0,2}[.,]\d{3}\)?-?$"
AMBIGUOUS_DOT = r"^-?[1-9]\d{0,2}\.\d{3}$"
GROUPED = r"^-?\d{1,3}([\s\u00a0\u202f'’]\d{3})+([.,]\d+)?$"
GAP = r"\d[\s\u00a0\u202f'’]+\d"
PLAIN_TIME, PLAIN_LENGTH = "%Y-%m-%d %H:%M:%S", 19
PLAIN_DATE = r"^\d{4}-\d{2}-\d{2}([T ]|$)"
YES = _words("1 true t yes y given granted subscribed optin active on ja oui 是 同意 已订阅 上架")
NO = _words("0 false f no n withdrawn denied unsubscribed optout inactive off nein non 否 不同意 未订阅 下架")


def once_each(column: pl.Series, make: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """Work something out once for each different text: names of events are few."""
    different = column.unique()
    found = different.to_frame("text").select(found=make(pl.col("text")))["found"]
    if column.is_empty():
        return found
    return column.replace_strict(different, found, return_dtype=found.dtype)


def holds(texts: pl.Series, *pieces: str) -> bool:
    """Say whether a cell of a column holds one of these lower-case texts; one search over the whole column."""
    joined = (texts.str.join().item() or "").casefold()
    return any(piece in joined for piece in pieces)


def number(texts: pl.Series, decimal: str = "") -> pl.Series:
    """Return texts as floats: "1.234,50 €", "1,234.50", "-3" and "(3)" are read; nothing infinite is.

    Parameters
    ----------
    decimal : "." or ","; decides about "1.250" and "1,250" only, other numbers tell themselves. "" = ".".
    """
    return number_and_odd(texts, decimal)[0]


def number_and_odd(texts: pl.Series, decimal: str = "") -> tuple[pl.Series, pl.Series]:
    """Return ``number`` of texts, and where one had to be tidied before it could be read."""
    odd = ~texts.str.contains(PLAIN_NUMBER) & (texts != "")
    unsure = odd | texts.str.contains(AMBIGUOUS_DOT) if decimal == "," else odd
    values = texts.cast(pl.Float64, strict=False)
    if ((values == 0) | ~values.is_finite()).any():
        values = texts.to_frame("text").select(_finite(pl.col("text"))).to_series()
    places = unsure.arg_true()
    if len(places):
        values = values.scatter(places, _tidied(texts.gather(places), decimal))
    return values, odd


def _finite(text: pl.Expr) -> pl.Expr:
    value = text.cast(pl.Float64, strict=False)
    # Zero is written anew, since a negative one is no number that people know.
    return pl.when(value == 0).then(0.0).when(value.is_finite()).then(value)


def _tidied(texts: pl.Series, decimal: str) -> pl.Series:
    """Read numbers with marks and signs. In steps, since an expression this deep is worked out many times over."""
    text = texts.str.normalize("NFKC").str.replace_all(CURRENCY_SIGNS, "").str.strip_chars()
    text = text.str.replace_all("[−–]", "-").str.replace(r"^([-+])\s+", "$1").str.replace(r"^\+", "")
    text = text.str.replace(r"^\(([^()-]*)\)$", "-$1").str.replace(r"^([^-]*\d)-$", "-$1")
    grouped = text.str.contains(GROUPED)
    text = text.str.replace_all(r"[\s'’]", "").zip_with(grouped, text)
    comma, dot = _without(text, "."), _without(text, ",")
    frame = pl.DataFrame({"text": text, "comma": comma, "dot": dot, "mark": comma if decimal == "," else dot})
    read = pl.col("text").str
    whole = r"^-?\d{1,3}"
    tidy = (
        pl.when(read.contains(GAP)).then(None)
        .when(read.contains(whole + r"(\.\d{3})+,\d*$")).then("comma")
        .when(read.contains(whole + r"(,\d{2,3})*,\d{3}\.\d*$")).then("dot")
        .when(read.contains(whole + r"(\.\d{3}){2,}$")).then("comma")
        .when(read.contains(whole + r"(,\d{2,3})*,\d{3},\d{3}$")).then("dot")
        .when(read.contains(AMBIGUOUS_NUMBER)).then("mark")
        .when(read.contains(r"^-?\d*,\d+$")).then("comma")
        .when(read.contains(r"^-?(\d+\.?|\d*\.\d+)([eE][+-]?\d{1,3})?$")).then("text")
    )  # fmt: skip
    return frame.select(tidy.alias("tidy")).select(_finite(pl.col("tidy"))).to_series()


def _without(text: pl.Series, grouping: str) -> pl.Series:
    return text.str.replace_all(grouping, "", literal=True).str.replace(",", ".", literal=True)


def is_address(name: str) -> pl.Expr:
    """Say where a text is an email address."""
    return pl.col(name).str.contains(EMAIL)


def other_currency(name: str, code: str) -> pl.Expr:
    """Say where a currency is written that is not ``code``; nothing is said where nothing is written."""
    own = ["", code, *CURRENCY_NAMES.get(code, ())]
    return ~pl.col(name).str.to_uppercase().is_in(own) if code else pl.lit(value=False)


Way = Callable[[pl.Series], pl.Series]


class Format(NamedTuple):
    """A way to write a date.

    shown : how people are told about it.
    shape : regular expression of all texts in this format; what it captures goes into ``tidy``.
    tidy : the date as ``dates`` reads it; the time of day follows.
    """

    shown: str
    shape: str
    tidy: str
    dates: str = "%Y-%m-%d"


# A time of day, with or without AM or PM and a zone.
CLOCK = r"(?:,|T|\s+at)?\s*(\d{1,2}[:时点]\d{1,2}.*)?$"
WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
ISO = Format("YYYY-MM-DD", r"^(\d{4})-(\d{1,2})-(\d{1,2})" + CLOCK, "$1-$2-$3 $4")
DAY_MONTH = Format("DD/MM/YYYY", r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4})" + CLOCK, "$3-$2-$1 $4")
MONTH_DAY = DAY_MONTH._replace(shown="MM/DD/YYYY", tidy="$3-$1-$2 $4")
DAY_MONTH_SHORT = Format("DD/MM/YY", r"^(\d{1,2})[/-](\d{1,2})[/-](\d{2})" + CLOCK, "$3-$2-$1 $4", "%y-%m-%d")
MONTH_DAY_SHORT = DAY_MONTH_SHORT._replace(shown="MM/DD/YY", tidy="$3-$1-$2 $4")
FORMATS = (
    ISO,
    Format("YYYY/MM/DD", r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})" + CLOCK, "$1-$2-$3 $4"),
    Format("YYYY年MM月DD日", r"^(\d{4})年(\d{1,2})月(\d{1,2})[日号]" + CLOCK, "$1-$2-$3 $4"),
    Format("DD.MM.YYYY", r"^(\d{1,2})\.(\d{1,2})\.(\d{4})" + CLOCK, "$3-$2-$1 $4"),
    Format("DD.MM.YY", r"^(\d{1,2})\.(\d{1,2})\.(\d{2})" + CLOCK, "$3-$2-$1 $4", "%y-%m-%d"),
    Format("YYYYMMDD", r"^(\d{4})(\d{2})(\d{2})" + CLOCK, "$1-$2-$3 $4"),
    Format("YYYYMMDDhhmmss", r"^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", "$1-$2-$3 $4:$5:$6"),
    Format(
        "DD Mon YYYY",
        "^" + WEEKDAY + r"(\d{1,2})[ -]([A-Za-z]{3})[a-z]*\.?[ -](\d{4})" + CLOCK,
        "$3-$2-$1 $4",
        "%Y-%b-%d",
    ),
    Format("DD Mon YY", r"^(\d{1,2})[ -]([A-Za-z]{3})[a-z]*[ -](\d{2})" + CLOCK, "$3-$2-$1 $4", "%y-%b-%d"),
    Format(
        "Mon DD, YYYY", "^" + WEEKDAY + r"([A-Za-z]{3})[a-z]*\.? (\d{1,2}),? (\d{4})" + CLOCK, "$3-$1-$2 $4", "%Y-%b-%d"
    ),
)
# Seconds, milliseconds and microseconds since 1970; days since 1900, as spreadsheets count.
EPOCHS = (
    ("seconds since 1970", r"^\d{9,10}(\.\d+)?$", 1_000_000),
    ("milliseconds since 1970", r"^\d{12,13}$", 1000),
    ("microseconds since 1970", r"^\d{15,16}$", 1),
)
SERIAL = ("days since 1900", r"^[2-7]\d{4}([.,]\d+)?$")
TIMES = ("%H:%M:%S%.f", "%H:%M", "", "%I:%M:%S %p", "%I:%M %p")
ZONE = r"(?i)\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})$"
TRIED = 200
# A few such numbers among others count something else than days.
MOST_SERIAL = 0.9


def formats(*, day_first: bool) -> tuple[Format, ...]:
    """Return the formats of dates of which a file may hold several: no text fits two of them."""
    return (*FORMATS, *((DAY_MONTH, DAY_MONTH_SHORT) if day_first else (MONTH_DAY, MONTH_DAY_SHORT)))


def moment(texts: pl.Series, *, zone: str, day_first: bool) -> pl.Series:
    """Return texts as UTC times. Those without a zone are read in ``zone``.

    An hour that the clock skipped is moved on by one hour; one that it repeated means the first.
    """
    return moment_and_odd(texts, zone=zone, day_first=day_first)[0]


def moment_and_odd(texts: pl.Series, *, zone: str, day_first: bool) -> tuple[pl.Series, pl.Series]:
    """Return ``moment`` of texts, and where one is not written as 2026-11-23, with or without the time of day."""
    # Most files write times in one plain way, and hardly one twice: read at once, nothing remembered.
    text = texts.str.to_datetime(PLAIN_TIME, time_unit="us", strict=False, cache=False)
    plain = text.is_not_null() & (texts.str.len_bytes() == PLAIN_LENGTH)
    local = text.zip_with(plain, pl.Series([None], dtype=text.dtype)) if not plain.all() else text
    read = _on_plain_days(local, zone)
    if read is None:
        read = local.to_frame("text").select(_placed(pl.col("text"), zone)).to_series()
    odd = pl.repeat(value=False, n=len(texts), eager=True)
    others = (~plain & (texts != "")).arg_true()
    if len(others):
        odd = odd.scatter(others, ~texts.gather(others).str.contains(PLAIN_DATE))
        # No way of writing a time does without digits.
        others = others.filter(texts.gather(others).str.contains(r"\d"))
    if len(others):
        read = read.scatter(others, _odd_moment(texts.gather(others), zone, day_first))
    return read, odd


def _on_plain_days(local: pl.Series, zone: str) -> pl.Series | None:
    """Return times as UTC where no clock was put forward or back on any of their days; None where one was.

    The zone is asked once for each day, not for each time.
    """
    if zone == "UTC":
        return local.dt.replace_time_zone("UTC")
    days = local.dt.truncate("1d")
    begins = days.unique().drop_nulls().alias("begins").to_frame()
    ends = pl.col("begins").dt.offset_by("1d")
    asked = begins.with_columns(
        shift=pl.col("begins") - _in_zone(pl.col("begins"), zone).dt.replace_time_zone(None),
        later=ends - _in_zone(ends, zone).dt.replace_time_zone(None),
    )
    plain = asked.select((pl.col("shift") == pl.col("later")).fill_null(value=False).all()).item()
    if asked.is_empty() or not plain:
        return None
    return (local - days.replace_strict(asked["begins"], asked["shift"], default=None)).dt.replace_time_zone("UTC")


def _odd_moment(texts: pl.Series, zone: str, day_first: bool) -> pl.Series:
    ways: list[Way] = [
        *(partial(_dated, form=one, zone=zone) for one in formats(day_first=day_first)),
        *(partial(_counted, shape=shape, unit=unit) for _shown, shape, unit in EPOCHS),
    ]
    if texts.str.contains(SERIAL[1]).sum() > MOST_SERIAL * len(texts):
        ways.append(partial(_serial, zone=zone))
    return _tried(texts, ways)


def formats_seen(texts: pl.Series, *, day_first: bool) -> list[tuple[str, int]]:
    """Return in which formats dates are written, with how many cells are."""
    shapes = [*((one.shown, one.shape) for one in formats(day_first=day_first)), *(one[:2] for one in EPOCHS), SERIAL]
    counted = [(shown, int(texts.str.contains(shape).sum())) for shown, shape in shapes]
    return [(shown, n) for shown, n in counted if n]


def _tried(texts: pl.Series, ways: Sequence[Way]) -> pl.Series:
    """Read a column in the way that fits its front, and what is left in the other ways."""
    front = texts.filter(texts != "").head(TRIED)
    ordered = sorted(ways, key=lambda way: way(front).null_count())
    read = ordered[0](texts)
    for way in ordered[1:]:
        left = (read.is_null() & (texts != "")).arg_true()
        if not len(left):
            break
        read = read.scatter(left, way(texts.gather(left)))
    return read


def _dated(texts: pl.Series, form: Format, zone: str) -> pl.Series:
    """Return the texts that are in one format as UTC times."""
    fits = texts.str.contains(form.shape)
    if not fits.any():
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us", "UTC"))
    tidy: pl.Expr = pl.when(fits).then(pl.col("text").str.replace(form.shape, form.tidy))
    tidy = tidy.str.replace_all("[时点分]", ":").str.replace(r"[秒:]\s*$", "").str.strip_chars()
    frame = texts.to_frame("text").select(tidy)
    frame = frame.with_columns(
        offset=pl.when(pl.col("text").str.contains(r":\d")).then(pl.col("text").str.extract(ZONE))
    )
    bare = pl.when(pl.col("offset").is_null()).then(pl.col("text")).otherwise(pl.col("text").str.replace(ZONE, ""))
    clock = bare.str.replace(r"(?i)\s*([ap])\.?m\.?$", " ${1}m")
    local = _tried(
        frame.select(clock.fill_null("")).to_series(),
        [partial(_parsed, pattern=f"{form.dates} {time}".strip()) for time in TIMES],
    )
    frame = frame.with_columns(local=local)
    zoned = (pl.col("local") - _shift("offset")).dt.replace_time_zone("UTC")
    return frame.select(
        pl.when(pl.col("offset").is_null()).then(_placed(pl.col("local"), zone)).otherwise(zoned)
    ).to_series()


def _parsed(texts: pl.Series, pattern: str) -> pl.Series:
    return texts.str.to_datetime(pattern, time_unit="us", strict=False)


def _shift(name: str) -> pl.Expr:
    """Return how far a zone such as +01:00 lies before UTC."""
    digits = pl.col(name).str.replace_all("[^0-9]", "").str.pad_end(4, "0")
    hours, minutes = (digits.str.slice(at, 2).cast(pl.Int64, strict=False).fill_null(0) for at in (0, 2))
    sign = pl.when(pl.col(name).str.starts_with("-")).then(-1).otherwise(1)
    return pl.duration(minutes=sign * (hours * 60 + minutes))


def _counted(texts: pl.Series, shape: str, unit: int) -> pl.Series:
    value = pl.when(pl.col("text").str.contains(shape)).then(pl.col("text")).cast(pl.Float64, strict=False)
    return texts.to_frame("text").select((value * unit).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))).to_series()


def _serial(texts: pl.Series, zone: str) -> pl.Series:
    text = pl.when(pl.col("text").str.contains(SERIAL[1])).then(pl.col("text").str.replace(",", ".", literal=True))
    seconds = (text.cast(pl.Float64, strict=False) * 86_400).round().cast(pl.Int64)
    local = pl.datetime(1899, 12, 30, time_unit="us") + pl.duration(seconds=seconds, time_unit="us")
    return texts.to_frame("text").select(_placed(local, zone)).to_series()


def _placed(local: pl.Expr, zone: str) -> pl.Expr:
    return pl.coalesce(_in_zone(local, zone), _in_zone(local.dt.offset_by("1h"), zone))


def _in_zone(local: pl.Expr, zone: str) -> pl.Expr:
    if zone == "UTC":
        return local.dt.replace_time_zone(zone)
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def yes_or_no(name: str) -> pl.Expr:
    """Return a text column as booleans; null where it is empty or says neither."""
    text = pl.col(name).str.to_lowercase().str.replace_all(r"[\s_-]", "")
    return pl.when(text.is_in(YES)).then(pl.lit(value=True)).when(text.is_in(NO)).then(pl.lit(value=False))
