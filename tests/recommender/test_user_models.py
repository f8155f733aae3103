"""Popular, repeat and neighbour models against examples worked out by hand and against numpy."""

import numpy as np
import pytest

from recommender.core.algorithms import create
from recommender.core.interactions import KINDS, PURCHASE, build
from recommender.core.neighbours import unit_rows
from recommender.core.repeat import orders_of


def shop(rows, *, n_users, n_items):
    """Build a shop from (user, item, kind, age) rows."""
    users, items, kinds, ages = (np.array(column) for column in zip(*rows, strict=True))
    codes = np.array([KINDS.index(kind) for kind in kinds], np.uint8)
    return build(users, items, codes, ages.astype(float), n_users=n_users, n_items=n_items)


def random_shop(seed=1, n_users=40, n_items=25, n=400, days=200):
    rng = np.random.default_rng(seed)
    ages = np.floor(rng.uniform(0, days, n))
    kinds = np.full(n, PURCHASE)
    return build(
        rng.integers(0, n_users, n), rng.integers(0, n_items, n), kinds, ages, n_users=n_users, n_items=n_items
    )


def test_cosine_of_two_shoppers_by_hand():
    # u = (1, 1, 0), v = (1, 1, 1) in weights: cos = 2 / (sqrt 2 * sqrt 3) = 0.8165.
    both = [(0, 0, "purchase", 0), (0, 1, "purchase", 0)] + [(1, i, "purchase", 0) for i in range(3)]
    model = create("user_based").fit(shop(both, n_users=2, n_items=3))
    near = model.neighbours(model.unit, np.arange(2)).toarray()
    np.testing.assert_allclose(near, [[0, 2 / np.sqrt(6)], [2 / np.sqrt(6), 0]], rtol=1e-6)


def test_pearson_is_that_of_numpy_on_the_dense_rows():
    data = random_shop()
    model = create("user_pearson", {"k": 40}).fit(data)
    dense = model.matrix.toarray().astype(float)
    expected = np.corrcoef(dense)
    np.fill_diagonal(expected, 0)
    assert (expected < -0.01).any()
    near = model.neighbours(model.unit, np.arange(40)).toarray()
    np.testing.assert_allclose(near, np.maximum(expected, 0), atol=1e-6)


def test_what_everybody_has_makes_nobody_alike():
    data = random_shop()
    model = create("user_based", {"k": 40, "idf": 0.5}).fit(data)
    dense = model.matrix.toarray().astype(float)
    dense *= np.sqrt(np.log(41 / ((dense > 0).sum(axis=0) + 0.5)))
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    expected = dense @ dense.T
    np.fill_diagonal(expected, 0)
    near = model.neighbours(model.scaled(model.weighted(data)), np.arange(40)).toarray()
    np.testing.assert_allclose(near, expected, atol=1e-6)


def test_pearson_and_cosine_disagree_about_a_shopper_who_has_nearly_everything():
    # User 0 likes items 0-4 of ten; user 1 likes 0-8, nearly everything; user 2 likes 0, 1, 2 only.
    rows = [(0, i, "purchase", 0) for i in range(5)] + [(1, i, "purchase", 0) for i in range(9)]
    rows += [(2, i, "purchase", 0) for i in range(3)]
    data = shop(rows, n_users=3, n_items=10)
    cosine, pearson = create("user_based").fit(data), create("user_pearson").fit(data)
    by_cosine = cosine.neighbours(cosine.unit, np.arange(3)).toarray()[0]
    by_pearson = pearson.neighbours(pearson.unit, np.arange(3)).toarray()[0]
    assert by_cosine[1] / by_cosine[2] > 0.95
    np.testing.assert_allclose(by_pearson, [0, 1 / 3, np.sqrt(3 / 7)], rtol=1e-5)


@pytest.mark.parametrize("name", ["user_based", "user_pearson"])
def test_shrinkage_weighs_by_common_items(name):
    data = random_shop(2)
    plain, shrunk = create(name, {"k": 40}).fit(data), create(name, {"k": 40, "shrink": 7.0}).fit(data)
    common = (plain.matrix > 0).astype(int).toarray() @ (plain.matrix > 0).astype(int).toarray().T
    before, after = (model.neighbours(model.unit, np.arange(40)).toarray() for model in (plain, shrunk))
    np.testing.assert_allclose(after, before * common / (common + 7), rtol=1e-5)


