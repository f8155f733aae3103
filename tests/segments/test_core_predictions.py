"""The models against published figures, and what must hold whatever the numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.core import (
    backtest,
    buying,
    categories,
    challenger,
    drivers,
    features,
    floor,
    forecast,
    outlook,
    ranges,
    year_ahead,
)
from segments.core import spending as worth
from segments.core.order_book import OrderBook, happened, known_at, make_book

# Fader, Hardie and Lee (2005), table 2, and Fader and Hardie (2013), section 5: the CDNOW shoppers, in weeks.
CDNOW = buying.Buying(r=0.243, alpha=4.414, a=0.793, b=2.426)
CDNOW_SPENDING = worth.Spending(p=6.25, q=3.74, v=15.44)

shapes = st.floats(0.05, 20)
models = st.builds(buying.Buying, r=shapes, alpha=st.floats(0.5, 500), a=shapes, b=shapes)
shoppers = st.tuples(st.integers(0, 60), st.floats(0, 1), st.floats(1, 2000))


def one(x: int, share: float, age: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([float(x)]), np.array([age * share if x else 0.0]), np.array([age])


def made(n: int = 400, seed: int = 0, days: float = 300.0) -> OrderBook:
    """Shoppers who buy as the model says, without leaving."""
    rng = np.random.default_rng(seed)
    start, rate = rng.uniform(1, days, n), rng.gamma(0.7, 1 / 40, n)
    who = np.repeat(np.arange(n), 1 + rng.poisson(start * rate))
    first = np.diff(who, prepend=-1) != 0
    ago = np.where(first, start[who], start[who] * rng.random(len(who)))
    return make_book(who + 1, 1000.0 - ago, rng.gamma(4, 5, len(who)), np.zeros(len(who), bool))


def no_activity(_at: float, ids: np.ndarray) -> np.ndarray:
    return features.no_activity(len(ids))


# ---------- published figures


def test_the_worked_example_of_bg_nbd() -> None:
    """The paper's shopper with two repeat orders, the last in week 30.43 of 38.86: 1.226 expected in 39 weeks."""
    row = np.array([2.0]), np.array([30.43]), np.array([38.86])
    assert buying.expected(CDNOW, *row, 39)[0] == pytest.approx(1.226, abs=0.001)
    assert buying.alive(CDNOW, *row)[0] == pytest.approx(0.726, abs=0.001)


def test_the_worked_example_of_gamma_gamma() -> None:
    """The note's shopper: two repeat orders of 22.35 on average are drawn to 24.66 by a shop whose mean order is 35."""
    assert CDNOW_SPENDING.mean == pytest.approx(35.2, abs=0.05)
    value = worth.order_value(CDNOW_SPENDING, np.array([2.0]), np.array([22.35]))[0]
    assert value == pytest.approx(24.66, abs=0.02)


