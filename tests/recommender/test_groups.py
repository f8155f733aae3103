"""Groups of users and of items, on a shop made by hand."""

import numpy as np
import pytest

from recommender.core import groups
from recommender.core.groups import Group
from recommender.core.interactions import PURCHASE
from recommender.core.splitting import Log, split_by_time

# (user, item, day, price); the split falls on day 8.
ORDERS = [
    (0, 0, 0.1, 10), (0, 1, 0.9, 20), (1, 0, 1.0, np.nan), (1, 1, 2.0, 4), (1, 2, 3.0, 6), (2, 0, 1.0, np.nan),
    (2, 1, 1.0, np.nan), (0, 2, 9.0, 999), (1, 3, 9.5, 999), (2, 0, 10.0, 999),
]  # fmt: skip


@pytest.fixture
def shop():
    users, items, days, prices = (np.array(column) for column in zip(*ORDERS, strict=True))
    log = Log(users, items, np.full(len(users), PURCHASE, np.uint8), days, 3, 20)
    return log, split_by_time(log), prices


def test_days_with_an_order_and_mean_prices_count_what_came_before_the_split(shop):
    log, split, prices = shop
    assert split.at == pytest.approx(8.02)
    rows = np.array([0, 1, 2])
    assert groups.order_days(log, split, rows).tolist() == [1, 3, 1]
    np.testing.assert_array_equal(groups.mean_prices(log, split, rows, prices), [15, 5, np.nan])
    assert groups.order_days(log, split, np.array([2, 1])).tolist() == [1, 3]


def test_new_light_and_heavy_buyers_are_told_apart_at_the_median():
    found = {group.name: group for group in groups.by_orders(np.array([0, 1, 2, 3, 4, 9, 2]))}
    assert found["new"].members.tolist() == [True, True, False, False, False, False, False]
    assert found["light"].members.tolist() == [False, False, True, True, False, False, True]
    assert found["heavy"].members.tolist() == [False, False, False, False, True, True, False]
    assert (found["heavy"].least, found["heavy"].most) == (4, 9)
    assert not any(group.members.any() for group in groups.by_orders(np.array([1, 1])) if group.name != "new")


def test_small_countries_stand_together_and_the_unknown_nowhere():
    countries = np.array(["France"] * 40 + ["Spain"] * 50 + ["Malta"] * 3 + ["Italy"] * 4 + [""] * 99, object)
    found = list(groups.by_country(countries))
    assert [(group.name, int(group.members.sum())) for group in found] == [("Spain", 50), ("France", 40), ("other", 7)]


def test_fifths_by_price_hold_equally_many_and_nobody_without_a_price():
    prices = np.append(np.arange(100.0), np.nan)
    found = list(groups.by_price(prices))
    assert [int(group.members.sum()) for group in found] == [20] * 5
    assert (found[0].least, found[0].most, found[4].most) == (0, 19, 99)
    assert list(groups.by_price(np.full(3, np.nan))) == []


def test_the_group_that_gets_worse_picks_is_named_and_a_lucky_difference_is_not():
    rng = np.random.default_rng(3)
    poor = np.arange(600) < 100
    values = rng.random(600) * np.where(poor, 0.4, 1.0)
    some = rng.random(600) < 0.5
    few = np.arange(600) < 9
    told = groups.compared(
        values,
        [
            Group("country", "Poor", poor), Group("country", "Rich", ~poor), Group("country", "Few", few),
            Group("orders", "some", some), Group("orders", "others", ~some), Group("price", "alone", poor),
        ],
    )  # fmt: skip
    assert [(row["group"], row["worse"]) for row in told] == [
        ("Poor", True), ("Rich", False), ("some", False), ("others", False),
    ]  # fmt: skip
    first = told[0]
    assert first["shoppers"] == 100
    assert first["ndcg"] == pytest.approx(values[poor].mean(), abs=1e-5)
    assert first["difference"] == pytest.approx(values[poor].mean() - values.mean(), abs=1e-5)
    assert first["difference_low"] < first["difference"] < first["difference_high"] < 0
    # The textbook's width of the mean of a hundred
    width = 2 * 1.96 * values[poor].std() / 10
    assert first["ndcg_high"] - first["ndcg_low"] == pytest.approx(width, rel=0.15)