def test_shoppers_of_equal_weights_in_everything_have_no_correlation():
    rows = [(u, i, "purchase", 0) for u in range(3) for i in range(7)]
    model = create("user_pearson").fit(shop(rows, n_users=3, n_items=7))
    assert model.unit.nnz == 0


def test_unit_rows_leave_an_empty_row_empty():
    data = shop([(0, 0, "purchase", 0), (0, 1, "purchase", 0)], n_users=2, n_items=2)
    rows = unit_rows(create("user_based").fit(data).matrix).toarray()
    np.testing.assert_allclose(rows, [[np.sqrt(0.5)] * 2, [0, 0]], rtol=1e-6)


def test_trending_by_hand():
    # 100 days. Item 0: ten buyers, spread evenly. Item 1: six buyers, all within the last days.
    rows = [(u, 0, "purchase", 10 * u + 10) for u in range(10)]
    rows += [(u, 1, "purchase", u) for u in range(6)]
    data = shop(rows, n_users=10, n_items=3)
    model = create("trending", {"half_life_share": 0.05, "growth": 1.0}).fit(data)
    usual = np.array([10, 6, 0]) / 100
    decayed = [sum(0.5 ** (age / 5) for age in range(10, 101, 10)), sum(0.5 ** (age / 5) for age in range(6)), 0]
    now = np.log(2) / 5 * np.array(decayed)
    growth = (now + 0.08) / (usual + 0.08)
    np.testing.assert_allclose(model.item_scores, now * growth, rtol=1e-5)
    assert model.recommend(data, 3)[0][0].tolist() == [1, 0, -1]
    # Most popular over the same time prefers the one that more shoppers ordered.
    assert create("popular", {"half_life_share": 1.0}).fit(data).recommend(data, 1)[0][0].tolist() == [0]
    assert model.explain(data, np.array([[1, -1]] * 10))[0] == [{"kind": "trending", "growth": round(growth[1], 2)}, {}]


def test_trending_without_a_clock_is_what_most_bought():
    rows = [(u, 0, "purchase", 0) for u in range(3)] + [(u, 1, "purchase", 0) for u in range(5)]
    assert create("trending").fit(shop(rows, n_users=5, n_items=2)).recommend(shop(rows, n_users=5, n_items=2), 2)[0][
        0
    ].tolist() == [1, 0]


def test_orders_less_than_a_day_apart_are_one():
    rows = [(0, 0, "purchase", age) for age in (30.2, 30, 20, 10)] + [(0, 1, "view", 3), (0, 1, "cart", 5)]
    orders = orders_of(shop(rows, n_users=1, n_items=2))
    assert orders.keys.tolist() == [0, 1]
    assert orders.times.tolist() == [3, 0]
    np.testing.assert_allclose(orders.since, [10, 3])
    np.testing.assert_allclose(orders.gap, [10.1, np.nan], rtol=1e-6)
    assert orders.carted.tolist() == [False, True]


def test_who_is_due_is_reminded_first():
    # User 0 orders item 0 every 30 days, last 30 days ago, and item 1 every 4 days, last 30 days ago.
    rows = [(0, 0, "purchase", age) for age in (90, 60, 30)] + [(0, 1, "purchase", age) for age in (38, 34, 30)]
    data = shop(rows, n_users=1, n_items=2)
    quiet = {"loyalty": 0.0, "half_life": 0.0}
    due = create("bought_again", quiet | {"rhythm": 1.0}).fit(data).scores(data)[0]
    plain = create("bought_again", quiet | {"rhythm": 0.0}).fit(data).scores(data)[0]
    np.testing.assert_allclose(plain, np.log1p(15), rtol=2e-3)
    np.testing.assert_allclose(due, np.log1p(15) * np.array([2, 1 + np.exp(-(np.log(30 / 4) ** 2) / 2)]), rtol=2e-3)