def test_cdnow_is_fitted_as_published_and_as_the_reference_library_does() -> None:
    lifetimes = pytest.importorskip("lifetimes")
    datasets = pytest.importorskip("lifetimes.datasets")
    data = datasets.load_cdnow_summary(index_col=[0])
    x, t_x, age = (data[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    model = buying.fit(x, t_x, age, penalty=0)
    assert [model.r, model.alpha, model.a, model.b] == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=0.002)
    reference = lifetimes.BetaGeoFitter().fit(x, t_x, age)
    theirs = buying.Buying(**{name: float(reference.params_[name]) for name in ("r", "alpha", "a", "b")})
    told = reference.conditional_expected_number_of_purchases_up_to_time(39, x, t_x, age)
    assert np.allclose(buying.expected(theirs, x, t_x, age, 39), told, atol=1e-8)
    assert np.allclose(buying.alive(theirs, x, t_x, age), reference.conditional_probability_alive(x, t_x, age))
    money = datasets.load_cdnow_summary_data_with_monetary_value()
    spent = worth.fit(money["frequency"].to_numpy(), money["monetary_value"].to_numpy(), penalty=0)
    assert spent is not None
    assert [spent.p, spent.q, spent.v] == pytest.approx([6.25, 3.74, 15.44], abs=0.02)


def test_counted_rows_fit_like_single_ones() -> None:
    known = known_at(made(), 1000.0)
    same = floor.counted(known)
    assert same.weights.sum() == len(known.n)
    assert (same.x[same.back] == known.x).all()
    whole = buying.fit(known.x, known.t_x, known.age)
    part = buying.fit(same.x, same.t_x, same.age, same.weights)
    assert whole.r == pytest.approx(part.r, rel=1e-3)


# ---------- what must hold


@given(models, shoppers, st.floats(1, 400))
def test_chances_and_counts_stay_in_their_bounds(
    model: buying.Buying, who: tuple[int, float, float], days: float
) -> None:
    row = one(*who)
    chance, orders = buying.chance(model, *row, days)[0], buying.expected(model, *row, days)[0]
    low, high = (end[0] for end in buying.chance_range(model, *row, days))
    assert 0 <= chance <= 1
    assert 0 <= low <= high <= 1
    assert chance - 1e-9 <= orders <= (model.r + who[0]) / (model.alpha + who[2]) * days + 1e-9


@given(models, st.integers(0, 60), st.floats(1, 2000), st.floats(0, 1), st.floats(0, 1))
def test_a_later_last_order_never_lowers_the_chance(
    model: buying.Buying, x: int, age: float, one_share: float, other: float
) -> None:
    early, late = (buying.chance(model, *one(x, share, age), 30)[0] for share in sorted((one_share, other)))
    assert late >= early - 1e-12


@given(models, shoppers, st.floats(1, 200), st.floats(1, 200))
def test_more_days_bring_no_fewer_orders(
    model: buying.Buying, who: tuple[int, float, float], days: float, more: float
) -> None:
    row = one(*who)
    assert buying.chance(model, *row, days + more)[0] >= buying.chance(model, *row, days)[0] - 1e-9


@given(models, shoppers, st.floats(0.05, 0.95))
def test_the_day_of_the_next_order_is_where_its_chance_is_reached(
    model: buying.Buying, who: tuple[int, float, float], level: float
) -> None:
    x, t_x, age = one(*who)
    there = buying.alive(model, x, t_x, age)
    days = buying.days_until(model, x, age, there=there, level=level)[0]
    if 1e-3 < days < 1e6:
        assert buying.chance(model, x, t_x, age, days)[0] == pytest.approx(level, abs=1e-6)
    elif np.isinf(days):
        assert there[0] <= level + 1e-12


@given(st.floats(0, 5000), st.floats(0.01, 20), st.floats(0.3, 0.99))
def test_ranges_hold_the_prediction(mean: float, phi: float, level: float) -> None:
    low, high = ranges.orders_range(np.array([mean]), phi, level)
    assert 0 <= low[0] <= mean <= high[0]
    width = ranges.Width(phi=phi, n_orders=100)
    low, high = ranges.spend_range(np.array([mean * 20]), np.array([mean]), width, level)
    assert 0 <= low[0] <= mean * 20 <= high[0]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_ranges_of_chances_hold_them(chance: float, base: float, low: float, high: float) -> None:
    ends = np.array([min(low, base)]), np.array([max(high, base)])
    found = ranges.chance_range(np.array([chance]), np.array([base]), ends, [])
    assert 0 <= found[0][0] <= chance <= found[1][0] <= 1


def test_few_orders_widen_every_range() -> None:
    mean = np.array([3.0])
    few, many = (ranges.Width(n_orders=n).scatter for n in (20, 20_000))
    assert ranges.orders_range(mean, few, 0.8)[1][0] > ranges.orders_range(mean, many, 0.8)[1][0]


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(1, 30)), min_size=1, max_size=30))
def test_an_expected_order_lies_between_hers_and_the_shops(rows: list[tuple[float, int]]) -> None:
    mean, n = (np.array(column, float) for column in zip(*rows, strict=True))
    model = worth.fit(n, mean)
    if model is None:
        assert not (mean > 0).any()
        return
    value = worth.order_value(model, n, mean)
    assert (value >= 0).all()
    if model.q > 1.5:
        own = np.where(mean > 0, mean, model.mean)
        assert (value >= np.minimum(own, model.mean) - 1e-6).all()
        assert (value <= np.maximum(own, model.mean) + 1e-6).all()


def test_parts_add_up_to_the_difference_from_the_usual_shopper() -> None:
    same = floor.counted(known_at(made(), 1000.0))
    model = buying.Buying(0.6, 40, 0.8, 2.5)
    parts = drivers.floor_parts(model, same, 30)
    usual = [drivers.weighted_median(part, same.weights) for part in (same.age - same.t_x, same.x, same.age)]
    base = buying.chance(model, *(np.array([v]) for v in (usual[1], max(usual[2] - usual[0], 0), usual[2])), 30)[0]
    assert np.allclose(parts.sum(axis=1), buying.chance(model, same.x, same.t_x, same.age, 30) - base)


# ---------- orders and time


def test_what_was_known_at_a_moment() -> None:
    day = np.array([10.0, 10.4, 50.0, 95.0, 20.0])
    book = make_book(np.array([7, 7, 7, 7, 3]), day, np.array([5.0, 5.0, 20.0, 99.0, np.nan]), np.zeros(5, bool))
    known = known_at(book, 90.5)
    assert book.shoppers[known.buyer].tolist() == [3, 7]
    # Two orders of one day are one day; the order of day 95 is still to come.
    assert known.n.tolist() == [1, 3]
    assert known.x.tolist() == [0, 1]
    assert known.t_x.tolist() == [0, 40]
    assert known.age.tolist() == [70, 80]
    assert known.mean.tolist() == [0, 10]
    assert known.n_within[:, 1].tolist() == [1, 3]
    orders, money = happened(book, known.buyer, 90.5, 10)
    assert (orders.tolist(), money.tolist()) == ([0, 1], [0, 99])


