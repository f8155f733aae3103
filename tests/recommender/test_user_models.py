"""Popular, repeat and neighbour models against examples worked out by hand and against numpy."""

import numpy as np
import pytest

from recommender.core.algorithms import create
from recommender.core.interactions import KINDS, PURCHASE, build
from recommender.core.neighbours import unit_rows


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
