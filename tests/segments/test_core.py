"""Scores and stages against values worked out by hand."""

import numpy as np
import pytest

from segments.core import lifecycle, rfm


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
