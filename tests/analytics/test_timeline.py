"""Bins over the time since sending began."""

from analytics.core.timeline import MAX_BINS, binned, half_by


def test_a_young_campaign_is_drawn_by_the_minute() -> None:
    series = binned([(0, 2), (1.5, 1)], [(2, 4)], span_minutes=3)
    assert series.width_minutes == 1
    assert series.opens.tolist() == [2, 1, 0]
    assert series.clicks.tolist() == [0, 0, 4]


def test_a_week_is_drawn_in_bins_that_fit_the_chart() -> None:
    series = binned([(61, 3), (10_079, 1)], [], span_minutes=7 * 1440)
    assert series.width_minutes == 180
    assert len(series.starts) <= MAX_BINS
    assert series.starts[1] == 3
    assert (series.opens[0], series.opens[-1]) == (3, 1)


def test_what_lies_outside_is_left_out_and_clock_slips_fall_into_the_first_bin() -> None:
    series = binned([(-2, 1), (50, 1)], [], span_minutes=10)
    assert series.opens.sum() == 1
    assert series.opens[0] == 1


def test_half_of_the_clicks() -> None:
    assert half_by([(60, 1), (5, 2), (600, 1)]) == 5
    assert half_by([(5, 1), (60, 1), (600, 2)]) == 60
    assert half_by([]) is None