def test_trees_learn_nothing_of_the_window_they_are_tried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(challenger, "FEWEST_ROWS", 50)

    def activity(at: float, ids: np.ndarray) -> np.ndarray:
        seen.append(at)
        return features.no_activity(len(ids))

    book = made(800, days=600)
    rounds = backtest.play(book, 1000.0, window=90.0, activity_of=activity)
    assert [one.at for one in rounds] == [910, 820]
    # Each round: trained on what was known a window earlier, tried as of its own start.
    assert seen == [820, 910, 730, 820]
    later = make_book(
        np.append(book.shoppers[book.shopper], 1), np.append(book.day, 905.0), np.append(book.money, 1e6),
        np.zeros(len(book.day) + 1, bool),
    )  # fmt: skip
    other = backtest.play(later, 1000.0, window=90.0, activity_of=no_activity)
    assert np.allclose(other[1].says["orders"]["boosted"], rounds[1].says["orders"]["boosted"])


def rounds_of(floor_off: float, other_off: float, n: int = 500) -> list[backtest.Round]:
    came = np.random.default_rng(0).poisson(2.0, n).astype(float)
    said = {"bgnbd": np.full(n, 2.0 + floor_off), "both": np.full(n, 2.0 + other_off)}
    truth = outlook.Truth(came, came, came)
    return [backtest.Round(0.0, dict.fromkeys(outlook.TARGETS, said), truth, 1.0)]


def test_the_back_test_chooses_the_better_model_and_the_floor_when_unsure() -> None:
    assert backtest.choose(rounds_of(1.5, 0.0), "orders")[0] == "both"
    assert backtest.choose(rounds_of(0.0, 1.5), "orders")[0] == "bgnbd"
    assert backtest.choose(rounds_of(0.0, 0.0), "orders")[0] == "bgnbd"
    assert backtest.choose([], "orders") == ("bgnbd", {})


def test_trees_win_where_the_floor_can_not_see_the_reason() -> None:
    """Who looked around orders, who did not does not: no recency or frequency says so."""
    rng = np.random.default_rng(1)
    n = 1500
    looks = rng.random(n) < 0.4
    who = np.concatenate([np.arange(n), *(np.flatnonzero(looks) for _ in range(4))])
    day = np.concatenate(
        [rng.uniform(600, 700, n), *(1000 - 90 * k + rng.uniform(-89, -1, looks.sum()) for k in range(4))]
    )
    book = make_book(who + 1, day, np.full(len(who), 20.0), np.zeros(len(who), bool))

    def activity(_at: float, ids: np.ndarray) -> np.ndarray:
        rows = features.no_activity(len(ids))
        rows[:, 1] = np.where(looks[ids - 1], 9, 0)
        return rows

    lesson = forecast.study(book, 1000.0, activity_of=activity)
    assert lesson.chosen["churn"] != "bgnbd"
    made_now = forecast.predict(book, 1000.0, lesson, activity_of=activity)
    assert made_now.columns["churn_chance"][looks].mean() < made_now.columns["churn_chance"][~looks].mean() - 0.3


def test_stated_ranges_hold_in_a_shop_that_buys_as_before() -> None:
    book = made(3000, days=800)
    lesson = forecast.study(book, 1000.0, activity_of=no_activity)
    assert 0.75 <= lesson.metrics["coverage"]["orders"] <= 0.95
    assert 0.75 <= lesson.metrics["coverage"]["spend"] <= 0.95
    for row in lesson.metrics["calibration"]:
        assert abs(row["said"] - row["came"]) < 0.08


def test_a_year_is_tried_where_two_years_are_known_and_never_looks_ahead() -> None:
    book = made(1500, days=800)
    year = year_ahead.tried(book, 1000.0)
    assert 0.7 <= year["orders_covered"] <= 1
    assert 0.7 <= year["spend_covered"] <= 1
    assert abs(np.log(year["orders_predicted"] / year["orders_happened"])) < 0.3
    assert abs(year["gone_said"] - year["gone_came"]) < 0.1
    # What came in the year changes what happened, not what was told.
    late = book.day >= 1000.0 - 365
    richer = replace(book, money=np.where(late, book.money * 10, book.money))
    again = year_ahead.tried(richer, 1000.0)
    assert again["spend_predicted"] == year["spend_predicted"]
    assert again["spend_happened"] > 5 * year["spend_happened"]
    assert year_ahead.tried(made(100, days=700), 1000.0) == {}
    assert year_ahead.tried(make_book(*np.empty((3, 0)), np.empty(0, bool)), 1000.0) == {}


# ---------- categories


def test_own_habits_lean_on_the_shop() -> None:
    habits = categories.Habits(
        np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1.0, 4.0, 1.0]), np.array([4.0, 1.0, 1.0]),
        np.array([0.6, 0.3]),
    )  # fmt: skip
    category, chance = categories.next_category(habits, 1.0)
    assert category.tolist() == [1, 1, 0]
    assert chance == pytest.approx([4.3 / 5, 1.3 / 2, 0.3])
    assert categories.next_category(habits, 1e12)[0].tolist() == [0, 0, 0]


def test_percentiles_say_how_many_have_less() -> None:
    assert forecast.percentile(np.array([1.0, 2.0, 2.0, 5.0])).tolist() == [0, 25, 25, 75]
    assert forecast.percentile(np.zeros(7)).tolist() == [0] * 7
