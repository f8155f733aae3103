"""The metrics against values worked out by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from recommender.core import metrics
from recommender.core.interactions import IdMap, build
from recommender.core.ranking import top_k
from recommender.core.weighting import Weighting

# User 0 bought items 1, 3, 4; user 1 bought item 0.
RELEVANT = csr_matrix(np.array([[0, 1, 0, 1, 1], [1, 0, 0, 0, 0]], np.float32))
LISTS = np.array([[1, 2, 3], [4, 0, -1]])


def test_precision_recall_and_f1_by_hand():
    np.testing.assert_allclose(metrics.precision_at_k(LISTS, RELEVANT, 3), [2 / 3, 1 / 3])
    np.testing.assert_allclose(metrics.recall_at_k(LISTS, RELEVANT, 3), [2 / 3, 1])
    np.testing.assert_allclose(metrics.f1_at_k(LISTS, RELEVANT, 3), [2 / 3, 0.5])
    np.testing.assert_allclose(metrics.precision_at_k(LISTS, RELEVANT, 1), [1, 0])


def test_ndcg_by_hand():
    first = (1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2)
    np.testing.assert_allclose(metrics.ndcg_at_k(LISTS, RELEVANT, 3), [first, 1 / np.log2(3)])


def test_average_precision_and_hit_rate_by_hand():
    np.testing.assert_allclose(metrics.average_precision_at_k(LISTS, RELEVANT, 3), [(1 + 2 / 3) / 3, 1 / 2])
    np.testing.assert_allclose(metrics.hit_rate_at_k(LISTS, RELEVANT, 1), [1, 0])


@settings(max_examples=60, deadline=None)
@given(relevance=arrays(np.int8, (4, 9), elements=st.integers(0, 1)), seed=st.integers(0, 2**32 - 1))
def test_ndcg_equals_scikit_learn(relevance, seed):
    from sklearn.metrics import ndcg_score

    relevance[:, 0] = 1  # scikit-learn gives 0 where nothing is relevant, so do we; the rest is compared
    scores = np.random.default_rng(seed).permuted(np.tile(np.arange(1.0, 10), (4, 1)), axis=1)
    lists = np.argsort(-scores, axis=1)
    ours = metrics.ndcg_at_k(lists, csr_matrix(relevance.astype(np.float32)), 5)
    theirs = [ndcg_score(relevance[u : u + 1], scores[u : u + 1], k=5) for u in range(4)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_errors_of_predicted_stars_by_hand_and_by_scikit_learn():
    from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_error

    given, predicted = np.array([4, 3, 5, 1.0]), np.array([3.5, 3, 4, 3])
    errors = predicted - given
    assert metrics.mean_squared_error(errors) == pytest.approx((0.25 + 0 + 1 + 4) / 4)
    assert metrics.mean_squared_error(errors) == pytest.approx(mean_squared_error(given, predicted))
    assert metrics.root_mean_squared_error(errors) == pytest.approx(root_mean_squared_error(given, predicted))
    assert metrics.mean_absolute_error(errors) == pytest.approx(mean_absolute_error(given, predicted))
    for nothing in (np.empty(0), np.array([1, np.nan])):
        with pytest.raises(ValueError, match="must be numbers"):
            metrics.mean_absolute_error(nothing)


def test_a_list_longer_than_the_lists_is_refused():
    with pytest.raises(ValueError, match="outside"):
        metrics.precision_at_k(LISTS, RELEVANT, 4)


def test_coverage_novelty_and_diversity_by_hand():
    assert metrics.coverage(LISTS, 8) == pytest.approx(5 / 8)
    known_by = np.array([4, 2, 1, 0, 4])
    np.testing.assert_allclose(metrics.novelty(LISTS, known_by, 4), [(1 + 2 + 2) / 3, 0])
    unit = csr_matrix(np.eye(5, dtype=np.float32))
    np.testing.assert_allclose(metrics.diversity(LISTS, unit), [1, 1], atol=1e-6)
    same = csr_matrix(np.ones((5, 1), np.float32))
    np.testing.assert_allclose(metrics.diversity(LISTS, same), [0, 0], atol=1e-6)


def test_the_best_k_with_equal_scores_stand_in_the_order_of_the_item():
    scores = csr_matrix(np.array([[1, 3, 1, 0, 3.0]]))
    items, values = top_k(scores, 4)
    assert items.tolist() == [[1, 4, 0, 2]]
    assert values.tolist() == [[3, 3, 1, 1]]
    assert top_k(scores, 9)[0].tolist() == [[1, 4, 0, 2, -1, -1, -1, -1, -1]]


def test_a_weight_halves_with_its_half_life_and_grows_with_every_order():
    pair = np.zeros(2, int)
    twice = build(pair, pair, np.full(2, 5), np.array([0, 10.0]), n_users=1, n_items=1)
    assert Weighting().matrix(twice, 10.0)[0, 0] == pytest.approx(np.log1p(5 + 2.5))
    assert Weighting(shape="best").matrix(twice, 10.0)[0, 0] == pytest.approx(5)
    assert Weighting(half_life=0).days(365) == float("inf")


def test_unknown_ids_have_no_code():
    ids = IdMap(np.array([7, 3, 7]))
    assert len(ids) == 2
    assert ids.codes(np.array([3, 7, 5, 9])).tolist() == [0, 1, -1, -1]
    assert IdMap(np.empty(0, np.int64)).codes(np.array([1])).tolist() == [-1]
