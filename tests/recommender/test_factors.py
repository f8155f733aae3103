"""Factor models against the libraries they stand on, called directly, and against numpy."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from recommender.core.algorithms import create
from recommender.core.interactions import PURCHASE, bought_items, build

N_USERS, N_ITEMS = 40, 24
SMALL = {
    "svd": {"factors": 6},
    "als": {"factors": 6, "alpha": 5.0, "regularization": 0.5, "iterations": 20},
    "bpr": {"factors": 6, "iterations": 30},
}


@pytest.fixture(scope="module")
def data():
    """Two tastes: even users mostly buy the first half of the items, odd users the second."""
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(N_USERS), 8)
    half = rng.integers(0, N_ITEMS // 2, len(users))
    items = half + np.where((users % 2 == 1) ^ (rng.random(len(users)) < 0.1), N_ITEMS // 2, 0)
    ages = rng.uniform(0, 100, len(users))
    return build(users, items, np.full(len(users), PURCHASE), ages, n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture(scope="module")
def models(data):
    return {name: create(name, params).fit(data) for name, params in SMALL.items()}


def test_svd_is_the_truncated_decomposition_of_numpy(data, models):
    matrix = models["svd"].weighted(data).toarray().astype(float)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(models["svd"].scores(data), (u[:, :6] * s[:6]) @ vt[:6], atol=2e-5)


def test_svd_of_scaled_columns_weighs_popular_items_less(data):
    model = create("svd", {"factors": 6, "popular": 0.5}).fit(data)
    matrix = model.weighted(data).toarray().astype(float)
    scaled = matrix / np.sqrt(np.linalg.norm(matrix, axis=0))
    u, s, vt = np.linalg.svd(scaled, full_matrices=False)
    np.testing.assert_allclose(model.scores(data), (u[:, :6] * s[:6]) @ vt[:6], atol=2e-5)


def test_als_is_that_of_the_library(data, models):
    from implicit.cpu.als import AlternatingLeastSquares

    matrix = models["als"].weighted(data)
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(
            factors=6, alpha=5.0, regularization=0.5, iterations=20, num_threads=1, random_state=0
        )
        library.fit(matrix, show_progress=False)
        solved = library.recalculate_user(np.arange(N_USERS), matrix)
    np.testing.assert_array_equal(models["als"].item_factors, library.item_factors)
    np.testing.assert_allclose(models["als"].scores(data), solved @ library.item_factors.T, atol=1e-5)
    # The fitted users are those one step earlier, near the end of the descent.
    np.testing.assert_allclose(models["als"].scores(data), library.user_factors @ library.item_factors.T, atol=0.05)


def test_als_folds_a_user_in_as_the_formula_says(data, models):
    model = models["als"]
    weights = model.weighted(data)[3].toarray()[0].astype(float)
    confidence = np.where(weights > 0, 5.0 * weights, 1.0)
    q = model.item_factors.astype(float)
    user = np.linalg.solve((q.T * confidence) @ q + 0.5 * np.eye(6), q.T @ (confidence * (weights > 0)))
    np.testing.assert_allclose(model.scores(data.of(np.array([3])))[0], q @ user, atol=1e-5)


def test_bpr_is_that_of_the_library_with_users_as_means_of_their_items(data, models):
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    matrix = models["bpr"].weighted(data)
    library = BayesianPersonalizedRanking(
        factors=6, learning_rate=0.05, regularization=0.01, iterations=30, num_threads=1, random_state=0
    )
    library.fit(matrix, show_progress=False)
    np.testing.assert_array_equal(models["bpr"].item_factors, library.item_factors)
    weights = matrix.toarray()[7].astype(float)
    user = weights @ library.item_factors.astype(float) / weights.sum()
    user[-1] = 1
    expected = np.log1p(np.exp(library.item_factors.astype(float) @ user))
    np.testing.assert_allclose(models["bpr"].scores(data)[7], expected, rtol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_new_items_come_from_her_taste(data, name):
    model = create(name, SMALL[name] | {"factors": 2}).fit(data)
    items, _ = model.recommend(data, 3, exclude=bought_items(data))
    first = items[:, 0] >= N_ITEMS // 2
    assert (first == (np.arange(N_USERS) % 2 == 1)).mean() > 0.9


@pytest.mark.parametrize("name", ["svd", "als"])
def test_the_parts_of_her_items_add_up_to_the_score(data, models, name):
    model, matrix = models[name], models[name].weighted(data)
    own, weights = matrix[5].indices, matrix[5].data
    parts = model._parts(own, weights, np.arange(N_ITEMS))
    np.testing.assert_allclose(parts.sum(axis=0), model.scores(data)[5], atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_without_its_first_reason_a_pick_falls(data, models, name):
    model, exclude = models[name], bought_items(data)
    items, before = model.recommend(data, 1, exclude=exclude)
    reasons = model.explain(data, items)
    fell = []
    for user in range(N_USERS):
        (because,) = reasons[user]
        assert because["kind"] == "because"
        assert set(because["items"]) <= set(data.items[data.users == user].tolist())
        assert because["weights"] == sorted(because["weights"], reverse=True)
        left = (data.users == user) & (data.items != because["items"][0])
        without = build(
            np.zeros(left.sum(), int), data.items[left], data.kinds[left], data.ages[left], n_users=1, n_items=N_ITEMS
        )
        fell.append(model.scores(without)[0, items[user, 0]] < before[user, 0])
    assert np.mean(fell) >= 0.9


@pytest.mark.parametrize("name", SMALL)
def test_a_stranger_with_the_same_events_gets_the_same_picks(data, models, name):
    twin = data.of(np.array([9]))
    object.__setattr__(twin, "known", np.array([-1], np.int32))
    mine, theirs = models[name].recommend(data, 5), models[name].recommend(twin, 5)
    assert theirs[0][0].tolist() == mine[0][9].tolist()


@pytest.mark.parametrize("name", SMALL)
def test_who_did_nothing_gets_nothing(models, name):
    none = np.empty(0, int)
    nobody = build(none, none, none, none.astype(float), n_users=1, n_items=N_ITEMS)
    assert (models[name].recommend(nobody, 3)[0] == -1).all()
