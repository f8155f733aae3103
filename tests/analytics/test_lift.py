"""Intervals against published examples, and what must hold for every count."""

from math import inf

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics.core.lift import Group, koopman, lift, mean_interval, money_difference, newcombe, pooled
from analytics.core.rates import rate


def group(n_shoppers: int, spent: list[float]) -> Group:
    return Group(n_shoppers, len(spent), len(spent), np.array(spent, dtype=float))


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Newcombe (1998), Table II, method 10, contrasts (a) to (h).
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_the_difference_agrees_with_newcombes_table(counts: tuple[int, ...], low: float, high: float) -> None:
    assert newcombe(*counts) == pytest.approx((low, high), abs=6e-5)


def test_the_ratio_agrees_with_koopmans_example() -> None:
    # Koopman (1984), section 4: 36 of 40 against 16 of 80 gives 2.94 to 7.15.
    assert koopman(36, 40, 16, 80) == pytest.approx((2.94, 7.15), abs=0.006)


def test_the_ratio_has_an_answer_without_events_in_one_group() -> None:
    low, high = koopman(5, 100, 0, 100)
    assert 1 < low < 2
    assert high == inf
    low, high = koopman(0, 100, 5, 100)
    assert low == 0
    assert high < 1
    assert koopman(0, 10, 0, 10) == (0, inf)


def test_the_report_of_the_design_comes_out() -> None:
    # screens/report.png: 15.3 per 1,000 of 37,215 against 10.2 per 1,000 of 4,135: +51 %, +11 to +106 %.
    result = lift(group(37_215, [82.0] * 571), group(4_135, [82.0] * 42))
    assert result.ratio is not None
    assert result.ratio.value == pytest.approx(1.51, abs=0.005)
    assert (result.ratio.low, result.ratio.high) == pytest.approx((1.11, 2.06), abs=0.01)
    assert result.extra_orders is not None
    assert result.extra_orders.value == pytest.approx(193, abs=0.5)
    assert result.is_clear


def test_no_money_is_claimed_below_thirty_buyers_in_the_smaller_group() -> None:
    assert lift(group(1000, [10.0] * 100), group(1000, [10.0] * 29)).extra_revenue is None
    money = lift(group(1000, [10.0] * 100), group(1000, [10.0] * 30)).extra_revenue
    assert money is not None
    assert money.value == pytest.approx(700)
    assert 0 < money.low < 700 < money.high
    assert mean_interval(group(1000, [10.0] * 29)) is None


def test_equal_groups_do_not_claim_money() -> None:
    money = money_difference(group(900, [20.0, 40.0] * 30), group(900, [20.0, 40.0] * 30))
    assert money is not None
    assert money.value == 0
    assert money.low == pytest.approx(-money.high)


def test_an_empty_group_gives_no_lift() -> None:
    result = lift(group(100, [5.0] * 3), group(0, []))
    assert (result.difference, result.ratio, result.extra_orders, result.extra_revenue) == (None,) * 4
    assert not result.is_clear


def test_a_group_without_buyers_still_has_a_range() -> None:
    money = money_difference(group(1000, [10.0] * 50), group(100, []))
    assert money is not None
    assert money.value == pytest.approx(0.5)
    # The control group's upper Wilson limit is 3.7 %: up to 0.37 a shopper, so about 0.09 may be left.
    assert 0 < money.low < 0.2
    assert money_difference(group(10, []), group(10, [])) is None


def test_campaigns_are_summed_not_weighted_by_their_outcome() -> None:
    one = lift(group(1000, [10.0] * 100), group(1000, [10.0] * 50))
    orders, money = pooled([one, one])
    assert one.extra_orders is not None
    assert orders is not None
    assert money is not None
    assert orders.value == pytest.approx(100)
    assert orders.value - orders.low == pytest.approx(2**0.5 * (one.extra_orders.value - one.extra_orders.low))
    assert money.value == pytest.approx(1000)
    assert pooled([]) == (None, None)


def test_small_campaigns_claim_money_only_together() -> None:
    small = lift(group(900, [9.0] * 40), group(100, [9.0] * 3))
    assert small.extra_revenue is None
    assert pooled([small] * 9)[1] is None
    money = pooled([small] * 10)[1]
    assert money is not None
    assert money.value == pytest.approx(10 * (40 - 27) * 9)


counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, counts)
def test_the_difference_lies_in_its_interval_and_turns_with_the_groups(a: tuple[int, int], b: tuple[int, int]) -> None:
    low, high = newcombe(*a, *b)
    assert -1 <= low <= a[0] / a[1] - b[0] / b[1] <= high <= 1
    assert newcombe(*b, *a) == pytest.approx((-high, -low), abs=1e-12)


@given(counts, counts)
def test_the_ratio_lies_in_its_interval_and_turns_with_the_groups(a: tuple[int, int], b: tuple[int, int]) -> None:
    assume(a[0] and b[0])
    low, high = koopman(*a, *b)
    value = (a[0] / a[1]) / (b[0] / b[1])
    assert 0 < low <= value * (1 + 1e-9)
    assert value * (1 - 1e-9) <= high < inf
    turned = koopman(*b, *a)
    assert turned == pytest.approx((1 / high, 1 / low), rel=1e-6)


@given(counts)
def test_more_data_with_the_same_share_narrows_the_rate(pair: tuple[int, int]) -> None:
    k, n = pair
    small, big = rate(k, n), rate(10 * k, 10 * n)
    assert small.low is not None
    assert small.high is not None
    assert big.low is not None
    assert big.high is not None
    assert small.low <= big.low <= k / n <= big.high <= small.high


def test_a_rate_is_too_early_below_a_hundred_or_five_events() -> None:
    assert rate(5, 99).too_early
    assert rate(4, 100).too_early
    assert not rate(5, 100).too_early
    assert rate(0, 0).value is None
    with pytest.raises(ValueError, match="no share"):
        rate(2, 1)
