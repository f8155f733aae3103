"""What cells tell about dates and numbers; what they don't tell is asked."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaviour.core import values
from behaviour.core.columns import recognise
from behaviour.core.encodings import encoding_of
from behaviour.core.parsing import Block, Chunk, Row, TableError, as_block
from behaviour.core.sniffing import date_order, decimal_mark, questions, seen

MATCH = recognise(["user_id", "item_id", "event", "timestamp", "price"])


def block(*cells: tuple[str, str]) -> Block:
    return as_block(Chunk([Row(at, ["1", "A", "purchase", *pair]) for at, pair in enumerate(cells, start=2)]), 5)


def dates(*texts: str) -> Block:
    return block(*((text, "1") for text in texts))


def prices(*texts: str) -> Block:
    return block(*(("2026-01-01", text) for text in texts))


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (("03/04/2024", "31/01/2024"), "day_first"),
        (("03/04/2024", "01/31/2024 10:00"), "month_first"),
        (("3-4-24", "4-31-24"), "month_first"),
        (("03/04/2024", "05/06/2024"), ""),
        (("31/01/2024", "01/31/2024"), ""),
        (("05/05/2024",), None),
        (("2024-04-03", "03.04.2024", ""), None),
    ],
)
def test_the_order_of_day_and_month_is_seen_or_open(texts: tuple[str, ...], order: str | None) -> None:
    assert date_order(dates(*texts), MATCH) == order


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (("1.250", "12,50"), ","),
        (("1.250", "12.50"), "."),
        (("1.250", "3.700"), ""),
        (("€1,250", "2,000"), ""),
        (("1.250", "1.250,00"), ","),
        (("1.250", "1.000.000"), ","),
        (("1,250", "0.125"), "."),
        (("12.50", "12,50", "1.250"), ""),
        (("12.50", "12,50"), None),
        (("12", "", "x"), None),
    ],
)
def test_the_decimal_mark_is_seen_or_open(texts: tuple[str, ...], mark: str | None) -> None:
    found = decimal_mark(prices(*texts), MATCH)
    assert found == mark


def test_what_is_open_is_asked_with_the_cells_that_show_it() -> None:
    asked = questions(block(("03/04/2024", "1.250"), ("05/06/2024", "2.000")), MATCH)
    assert [question.stored(["user", "item", "what", "when", "each"]) for question in asked] == [
        {
            "code": "date_order", "column": "when", "samples": ["03/04/2024", "05/06/2024"],
            "choices": ["day_first", "month_first"], "default": "day_first",
        },
        {
            "code": "decimal", "column": "each", "samples": ["1.250", "2.000"], "choices": [".", ","], "default": ".",
        },
    ]  # fmt: skip
    assert questions(block(("2024-04-03", "1.25"), ("31/12/2024", "7")), MATCH) == []


def test_what_is_seen_is_told() -> None:
    shown = seen(block(("2024-04-03T10:00:00Z", "12,50"), ("2024-04-04T10:00:00Z", ""), ("23.11.2026", "")), MATCH)
    assert shown == {"dates": ["YYYY-MM-DD", "DD.MM.YYYY"], "zone_written": True, "decimal": ","}


DAYS = st.datetimes(datetime(1999, 1, 1), datetime(2039, 12, 31))
WRITTEN = [
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+0000", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%d %B %Y %H:%M:%S", "%b %d, %Y %I:%M:%S %p",
    "%a, %d %b %Y %H:%M:%S +0000", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H时%M分%S秒", "%Y%m%d%H%M%S",
    "%Y-%m-%d %H:%M:%S UTC",
]  # fmt: skip


@given(st.lists(DAYS, min_size=1, max_size=5), st.sampled_from(WRITTEN))
def test_every_format_gives_the_time_that_was_written(days: list[datetime], written: str) -> None:
    days = [day.replace(microsecond=0) for day in days]
    texts = pl.Series([*(day.strftime(written) for day in days), "soon", ""])
    read = values.moment(texts, zone="UTC", day_first=True).to_list()
    assert read == [*(day.replace(tzinfo=UTC) for day in days), None, None]


@given(DAYS, st.sampled_from([1, 1000, 1_000_000]))
def test_counted_times_give_the_time_that_was_counted(day: datetime, unit: int) -> None:
    day = day.replace(microsecond=0, tzinfo=UTC)
    text = str(int(day.timestamp()) * unit)
    if int(text) > 10**8 * unit:
        assert values.moment(pl.Series([text]), zone="UTC", day_first=True)[0] == day


def test_days_of_a_spreadsheet_are_read_where_all_are_such() -> None:
    read = values.moment(pl.Series(["46349.25", "46350", ""]), zone="UTC", day_first=True)
    assert read.to_list() == [datetime(2026, 11, 23, 6, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC), None]
    steps = [str(n) for n in range(1000, 90_000, 1000)]
    assert values.moment(pl.Series(steps), zone="UTC", day_first=True).null_count() == len(steps)


@given(DAYS)
def test_days_are_never_taken_for_months(day: datetime) -> None:
    for order, written in (("day_first", "%d/%m/%Y"), ("month_first", "%m/%d/%Y")):
        found = date_order(dates(day.strftime(written)), MATCH)
        assert found in ("", order) if day.day != day.month else found is None
        read = values.moment(pl.Series([day.strftime(written)]), zone="UTC", day_first=order == "day_first")[0]
        assert (read.month, read.day) == (day.month, day.day)


AMOUNTS = st.decimals(min_value=0, max_value=10_000_000, places=2)


@given(st.lists(AMOUNTS, min_size=1, max_size=6), st.sampled_from([",", "."]), st.booleans(), st.booleans())
def test_amounts_are_read_as_they_were_written(amounts: list, mark: str, grouped: bool, signed: bool) -> None:
    english = [f"{amount:,.2f}" if grouped else f"{amount:.2f}" for amount in amounts]
    swapped = [text.translate(str.maketrans(",.", ".,")) if mark == "," else text for text in english]
    texts = [f"€ {text}" if signed else text for text in swapped]
    assert decimal_mark(prices(*texts), MATCH) == mark
    read = values.number(pl.Series(texts), mark)
    assert read.to_list() == [float(amount) for amount in amounts]


@given(st.text(alphabet="0123456789.,-+eE ()€xn∞'", max_size=12), st.sampled_from(["", ".", ","]))
def test_no_text_becomes_an_endless_number(text: str, mark: str) -> None:
    read = values.number(pl.Series([text]), mark)[0]
    assert read is None or abs(read) < float("inf")


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("12,50", ".", 12.5), ("1.250", ",", 1250), ("1,250", ",", 1.25), ("1.250", ".", 1.25), ("3-", "", -3),
        ("12 50", "", None), ("1 234,50", "", 1234.5), ("1'234.50", "", 1234.5), ("CHF 12.50", "", 12.5),
        ("$1,234.50", "", 1234.5),
        ("--4", "", None), ("1e400", "", None), ("nan", "", None), ("inf", "", None), ("1,23,456.00", "", 123456),
        ("12,345,67", "", None), ("1.2.3", "", None), ("１２.５", "", 12.5), ("9" * 400, "", None),
    ],
)  # fmt: skip
def test_the_mark_decides_only_what_is_open(text: str, mark: str, number: float | None) -> None:
    assert values.number(pl.Series([text, "1"]), mark)[0] == number


def test_zero_has_no_sign() -> None:
    assert [str(value) for value in values.number(pl.Series(["-0", "-0.00", "($0)"]))] == ["0.0", "0.0", "0.0"]


POOLS = {
    "gb18030": "保温杯蓝色大号户外帐篷双人睡袋登山鞋运动水壶背包加厚冬季男女款价格商品名称，。（）",
    "big5": "保溫杯藍色大號戶外帳篷雙人睡袋登山鞋運動水壺背包加厚冬季男女款價格商品名稱，。（）",
    "cp932": "ステンレスボトルテント二人用商品名価格青い寝袋のはでにをリュックサック登山靴",
    "cp1251": "кружкасиняяпалаткадвухместнаяспальныймешок",
}
WORDS = ["Käse", "Größe", "Crème brûlée", "Señal", "Été", "Smörgås", "Rødgrød", "naïve", "12 €", "£3", "“best”", "à"]


@given(st.data(), st.sampled_from([*POOLS, "cp1252", "utf-8", "utf-16-le", "utf-16-be"]))
def test_letters_are_right_or_asked_or_refused(data: st.DataObject, encoding: str) -> None:
    if encoding in POOLS:
        cells = st.text(alphabet=POOLS[encoding], min_size=4, max_size=10)
    else:
        cells = st.sampled_from(WORDS if encoding == "cp1252" else [*WORDS, "保温杯", "水筒", "кружка", "🙂"])
    text = "user_id,item_id,name\n" + "".join(
        f"{at},A-{at},{cell}\n" for at, cell in enumerate(data.draw(st.lists(cells, min_size=2, max_size=12)))
    )
    try:
        found, unsure = encoding_of(text.encode(encoding))
    except TableError:
        return
    assert text.encode(encoding).decode(found) == text or encoding in unsure, (found, unsure)
