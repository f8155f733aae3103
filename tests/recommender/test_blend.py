"""Models of models: the vote and its search, the ranker, and what they do with next to nothing."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recommender.core.algorithms import create
from recommender.core.auto import Candidate, Search, blended, choose, improve
from recommender.core.blend import Votes, search, shares
from recommender.core.catalogue import Catalogue
from recommender.core.fallback import filled
from recommender.core.features import Items, Pairs, columns
from recommender.core.interactions import PURCHASE, bought_items, build
from recommender.core.popular import MostPopular
from recommender.core.splitting import whole
from tests.recommender.test_tuning import of_all, returning_shop

MEMBERS = [["user_based", {"k": 20}], ["popular", {}]]


def test_shares_are_of_the_best_that_may_be_picked():
    scores = np.array([[4.0, 2.0, -1.0, np.nan], [0, 0, 0, 0]])
    exclude = csr_matrix(np.array([[1, 0, 0, 0], [0, 0, 0, 0]]))
    assert shares(scores).tolist() == [[1, 0.5, 0, 0], [0, 0, 0, 0]]
    assert shares(csr_matrix(scores), exclude).tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert shares(scores, allowed=np.array([False, True, True, True]))[0].tolist() == [0, 1, 0, 0]


def test_a_blend_is_the_weighted_sum_of_the_shares():
    shop = whole(returning_shop())
    blend = create("blend", {"members": MEMBERS, "weights": [1.0, 0.4]}).fit(shop)
    first, second = (create(*member).fit(shop) for member in MEMBERS)
    expected = shares(first.scores(shop)) + np.float32(0.4) * shares(second.scores(shop))
    np.testing.assert_allclose(blend.scores(shop), expected, rtol=1e-6)
    items, scores = blend.recommend(shop, 3)
    np.testing.assert_allclose(scores[:, 0], expected.max(axis=1), rtol=1e-6)
    assert (items[:, 0] == expected.argmax(axis=1)).all()


def lists_of(*rows):
    """Lists of one model: items and falling scores."""
    items = np.array(rows)
    return items, np.where(items >= 0, 1 / np.arange(1, items.shape[1] + 1), 0).astype(np.float32)


def test_votes_rank_like_the_models_they_came_from():
    truth = csr_matrix(np.array([[0, 1, 0, 0], [0, 0, 0, 1]], np.float32))
    votes = Votes([lists_of([1, 0, -1], [0, 1, 3]), lists_of([2, 1, 0], [3, -1, -1])], truth, 3)
    assert votes.ndcg(votes.total([1, 0])).tolist() == pytest.approx([1, 0.5])
    assert votes.ndcg(votes.total([0, 1])).tolist() == pytest.approx([1 / np.log2(3), 1])
    # 1 + .5 against 1 for user 0; for user 1 product 3 gets 1/3 + 1.
    assert votes.ndcg(votes.total([1, 1])).tolist() == [1, 1]


def test_the_search_takes_a_model_that_helps_and_leaves_one_that_does_not():
    n = 60
    truth = csr_matrix((np.ones(n, np.float32), (np.arange(n), np.arange(n) % 4)), shape=(n, 8))
    right, wrong = np.arange(n) % 4, np.arange(n) % 4 + 4
    half = np.arange(n) % 2 == 0
    one = lists_of(*np.stack([np.where(half, right, wrong), np.full(n, -1)], axis=1))
    other = lists_of(*np.stack([np.where(half, -1, right), np.full(n, -1)], axis=1))
    noise = lists_of(*np.stack([wrong, np.full(n, -1)], axis=1))
    weights, parts = search([Votes([one, other, noise], truth, 2)])
    assert weights[0] == 1
    assert weights[1] > 0
    assert weights[2] == 0
    assert np.mean(parts[0]) > 0.5
    # Two equal models: the second adds nothing.
    assert search([Votes([one, one], truth, 2)])[0] == [1, 0]


def test_a_blend_is_never_worse_than_its_best_member_on_the_validation():
    wanted = Search(of_all(returning_shop()), seed=1)
    tried = [Candidate(name) for name in ("popular", "user_based")]
    for one in tried:
        improve(one, wanted, 3)
    model, mixed = blended(tried, wanted.exams)
    assert mixed.score >= max(one.score for one in tried)
    assert model.params["k"] if model.name == "user_based" else model.params["weights"]


def test_the_choice_repeats_itself():
    rehearsal = of_all(returning_shop())
    first, second = (
        choose(Search(rehearsal, budget=4, seed=5), ["popular", "user_based", "item_bm25"]) for _ in range(2)
    )
    assert first.table == second.table
    assert first.model.params == second.model.params
    assert {"popular", "user_based", "item_bm25", "blend", "two_stage"} == {row["name"] for row in first.table}


def test_the_reason_comes_from_the_member_that_contributes_most():
    shop = whole(returning_shop())
    for weights, kind in (([1.0, 0.0], "neighbours"), ([0.0, 1.0], "popular")):
        blend = create("blend", {"members": MEMBERS, "weights": weights}).fit(shop)
        items, _scores = blend.recommend(shop, 3)
        assert {one["kind"] for row in blend.explain(shop, items) for one in row} == {kind}
    assert blend.explain(shop, np.full((shop.n_users, 2), -1)) == [[{}, {}]] * shop.n_users


def test_the_ranker_learns_what_its_members_do_not_know():
    """Each shopper buys the product that she bought longest ago; no member looks at that, the ages of pairs tell it."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(300):
        own = rng.permutation(12)[:3]
        rows += [(user, own[turn % 3], 5.0 * turn + rng.random()) for turn in range(5)]
    users, items, days = (np.array(column) for column in zip(*rows, strict=True))
    late = days >= 20
    kinds = np.full(len(users), PURCHASE)
    shape = {"n_users": 300, "n_items": 12}
    known = build(users[~late], items[~late], kinds[~late], 20 - days[~late], **shape)
    truth = np.zeros(300, int)
    truth[users[late]] = items[late]
    ranker = create("two_stage", {"members": MEMBERS}).fit(known)
    plain = create("blend", {"members": MEMBERS}).fit(known)
    right = [float(np.mean(model.recommend(known, 1)[0][:, 0] == truth)) for model in (ranker, plain)]
    assert right[0] > 0.9
    assert right[1] < 0.5
    again = create("two_stage", ranker.params).load_arrays(ranker.to_arrays())
    assert (again.recommend(known, 4)[1] == ranker.recommend(known, 4)[1]).all()
    assert (
        create("two_stage", {"members": MEMBERS}).fit(known).recommend(known, 4)[1] == again.recommend(known, 4)[1]
    ).all()