def test_a_single_order_follows_the_rhythm_of_the_others():
    # Items 0 and 1: user 0 ordered each once, 20 days ago. Users 1-3 order item 0 every 20 days, nobody item 1 again.
    rows = [(0, 0, "purchase", 20), (0, 1, "purchase", 20)]
    rows += [(u, 0, "purchase", age) for u in (1, 2, 3) for age in (45, 25, 5)] + [
        (u, 1, "purchase", 5) for u in (1, 2)
    ]
    data = shop(rows, n_users=4, n_items=2)
    model = create("bought_again", {"rhythm": 1.0, "loyalty": 0.0}).fit(data)
    np.testing.assert_allclose(model.gaps, [20, np.nan])
    share = 3 / 7
    np.testing.assert_allclose(model.returns, [(3 + 10 * share) / 14, 10 * share / 13], rtol=1e-6)
    scores = model.scores(data)[0]
    np.testing.assert_allclose(scores[0] / scores[1], 1 + model.returns[0], rtol=1e-3)


def test_what_she_left_in_the_cart_comes_before_what_she_looked_at_and_what_trends():
    rows = [(0, 0, "view", 1), (0, 1, "cart", 1), (1, 2, "purchase", 0), (1, 3, "purchase", 9), (1, 3, "purchase", 2)]
    data = shop(rows, n_users=2, n_items=5)
    model = create("bought_again").fit(data)
    items, _ = model.recommend(data, 5)
    assert items[0].tolist() == [1, 0, 2, 3, -1]
    cart, looked, trending, _, nothing = model.explain(data, items)[0]
    assert cart == {"kind": "cart", "items": [1], "since_days": 1.0}
    assert looked == {"kind": "looked", "items": [0], "since_days": 1.0}
    assert trending["kind"] == "trending"
    assert nothing == {}
    again = model.explain(data, np.array([[-1], [3]]))[1][0]
    assert again == {"kind": "again", "items": [3], "times": 2, "gap_days": 7.0, "since_days": 2.0}


def slow_baskets(data, user, *, group, within, between):
    """The vector of TIFU-KNN in plain loops over one user's baskets."""
    mine = data.users == user
    baskets = [set(data.items[mine & (data.ages == age)].tolist()) for age in sorted(set(data.ages[mine]))]
    groups = [baskets[start : start + group] for start in range(0, len(baskets), group)]
    vector = np.zeros(data.n_items)
    for g, members in enumerate(groups):
        for p, basket in enumerate(members):
            for item in basket:
                vector[item] += between**g * within**p / len(members) / len(groups)
    return vector


def test_next_basket_equals_a_slow_loop():
    data = random_shop(5, days=30)
    settings = {"group": 3, "within": 0.8, "between": 0.6}
    model = create("next_basket", settings | {"k": 5, "alpha": 0.3}).fit(data)
    vectors = np.array([slow_baskets(data, user, **settings) for user in range(40)])
    np.testing.assert_allclose(model.matrix.toarray(), vectors, rtol=1e-5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.zeros_like(vectors)
    for user in range(40):
        near = [v for v in np.argsort(-(unit @ unit[user]), kind="stable") if v != user][:5]
        expected[user] = 0.3 * vectors[user] + 0.7 * vectors[near].mean(axis=0)
    np.testing.assert_allclose(model.scores(data).toarray(), expected, rtol=1e-4)


def test_next_basket_says_whose_orders_made_the_pick():
    rows = [(u, i, "purchase", age) for u in (0, 1) for i in (0, 1) for age in (20, 10)] + [(1, 2, "purchase", 10)]
    data = shop(rows, n_users=2, n_items=3)
    model = create("next_basket").fit(data)
    items, _ = model.recommend(data, 3)
    own, _same, new = model.explain(data, items)[0]
    assert own == {"kind": "again", "items": [0], "times": 2, "gap_days": 10.0, "since_days": 10.0}
    assert (new["kind"], new["n"], new["of"], new["items"]) == ("neighbours", 1, 1, [0, 1])


def test_next_basket_without_a_clock_takes_each_line_as_an_order():
    rows = [(0, 0, "purchase", 0), (0, 1, "purchase", 0)]
    vector = create("next_basket", {"within": 0.5}).fit(shop(rows, n_users=1, n_items=2)).matrix.toarray()[0]
    np.testing.assert_allclose(vector, [0.25, 0.5])
