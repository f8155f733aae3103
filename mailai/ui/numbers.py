"""How numbers, money and times are written; the rules stand in docs and the template filters are twins of these."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

NOTHING = "–"
MINUS = "−"
SMALL_SHARE = 0.02
BIG = 10_000
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "¥", "INR": "₹", "KRW": "₩"}
WHOLE_CURRENCIES = {"JPY", "KRW"}

Number = int | float | Decimal


def percent(share: Number | None) -> str:
    """Return a share in [0, 1] with one decimal, two below 2 %: 29.6%, 0.14%."""
    if share is None:
        return NOTHING
    if share in (0, 1):
        return "0%" if share == 0 else "100%"
    return f"{_signed(float(share) * 100, _share_decimals(float(share)))}%"


def percent_range(low: Number, high: Number) -> str:
    """Return both ends of a range with the unit once: 29.1–30.1%."""
    decimals = max(_share_decimals(float(low)), _share_decimals(float(high))) if float(high) < SMALL_SHARE else 1
    first, last = (f"{float(end) * 100:.{decimals}f}" for end in (low, high))
    if first == last and low != high:
        first, last = (f"{float(end) * 100:.2f}" for end in (low, high))
    return f"{first}–{last}%"


def chance(share: Number | None) -> str:
    """Return what is expected in whole percent, never as certain: 72%, <1%, >99%."""
    if share is None:
        return NOTHING
    whole = round(float(share) * 100)
    if whole in (0, 100):
        return "<1%" if whole == 0 else ">99%"
    return f"{whole}%"


def chance_range(low: Number, high: Number) -> str:
    """Return both ends of a range of chances in whole percent, the unit once: 65–78%."""
    first, last = round(float(low) * 100), round(float(high) * 100)
    return f"{first}–{last}%" if first != last else chance(low)


def lift(ratio: Number | None) -> str:
    """Return a relative difference as signed whole percent: 0.51 becomes +51%."""
    if ratio is None:
        return NOTHING
    return f"{_signed(float(ratio) * 100, 0, plus=True)}%"


def points(difference: Number | None) -> str:
    """Return the difference of two rates in percentage points: +0.4 pts, −0.03 pts."""
    if difference is None:
        return NOTHING
    decimals = 2 if abs(float(difference)) * 100 < 0.1 else 1
    return gettext("%(points)s pts") % {"points": _signed(float(difference) * 100, decimals, plus=True)}


def count(number: Number | None) -> str:
    """Return a whole number in full, for counts before sending and for the audit: 48,170."""
    return NOTHING if number is None else _signed(float(number), 0)


def change(number: Number | None) -> str:
    """Return by how many something grew or shrank, in full: +1,204, −38, 0."""
    return NOTHING if number is None else _signed(float(number), 0, plus=True)


def big(number: Number | None) -> str:
    """Return a number shortened from 10,000 on, for cards and charts: 46.8k, 1.2M."""
    if number is None:
        return NOTHING
    if abs(float(number)) < BIG:
        return _signed(float(number), 0)
    return _short(float(number))


def money(amount: Number | None, currency: str) -> str:
    """Return an amount for cards and tables, shortened from 10,000 on: $46.8k, $812, $24.50."""
    if amount is None:
        return NOTHING
    size = abs(float(amount))
    if size >= BIG:
        return _with_symbol(float(amount), currency, _short(size))
    if size >= 1000:
        return _with_symbol(float(amount), currency, f"{size:,.0f}")
    return price(amount, currency)


def price(amount: Number | None, currency: str) -> str:
    """Return an exact amount: $1,024.50."""
    if amount is None:
        return NOTHING
    decimals = 0 if currency in WHOLE_CURRENCIES else 2
    return _with_symbol(float(amount), currency, f"{abs(float(amount)):,.{decimals}f}")


def round_money(amount: Number | None, currency: str) -> str:
    """Return a predicted amount, in whole units as nobody knows the cents: $46.8k, $812, $25."""
    if amount is None:
        return NOTHING
    size = abs(float(amount))
    return _with_symbol(float(amount), currency, _short(size) if size >= BIG else f"{size:,.0f}")


def day(moment: date | datetime | None) -> str:
    """Return a day as Tue 17 Nov, with the year when it is not this one."""
    if moment is None:
        return NOTHING
    local = timezone.localtime(moment) if isinstance(moment, datetime) and timezone.is_aware(moment) else moment
    if local.year == timezone.localdate().year:
        return date_format(local, pgettext("date format", "D j M"))
    return date_format(local, pgettext("date format", "D j M Y"))


def moment(at: datetime | None) -> str:
    """Return a time of day with its day, in words only for today and yesterday: Today 09:00."""
    if at is None:
        return NOTHING
    local = timezone.localtime(at) if timezone.is_aware(at) else at
    clock = local.strftime("%H:%M")
    if local.date() == timezone.localdate():
        return gettext("Today %(time)s") % {"time": clock}
    if local.date() == timezone.localdate() - timedelta(days=1):
        return gettext("Yesterday %(time)s") % {"time": clock}
    return gettext("%(day)s, %(time)s") % {"day": day(at), "time": clock}


def listed(words: Iterable[str]) -> str:
    """Return words as a list in the reader's language: Marketer, Admin."""
    return pgettext("between the words of a list", ", ").join(words)


def _share_decimals(share: float) -> int:
    return 2 if 0 < abs(share) < SMALL_SHARE else 1


def _signed(number: float, decimals: int, *, plus: bool = False) -> str:
    text = f"{abs(number):,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return (MINUS if number < 0 else "+" if plus else "") + text


def _short(number: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        # 999,950 would round up to 1000.0k
        if abs(number) >= size * 0.99995:
            return f"{_signed(number / size, 1)}{letter}"
    return _signed(number, 0)


def _with_symbol(amount: float, currency: str, digits: str) -> str:
    sign = MINUS if amount < 0 else ""
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{currency} {digits}"
