"""Trees as tables say to the last digit what the library that grew them says."""

import lightgbm
import numpy as np
import pytest

from segments.core import buying, challenger, drivers, trees
from segments.core import spending as worth

GROUPS = [[0, 2], [1], [3, 4]]


def shop(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features of n shoppers, some of them whole numbers, and how many orders came."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.gamma(1, 50, (n, 2)), rng.poisson(2, (n, 3))]).astype(np.float32)
    return rows, rng.poisson(np.exp(0.3 * rows[:, 2] - rows[:, 0] / 80)).astype(float)


def grown(rows: np.ndarray, outcome: np.ndarray) -> lightgbm.Booster:
    settings = challenger.SETTINGS | challenger.POISSON
    return lightgbm.train(settings, lightgbm.Dataset(rows, outcome, params=settings), 30)


@pytest.mark.parametrize("n", [300, trees.BLOCK + 5])
def test_tables_add_up_to_what_the_library_says(n: int) -> None:
    booster = grown(*shop(2000))
    rows = shop(n, seed=1)[0]
    assert (trees.of_booster(booster).sums(rows) == booster.predict(rows, raw_score=True)).all()


def test_mixed_rows_are_told_like_rows_that_were_mixed() -> None:
    booster = grown(*shop(2000))
    rows = shop(200, seed=1)[0]
    usual = np.median(rows, axis=0)[None, :]
    ways = [(), (0,), (1, 2), (0, 1, 2)]
    told = trees.of_booster(booster).mixed(rows, usual, GROUPS, ways)
    for way, said in zip(ways, told, strict=True):
        mixed = np.repeat(usual, len(rows), axis=0)
        for group in way:
            mixed[:, GROUPS[group]] = rows[:, GROUPS[group]]
        assert (said == booster.predict(mixed, raw_score=True)).all()


def test_trees_without_a_split_say_the_mean() -> None:
    rows = np.ones((400, 5), np.float32)
    told = challenger.amounts(challenger.train_amounts(rows, np.arange(400.0)), rows[:3])
    assert told == pytest.approx([199.5] * 3)
    assert len(challenger.amounts(challenger.train_amounts(rows, np.arange(400.0)), rows[:0])) == 0


def test_parts_of_trees_add_up() -> None:
    rows, came = shop(2000)
    made = challenger.train_chance(rows, came > 0)
    usual = np.median(rows, axis=0)[None, :]
    parts = drivers.parts(lambda ways: challenger.chance_of(made.mixed(rows, usual, GROUPS, ways)), len(GROUPS))
    assert np.allclose(parts.sum(axis=1), challenger.chances(made, rows) - challenger.chances(made, usual))
    # Column 1 says nothing of who orders.
    assert np.abs(parts[:, 1]).mean() < np.abs(parts[:, 0]).mean() / 3


@pytest.mark.parametrize("place", range(4))
def test_the_slope_of_the_likelihood_of_orders(place: int) -> None:
    x, t_x, age = np.array([0.0, 1, 3, 0]), np.array([0.0, 40, 100, 0]), np.array([10.0, 90, 101, 300])
    weights, values = np.array([5.0, 2, 1, 7]), np.array([0.6, 40.0, 0.8, 2.5])

    def total(step: float) -> float:
        moved = values.copy()
        moved[place] += step
        return buying.log_likelihood(buying.Buying(*moved), x, t_x, age, weights)[0]

    slope = buying.log_likelihood(buying.Buying(*values), x, t_x, age, weights)[1][place]
    assert slope == pytest.approx((total(1e-5) - total(-1e-5)) / 2e-5, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("place", range(3))
def test_the_slope_of_the_likelihood_of_money(place: int) -> None:
    n, mean, values = np.array([1.0, 4, 1, 30]), np.array([3.0, 25, 14, 40]), np.array([6.0, 3.7, 15.0])

    def total(step: float) -> float:
        moved = values.copy()
        moved[place] += step
        return worth.log_likelihood(worth.Spending(*moved), n, mean)[0]

    slope = worth.log_likelihood(worth.Spending(*values), n, mean)[1][place]
    assert slope == pytest.approx((total(1e-5) - total(-1e-5)) / 2e-5, rel=1e-5, abs=1e-7)
