"""Scores, stages and favourite categories against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from segments.core import affinity, lifecycle, orders, rfm


def test_five_different_values_get_the_five_scores() -> None:
    assert rfm.quintile_scores(np.array([30, 10, 50, 20, 40])).tolist() == [3, 1, 5, 2, 4]


def test_few_days_are_good() -> None:
    assert rfm.quintile_scores(np.array([30, 10, 50, 20, 40]), high_is_good=False).tolist() == [3, 5, 1, 4, 2]


def test_equal_values_get_equal_scores_and_leave_scores_empty() -> None:
    # Six of ten ordered once: nobody is worse (1). Twice: 6/10 are worse, 1 + 3. Three times: 9/10, 1 + 4.
    assert rfm.quintile_scores(np.array([1] * 6 + [2] * 3 + [3])).tolist() == [1] * 6 + [4] * 3 + [5]
    assert rfm.quintile_scores(np.array([7.0, 7.0])).tolist() == [1, 1]


def test_scores_of_nobody_are_nothing_and_nonsense_is_refused() -> None:
    assert rfm.quintile_scores(np.array([])).tolist() == []
    with pytest.raises(ValueError, match="NaN"):
        rfm.quintile_scores(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="one-dimensional"):
        rfm.quintile_scores(np.ones((2, 2)))


def test_thresholds_follow_the_rhythm_of_the_shop() -> None:
    # 0..100: the median is 50, the 90th percentile 90.
    assert lifecycle.thresholds(np.arange(101.0)) == lifecycle.Thresholds(50.0, 90.0, 180.0)
    # A bakery: everybody comes daily, but a week away is not yet a reason to worry.
    assert lifecycle.thresholds(np.ones(50)) == lifecycle.Thresholds(7.0, 7.0, 14.0)


def test_a_young_shop_gets_the_defaults() -> None:
    few = np.array([3.0] * 29 + [np.nan] * 100)
    assert lifecycle.thresholds(few) == lifecycle.Thresholds(30.0, 90.0, 180.0)


def test_stages_at_their_borders() -> None:
    limits = lifecycle.Thresholds(30.0, 90.0, 180.0)
    n_orders = np.array([0, 1, 1, 2, 3, 9, 9, 1])
    days = np.array([np.nan, 29.9, 30.0, 5.0, 89.9, 90.0, 180.0, 400.0])
    expected = ["lead", "new", "promising", "promising", "loyal", "at_risk", "dormant", "dormant"]
    assert lifecycle.stages(n_orders, days, limits).tolist() == expected


def _lines(*rows: tuple[int, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["shopper", "category", "days", "spent"])


def test_a_purchase_90_days_older_counts_half() -> None:
    best = affinity.favourite_categories(_lines((1, "Mugs", 190, 10), (1, "Lamps", 100, 10)))
    # 10 against 5: two thirds and one third.
    assert best.to_dict("records") == [
        {"shopper": 1, "category": "Mugs", "share": 0.6667},
        {"shopper": 1, "category": "Lamps", "share": 0.3333},
    ]


def test_shares_do_not_depend_on_the_day() -> None:
    lines = _lines((1, "Mugs", 0, 10), (1, "Lamps", 33, 7), (2, "Mugs", 5, 3))
    later = lines.assign(days=lines["days"] + 1000)
    pd.testing.assert_frame_equal(affinity.favourite_categories(lines), affinity.favourite_categories(later))


def test_only_five_categories_are_kept_and_equal_ones_stand_by_name() -> None:
    best = affinity.favourite_categories(_lines(*[(1, name, 0, 1) for name in "fbdcea"]))
    assert best["category"].tolist() == list("abcde")
    assert best["share"].tolist() == [0.1667] * 5


def test_lines_without_money_give_no_favourite() -> None:
    assert affinity.favourite_categories(_lines((1, "Mugs", 0, 0), (1, "Mugs", 0, -3))).empty


def test_lines_become_orders_and_orders_become_figures() -> None:
    day = 86_400.0
    lines = pd.DataFrame(
        [(1, "a", 0, 10), (1, "a", 5, 5), (1, "b", 10 * day, 20), (1, "c", 40 * day, 25), (2, "a", 0, 8)],
        columns=["shopper", "order", "at", "amount"],
    )
    made = orders.orders_of(lines)
    assert made["amount"].tolist() == [15, 20, 25, 8]
    figures = orders.order_figures(made, since_90d=10 * day, since_365d=1.0)
    first = figures.loc[1]
    assert (first["n_orders"], first["n_orders_90d"], first["n_orders_365d"]) == (3, 2, 2)
    assert (first["spent"], first["spent_365d"], first["basket"]) == (60, 45, 20)
    # Gaps of 10 and 30 days: their median is 20.
    assert first["gap_days"] == 20
    assert np.isnan(figures.loc[2, "gap_days"])
