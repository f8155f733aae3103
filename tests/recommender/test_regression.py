"""The linear regression of stars against numpy, and against examples worked out by hand."""

import numpy as np
import pytest

from recommender.core import regression
from recommender.core.algorithms import create
from recommender.core.base import RatesItems
from recommender.core.interactions import KINDS, build
from recommender.core.regression import RatingRegression, nearest_columns, ratings_of, ridge_weights

RATING = KINDS.index("rating")
N_USERS, N_ITEMS = 60, 30


def rated_shop(users, items, stars, *, n_users=N_USERS, n_items=N_ITEMS):
    kinds, ages = np.full(len(users), RATING), np.zeros(len(users))
    stars = np.asarray(stars, np.float32)
    return build(np.asarray(users), np.asarray(items), kinds, ages, n_users=n_users, n_items=n_items, stars=stars)


def tastes(seed=0):
    """Stars from levels of users and items and from two tastes, and who rated what."""
    rng = np.random.default_rng(seed)
    taste = np.where(np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS) % 2, 1.0, -1.0)
    stars = 3.2 + 0.4 * rng.standard_normal(N_USERS)[:, None] + 0.4 * rng.standard_normal(N_ITEMS) + 0.8 * taste
    stars = np.clip(np.round(stars + 0.3 * rng.standard_normal(stars.shape)), 1, 5)
    return stars, rng.random(stars.shape) < 0.5


@pytest.fixture(scope="module")
def learnt():
    stars, seen = tastes()
    shop = rated_shop(*np.nonzero(seen), stars[seen])
    return RatingRegression().fit(shop), shop, stars, seen


def test_weights_are_those_of_least_squares():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((200, 3))
    target = 3 + features @ [0.5, -1, 2] + 0.1 * rng.standard_normal(200)
    design = np.column_stack([np.ones(200), features])
    plain = np.linalg.lstsq(design, target)[0]
    np.testing.assert_allclose(ridge_weights(features, target, 1e-9), plain, rtol=1e-6)
    # The penalty as three more rows, of which the constant knows nothing.
    penalty = np.column_stack([np.zeros(3), np.sqrt(7.0) * np.eye(3)])
    ridge = np.linalg.lstsq(np.vstack([design, penalty]), np.append(target, np.zeros(3)))[0]
    np.testing.assert_allclose(ridge_weights(features, target, 7.0), ridge, rtol=1e-6)


def test_a_second_rating_replaces_the_first():
    rated = ratings_of(rated_shop([0, 1, 0], [2, 2, 2], [1, 4, 5]))
    assert (rated.users.tolist(), rated.items.tolist(), rated.stars.tolist()) == ([0, 1], [2, 2], [5, 4])


def test_features_leave_the_rating_itself_out(learnt):
    model, shop, stars, seen = learnt
    user, item = np.argwhere(seen)[17]
    mean = stars[seen].mean()
    rated_by, rates = seen[:, item], seen[user]
    levels = ((stars - mean) * seen).sum(axis=0) / (seen.sum(axis=0) + 5)
    np.testing.assert_allclose(model.levels, levels, atol=1e-9)
    deviation = (stars - mean - levels) * seen
    others = np.flatnonzero(rates & (np.arange(N_ITEMS) != item))
    unit = deviation / np.linalg.norm(deviation, axis=0)
    cosine = np.maximum(unit.T @ unit, 0)[item, others]
    level, above, near = (feature[user, item] for feature in model._features(shop))
    np.testing.assert_allclose(above, deviation[user, others].sum() / (len(others) + 5))
    np.testing.assert_allclose(near, (cosine * deviation[user, others]).sum() / (cosine.sum() + 1), rtol=1e-4)
    assert level == model.levels[item]
    # What is learnt from also leaves it out of the level.
    without = ((stars[:, item] - mean) * rated_by).sum() - (stars[user, item] - mean)
    assert abs(without / (rated_by.sum() + 4) - model.levels[item]) > 1e-3


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_cells_of_ratings_have_the_features_of_whole_lists_in_blocks_of_any_size(learnt, monkeypatch, at_once):
    model, shop, _stars, _seen = learnt
    monkeypatch.setattr(regression, "RATINGS_AT_ONCE", at_once)
    rated, beats = ratings_of(shop), []
    own = model._own_features(rated, (N_USERS, N_ITEMS), lambda: beats.append(1))
    _level, above, near = (feature[rated.users, rated.items] for feature in model._features(shop))
    np.testing.assert_allclose(own[:, 1:], np.column_stack([above, near]), rtol=1e-12)
    assert (len(beats) == 1) == (at_once > len(own))


