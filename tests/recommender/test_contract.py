"""Every algorithm keeps the same contract, on a checkerboard whose answer is known."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recommender.core.algorithms import ALGORITHMS, COMPOSITES, create
from recommender.core.interactions import PURCHASE, bought_items, build

SIZE = 24
# Where everybody bought everything at once all scores are equal, and the item code decides. But without variance there
# is no correlation, without stars there is nothing to rank by, and without a clock the last line is the newest order,
# and items follow each other.
AMONG_EQUALS = {
    "user_pearson": [-1, -1, -1, -1],
    "rating_regression": [-1, -1, -1, -1],
    "next_basket": [3, 2, 1, 0],
    "sequence": [2, 3, 1, 0],
}


def checkerboard(size: int = SIZE):
    """Even users bought all even items but their own number, odd users the odd ones: the missing one is the answer."""
    pairs = [(u, i) for u in range(size) for i in range(size) if u % 2 == i % 2 and u != i]
    users, items = np.array(pairs, np.int32).T
    kinds = np.full(len(users), PURCHASE, np.uint8)
    return build(users, items, kinds, np.ones(len(users)), n_users=size, n_items=size)


def nothing(n_users: int, n_items: int):
    none = np.empty(0, np.int32)
    return build(none, none, none, none.astype(float), n_users=n_users, n_items=n_items)


@pytest.fixture(params=sorted([*ALGORITHMS, *COMPOSITES]))
def name(request):
    return request.param


def test_the_missing_square_is_recommended_first():
    board = checkerboard()
    items, scores = _fit_and_ask("user_based", board)
    assert items[:, 0].tolist() == list(range(SIZE))
    assert (scores[:, 0] > 0).all()


def _fit_and_ask(name, board, k=3):
    model = create(name).fit(board)
    return model.recommend(board, k, exclude=bought_items(board))


def test_excluded_and_forbidden_items_never_appear(name):
    board = checkerboard()
    allowed = np.arange(SIZE) != 5
    model = create(name).fit(board)
    exclude = bought_items(board)
    items, scores = model.recommend(board, 6, exclude=exclude, allowed=allowed)
    assert 5 not in items
    for user, row in enumerate(items):
        assert not set(row[row >= 0]) & set(exclude[user].indices)
    assert ((items < 0) == (scores == 0)).all()
    assert (np.diff(scores, axis=1) <= 0).all()


def test_fitting_again_gives_the_same_answer(name):
    board = checkerboard()
    first, second = _fit_and_ask(name, board), _fit_and_ask(name, board)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_arrays_bring_the_model_back(name):
    board = checkerboard()
    model = create(name).fit(board)
    again = create(name, model.params).load_arrays(model.to_arrays())
    mine, theirs = model.recommend(board, 4), again.recommend(board, 4)
    assert np.array_equal(mine[0], theirs[0])
    assert np.array_equal(mine[1], theirs[1])
    assert model.explain(board, mine[0]) == again.explain(board, theirs[0])
    assert all(array.dtype != object for array in model.to_arrays().values())


@pytest.mark.parametrize(("n_users", "n_items"), [(0, 0), (1, 1), (3, 0), (0, 3), (3, 4)])
def test_no_data_is_no_crash(name, n_users, n_items):
    empty = nothing(n_users, n_items)
    model = create(name).fit(empty)
    items, scores = model.recommend(empty, 5)
    assert items.shape == scores.shape == (n_users, 5)
    assert (items == -1).all()
    assert len(model.explain(empty, items)) == n_users


def test_one_user_with_one_item(name):
    one = build(np.zeros(1, int), np.zeros(1, int), np.full(1, PURCHASE), np.zeros(1), n_users=1, n_items=1)
    items, _ = create(name).fit(one).recommend(one, 3)
    assert items.shape == (1, 3)
    assert set(items.ravel()) <= {-1, 0}


def test_identical_users_do_not_divide_by_zero(name):
    users, items = np.divmod(np.arange(40), 4)
    same = build(users, items, np.full(40, PURCHASE), np.zeros(40), n_users=10, n_items=4)
    found, scores = create(name).fit(same).recommend(same, 4)
    assert np.isfinite(scores).all()
    assert found.tolist() == [AMONG_EQUALS.get(name, [0, 1, 2, 3])] * 10


def test_a_user_asked_alone_gets_what_she_gets_in_a_batch(name):
    board = checkerboard()
    model = create(name).fit(board)
    items, scores = model.recommend(board, 4)
    alone = board.of(np.array([7]))
    one, one_score = model.recommend(alone, 4)
    assert np.array_equal(one[0], items[7])
    np.testing.assert_allclose(one_score[0], scores[7], rtol=1e-6)


def test_taking_the_evidence_away_lowers_the_score_by_its_share():
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 60, 900), rng.integers(0, 30, 900)
    shop = build(users, items, np.full(900, PURCHASE), np.zeros(900), n_users=60, n_items=30)
    model = create("user_based", {"power": 1.0}).fit(shop)
    asked = shop.of(np.array([4]))
    found, _ = model.recommend(asked, 1, exclude=bought_items(asked))
    (because,) = model.explain(asked, found)[0]
    assert because["kind"] == "neighbours"
    assert 0 < because["n"] <= because["of"] <= 100
    assert because["items"]
    # No fitted user may change, only her own history: she is a stranger to the model now.
    keep = asked.items != because["items"][0]
    less = build(asked.users[keep], asked.items[keep], asked.kinds[keep], asked.ages[keep], n_users=1, n_items=30)
    object.__setattr__(less, "known", asked.known)
    full = model.recommend(asked, 30)
    reduced = model.recommend(less, 30)
    item = found[0, 0]
    norm = np.sqrt(len(set(less.items)) / len(set(asked.items)))
    before = full[1][0][full[0][0] == item][0]
    after = reduced[1][0][reduced[0][0] == item][0]
    assert after < before
    assert after * norm < before


def test_the_evidence_counts_only_neighbours_who_really_ordered_both():
    # user 0 bought a (0); users 1 and 2 bought a and b (1); user 3 bought a and only looked at b.
    users = np.array([0, 1, 1, 2, 2, 3, 3])
    items = np.array([0, 0, 1, 0, 1, 0, 1])
    kinds = np.array([PURCHASE] * 6 + [0])
    shop = build(users, items, kinds, np.zeros(7), n_users=4, n_items=2)
    model = create("user_based").fit(shop)
    (because, nothing_more) = model.explain(shop, np.array([[1, -1]] * 4))[0]
    assert because["n"] == 2
    assert because["of"] == 3
    assert because["items"] == [0]
    assert because["counts"] == [2]
    assert nothing_more == {}


def test_popular_counts_each_buyer_once_by_her_newest_order():
    # Item 0: one buyer, five times. Item 1: two buyers. Item 2: two buyers, long ago.
    users = np.array([0, 0, 0, 0, 0, 1, 2, 1, 2])
    items = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2])
    ages = np.array([0, 1, 2, 3, 4, 0, 0, 100, 100.0])
    shop = build(users, items, np.full(9, PURCHASE), ages, n_users=3, n_items=3)
    model = create("popular").fit(shop)
    assert model.item_scores[:2].tolist() == [1, 2]
    assert model.item_scores[2] < 0.01
    assert model.recommend(shop, 3)[0].tolist() == [[1, 0, 2]] * 3


def test_support_shrinkage_asks_for_more_than_one_common_item():
    # User 0 has items 0-3. User 1 shares only item 0 and has nothing else; user 2 shares 0-2 and has two more.
    users = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 2])
    items = np.array([0, 1, 2, 3, 0, 0, 1, 2, 4, 5])
    shop = build(users, items, np.full(10, PURCHASE), np.zeros(10), n_users=3, n_items=6)
    model = create("user_based", {"shrink": 10.0}).fit(shop)
    plain = create("user_based").fit(shop)
    near = plain.neighbours(plain.unit, shop.known).toarray()[0]
    shrunk = model.neighbours(model.unit, shop.known).toarray()[0]
    np.testing.assert_allclose(shrunk[1], near[1] * 1 / 11, rtol=1e-6)
    np.testing.assert_allclose(shrunk[2], near[2] * 3 / 13, rtol=1e-6)


def test_there_is_no_neighbour_beyond_k():
    model = create("user_based", {"k": 2}).fit(checkerboard())
    near = model.neighbours(model.unit, np.arange(SIZE))
    assert (np.diff(near.indptr) == 2).all()
    assert not near.diagonal().any()


def test_cosine_equals_the_textbook():
    board = checkerboard()
    model = create("user_based", {"k": SIZE}).fit(board)
    dense = model.matrix.toarray().astype(float)
    unit = dense / np.linalg.norm(dense, axis=1, keepdims=True)
    expected = unit @ unit.T
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.neighbours(model.unit, board.known).toarray(), expected, atol=1e-6)
    assert isinstance(model.unit, csr_matrix)


def test_every_algorithm_is_documented(settings):
    text = (settings.BASE_DIR / "docs/recommender.md").read_text()
    assert {name for name in [*ALGORITHMS, *COMPOSITES] if f"`{name}`" not in text} == set()
