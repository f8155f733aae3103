from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from mailai.ui import numbers, shapes


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.296, "29.6%"),
        (0.0014, "0.14%"),
        (0, "0%"),
        (1, "100%"),
        (0.9999, "100.0%"),
        (None, "–"),
        (Decimal("0.05"), "5.0%"),
    ],
)
def test_a_rate_has_one_decimal_and_two_when_it_is_rare(share: float | None, text: str) -> None:
    assert numbers.percent(share) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.291, 0.301, "29.1–30.1%"), (0.0505, 0.0506, "5.05–5.06%"), (0.0011, 0.0019, "0.11–0.19%")],
)
def test_a_range_names_its_unit_once_and_never_looks_like_a_point(low: float, high: float, text: str) -> None:
    assert numbers.percent_range(low, high) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (9_999, "9,999"),
        (46_812, "46.8k"),
        (999_960, "1.0M"),
        (1_234_567, "1.2M"),
        (-12_300, "−12.3k"),
        (None, "–"),
        (0, "0"),
    ],
)
def test_big_numbers_are_shortened_from_ten_thousand_on(number: int | None, text: str) -> None:
    assert numbers.big(number) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("46812.20"), "USD", "$46.8k"),
        (Decimal("1234.56"), "GBP", "£1,235"),
        (Decimal("9.5"), "EUR", "€9.50"),
        (Decimal("-9.5"), "EUR", "−€9.50"),
        (Decimal(500), "JPY", "¥500"),
        (Decimal("12.5"), "CHF", "CHF 12.50"),
        (None, "USD", "–"),
    ],
)
def test_money_carries_its_currency(amount: Decimal | None, currency: str, text: str) -> None:
    assert numbers.money(amount, currency) == text


def test_a_change_of_a_rate_is_in_points_and_a_lift_in_percent() -> None:
    assert numbers.points(0.004) == "+0.4 pts"
    assert numbers.points(-0.0003) == "−0.03 pts"
    assert numbers.lift(0.51) == "+51%"
    assert numbers.lift(-0.114) == "−11%"
    assert numbers.lift(0.001) == "0%"


def test_a_moment_is_in_words_for_today_and_yesterday_only() -> None:
    today = timezone.localtime().replace(hour=9, minute=0)
    assert numbers.moment(today) == "Today 09:00"
    assert numbers.moment(today - timedelta(days=1)) == "Yesterday 09:00"
    assert numbers.moment(datetime(2020, 11, 17, 9, 0, tzinfo=UTC)) == "Tue 17 Nov 2020, 09:00"
    assert numbers.moment(None) == "–"


def test_a_rate_from_little_data_is_too_early() -> None:
    assert shapes.rate(4, 10_000).early
    assert shapes.rate(50, 99).early
    assert not shapes.rate(5, 100).early
    assert shapes.rate(0, 0, settled=True).early


def test_a_sparkline_stays_in_its_box() -> None:
    shape = shapes.spark([3, 9, 1])
    assert shape.line == "M0.0 18.0 L42.0 3.0 L84.0 23.0"
    assert shapes.spark([5]).line == ""
    assert shapes.spark([2, 2]).y == 23.0


def test_an_interval_says_whether_the_reference_is_left_out() -> None:
    shape = shapes.interval(0.51, 0.11, 1.06, reference=0, axis_low=-0.5, axis_high=1.5)
    assert (shape.point, shape.low, shape.high, shape.reference, shape.clear) == (50.5, 30.5, 78.0, 25.0, True)
    assert not shapes.interval(0.2, -0.11, 0.62, reference=0).clear


def test_a_range_of_chances_that_is_a_point_is_as_unsure_as_a_chance() -> None:
    assert [numbers.chance_range(*ends) for ends in ((0.65, 0.78), (0.001, 0.004), (0.997, 0.999))] == [
        "65–78%", "<1%", ">99%",
    ]  # fmt: skip