def equal_groups(n):
    """Groups of a hundred users each."""
    return [Group("country", f"Group {g}", np.arange(n * 100) // 100 == g) for g in range(n)]


@pytest.mark.parametrize(("n", "sure"), [(1, True), (12, False)])
def test_the_more_groups_are_looked_at_the_more_a_win_must_be_worth(n, sure):
    # The first group is 2.4 standard errors ahead: enough where it is the only one, not among twelve (2.87).
    ahead = np.tile([-1.0, 1.0], n * 50)
    ahead[:100] += 2.4 * ahead[:100].std() / 10
    told = groups.sure_differences({"other": ahead, "behind": -ahead}, equal_groups(n))
    assert [(row["group"], list(row["over"])) for row in told] == ([("Group 0", ["other", "behind"])] if sure else [])


def test_a_group_is_called_worse_as_one_of_many():
    def worst(n, errors):
        values = np.tile([-1.0, 1.0], n * 50)
        values[:100] -= errors / 10
        return groups.compared(values, equal_groups(n))[0]["worse"]

    # Of two groups the difference to the whole is half of that to the other.
    assert worst(2, 4.0)
    assert not worst(12, 2.5)
    assert worst(12, 4.0)


def test_chance_alone_hardly_ever_makes_a_group_win_or_lose():
    rng = np.random.default_rng(11)
    found = 0
    for shop in range(60):
        values, many = rng.normal(size=1200), equal_groups(12)
        found += bool(groups.sure_differences({"other": values}, many, shop))
        found += any(row["worse"] for row in groups.compared(values, many, shop))
    # 60 times 5 % and 60 times 2.5 %; intervals of single groups find about 40.
    assert found < 12


def test_exposure_of_the_popular_stands_beside_their_share_of_purchases():
    # Ten items: item 0 has six buyers, items 1 to 4 one each, items 5 to 8 are only looked at, item 9 is only shown.
    users = np.array([0, 1, 2, 3, 4, 5, 0, 0, 0, 1, 2, 2, 2, 2, 0, 1])
    items = np.array([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3])
    kinds = np.array([PURCHASE] * 10 + [0] * 4 + [PURCHASE] * 2, np.uint8)
    days = np.array([*np.linspace(0, 5, 14), 9, 10])
    split = split_by_time(Log(users, items, kinds, days, 6, 11))
    exposure = np.array([8, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0])
    head, middle, tail = groups.popularity_bias(split, exposure)
    # Bought or shown are items 0 to 4 and 9: one, two and three of them.
    assert [row["products"] for row in (head, middle, tail)] == [1, 2, 3]
    assert head == {"part": "head", "products": 1, "purchases": 0.6, "purchases_after": 0.5, "exposure": 0.8}
    assert [row["purchases"] for row in (middle, tail)] == [0.2, 0.2]
    assert [row["exposure"] for row in (middle, tail)] == [0, 0.2]


def test_a_group_is_won_only_where_the_whole_paired_range_says_so():
    rng = np.random.default_rng(5)
    first = np.arange(400) < 100
    ahead = rng.normal(0, 0.2, 400) + np.where(first, 0.2, -0.2)
    level = rng.normal(0, 0.2, 400)
    level -= level[first].mean()
    told = groups.sure_differences(
        {"ahead": ahead, "level": level},
        [
            Group("country", "First", first), Group("country", "Rest", ~first),
            Group("country", "Few", first & (ahead > 0.6)),
        ],
    )  # fmt: skip
    (won, lost) = told
    assert (won["group"], won["shoppers"], list(won["over"])) == ("First", 100, ["ahead"])
    value, low, high = won["over"]["ahead"]
    assert 0 < low < value < high
    assert value == pytest.approx(ahead[first].mean(), abs=1e-5)
    assert lost["over"]["ahead"][2] < 0
    assert groups.sure_differences({}, [Group("country", "First", first)]) == []