def test_trees_are_the_same_however_many_threads_grow_them():
    known, lists = whole(returning_shop()), []
    for threads in (1, 2):
        ranker = create("two_stage", {"members": MEMBERS})
        ranker.threads = threads
        lists.append(ranker.fit(known).recommend(known, 4))
        assert ranker.texts
    assert np.array_equal(lists[0][0], lists[1][0])
    assert np.array_equal(lists[0][1], lists[1][1])


def test_pairs_say_how_often_and_how_long_ago():
    # One user: product 0 ordered 9 and 2 days ago, product 1 looked at 1 day ago.
    one = build(
        np.zeros(3, int),
        np.array([0, 0, 1]),
        np.array([PURCHASE, PURCHASE, 0]),
        np.array([9.0, 2, 1]),
        n_users=1,
        n_items=2,
    )
    pairs = Pairs.of(one)
    assert pairs.keys.tolist() == [0, 1]
    assert pairs.purchases.tolist() == [2, 0]
    assert pairs.looked.tolist() == [0, 1]
    assert pairs.bought_age[0] == 2
    assert pairs.first_age[0] == 9
    assert np.isnan(pairs.bought_age[1])
    assert pairs.steps.tolist() == [1, 0]
    assert [pairs.newest(one, n).toarray().tolist() for n in range(3)] == [[[0, 1]], [[1, 0]], [[0, 0]]]
    facts = Items.of(one, Catalogue.empty(2))
    assert facts.repeat_rate[0] == 1
    assert facts.gap[0] == 7
    assert facts.age.tolist() == [9, 1]
    table = columns(facts, one, pairs, np.array([0, 0]), np.array([0, 1]))
    assert table.shape[0] == 2
    assert not np.isinf(table).any()


@pytest.mark.parametrize("name", ["blend", "two_stage"])
@pytest.mark.parametrize("n_events", [0, 1, 2])
def test_next_to_nothing_is_no_crash(name, n_events):
    few = build(
        np.zeros(n_events, int),
        np.arange(n_events),
        np.full(n_events, PURCHASE),
        np.zeros(n_events),
        n_users=2,
        n_items=3,
    )
    items, scores = create(name, {"members": MEMBERS}).fit(few).recommend(few, 2, exclude=bought_items(few))
    assert items.shape == scores.shape == (2, 2)
    assert np.isfinite(scores).all()


def test_gaps_are_filled_below_what_the_model_said():
    shop = whole(returning_shop())
    ladder = [MostPopular().fit(shop)]
    items, scores = np.full((shop.n_users, 4), -1, np.int32), np.zeros((shop.n_users, 4), np.float32)
    items[0, 0], scores[0, 0] = 7, 0.25
    exclude = bought_items(shop)
    full, marks = filled(items, scores, ladder, shop, exclude)
    assert full[0, 0] == 7
    assert (full >= 0).all()
    assert (np.diff(marks, axis=1) <= 0).all()
    assert marks[0, 0] == 0.25 > marks[0, 1] > 0
    for user, row in enumerate(full):
        assert len(set(row.tolist())) == 4
        assert user == 0 or not set(row.tolist()) & set(exclude[user].indices.tolist())