def test_unseen_stars_are_predicted_better_than_by_levels_alone(learnt):
    model, shop, stars, seen = learnt
    found = model.predict(shop, np.tile(np.arange(N_ITEMS), (N_USERS, 1)))
    assert isinstance(model, RatesItems)
    assert found.min() >= 1
    assert found.max() <= 5
    mean = stars[seen].mean()
    by_item = mean + ((stars - mean) * seen).sum(axis=0) / (seen.sum(axis=0) + 5)
    by_user = ((stars - by_item) * seen).sum(axis=1) / (seen.sum(axis=1) + 5)

    def rmse(prediction):
        return np.sqrt(((prediction - stars)[~seen] ** 2).mean())

    assert rmse(found) < 0.85 * rmse(by_item + by_user[:, None])


def test_lists_are_ranked_by_predicted_stars(learnt):
    model, shop, *_ = learnt
    items, scores = model.recommend(shop, 5)
    np.testing.assert_allclose(scores, model.predict(shop, items), rtol=1e-6)
    assert (np.diff(scores) <= 0).all()


def test_who_and_what_was_never_rated_gets_stars_but_no_place():
    stars, seen = tastes()
    seen[3], seen[:, 4] = False, False
    shop = rated_shop(*np.nonzero(seen), stars[seen])
    model = RatingRegression().fit(shop)
    items, _ = model.recommend(shop, N_ITEMS)
    assert (items[3] == -1).all()
    assert 4 not in items
    found = model.predict(shop, np.array([[4, -1]] * N_USERS))
    assert np.isnan(found[:, 1]).all()
    # A stranger and an unknown item: the constant alone.
    np.testing.assert_allclose(found[3, 0], model.weights[0])


def test_the_reason_is_a_near_item_that_she_liked(learnt):
    model, shop, *_ = learnt
    items, before = model.recommend(shop, 1)
    reasons = [row[0] for row in model.explain(shop, items)]
    liked = [user for user, reason in enumerate(reasons) if reason["kind"] == "because"]
    assert len(liked) > N_USERS / 2
    fell = []
    for user in liked:
        left = (shop.users == user) & (shop.items != reasons[user]["items"][0])
        less = rated_shop(np.zeros(left.sum(), int), shop.items[left], shop.stars[left], n_users=1)
        fell.append(model.scores(less)[0, items[user, 0]] <= before[user, 0])
    assert np.mean(fell) >= 0.9


def test_one_rating_and_equal_ratings_are_no_crash():
    one = rated_shop([0], [0], [4], n_users=1, n_items=1)
    assert RatingRegression().fit(one).recommend(one, 1)[1].tolist() == [[4]]
    users, items = np.divmod(np.arange(12), 4)
    same = rated_shop(users, items, np.full(12, 3), n_users=3, n_items=4)
    found, scores = RatingRegression().fit(same).recommend(same, 4)
    assert found.tolist() == [[0, 1, 2, 3]] * 3
    assert (scores == 3).all()
    assert nearest_columns(RatingRegression().fit(same).similarity, 2).nnz == 0


def test_arrays_bring_it_back(learnt):
    model, shop, *_ = learnt
    again = create("rating_regression", model.params).load_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.scores(shop), model.scores(shop))
