"""Slots: order, variety, and draws whose probabilities are true."""

import numpy as np
import pytest

from recommender.core.slots import POOL, fill_slots, uniform_draws

NO_CATEGORY = np.full((1, 5), -1)


def test_the_first_ones_are_taken_each_once():
    places, chances = fill_slots(np.array([[7, 3, 7, -1, 9]]), NO_CATEGORY, 4)
    assert places.tolist() == [[0, 1, 4, -1]]
    assert chances.tolist() == [[1.0, 1.0, 1.0, 0.0]]


def test_no_candidates_fill_nothing():
    places, chances = fill_slots(np.empty((2, 0), int), np.empty((2, 0), int), 3)
    assert places.tolist() == [[-1] * 3] * 2
    assert not chances.any()


def test_at_most_two_of_one_category_and_no_limit_where_there_is_none():
    candidates = np.array([[1, 2, 3, 4, 5, 6, 7]])
    categories = np.array([[0, 0, 0, 1, -1, -1, -1]])
    places, _chances = fill_slots(candidates, categories, 6, per_category=2)
    assert places.tolist() == [[0, 1, 3, 4, 5, 6]]
    assert fill_slots(candidates[:, :3], categories[:, :3], 3, per_category=1)[0].tolist() == [[0, -1, -1]]


def test_a_draw_is_the_same_alone_and_in_a_batch_and_spreads_evenly():
    keys = np.arange(1, 20_001)
    draws = uniform_draws(5, keys, 3)
    assert np.array_equal(uniform_draws(5, keys[[7, 3]], 3), draws[[7, 3]])
    assert not np.array_equal(uniform_draws(6, keys, 3), draws)
    assert draws.min() >= 0
    assert draws.max() < 1
    # Ten cells of 2,000 each, standard deviation 42; neighbouring keys and slots don't hang together.
    for slot in range(3):
        assert np.abs(np.histogram(draws[:, slot], 10, (0, 1))[0] - 2000).max() < 5 * 42
    together = np.corrcoef([*draws.T, np.roll(draws[:, 0], 1)]) - np.eye(4)
    assert np.abs(together).max() < 0.03


@pytest.mark.parametrize("per_category", [0, 1])
def test_logged_probabilities_are_how_often_it_happens(per_category):
    n = 40_000
    candidates = np.tile([11, 12, 13, 14], (n, 1))
    categories = np.tile([0, 0, 1, 2], (n, 1))
    draws = uniform_draws(1, np.arange(n), 2)
    places, chances = fill_slots(candidates, categories, 2, per_category=per_category, exploration=0.4, draws=draws)
    # First slot: 0.6 + 0.4 / 4 for the best, 0.1 for each other.
    for place, expected in enumerate([0.7, 0.1, 0.1, 0.1]):
        there = places[:, 0] == place
        assert there.mean() == pytest.approx(expected, abs=0.01)
        assert chances[there, 0] == pytest.approx(expected)
    # Each pair as often as the product of its logged probabilities says.
    pairs = places[:, 0] * 4 + places[:, 1]
    for pair in np.unique(pairs):
        there = pairs == pair
        assert there.mean() == pytest.approx(chances[there].prod(axis=1)[0], abs=0.01)
        assert np.ptp(chances[there].prod(axis=1)) < 1e-12
    if per_category:
        assert not (np.isin(places, [0, 1]).sum(axis=1) == 2).any()


def test_the_mean_reward_of_another_ranking_is_estimated_without_bias_from_the_log():
    """Inverse propensity: what a ranking that was not used would have earned (Horvitz and Thompson, 1952)."""
    n = 60_000
    reward = np.array([0.1, 0.5, 0.3])
    places, chances = fill_slots(
        np.tile([1, 2, 3], (n, 1)), np.full((n, 3), -1), 1, exploration=0.3, draws=uniform_draws(2, np.arange(n), 1)
    )
    earned = np.random.default_rng(0).random(n) < reward[places[:, 0]]
    others = np.mean(earned * (places[:, 0] == 1) / chances[:, 0])
    assert others == pytest.approx(0.5, abs=0.02)


def test_the_pool_is_the_best_that_are_left_and_what_is_new():
    n, n_candidates = 30_000, POOL + 10
    fresh = np.arange(n_candidates) == n_candidates - 1
    places, chances = fill_slots(
        np.tile(np.arange(n_candidates), (n, 1)), np.full((n, n_candidates), -1), 1,
        exploration=1.0, draws=uniform_draws(3, np.arange(n), 1), fresh=fresh,
    )  # fmt: skip
    assert set(places.ravel().tolist()) == {*range(POOL), n_candidates - 1}
    assert chances == pytest.approx(1 / (POOL + 1))
