"""The item models against worked examples, dense arithmetic and the peers' libraries."""

import numpy as np
import pytest
from implicit import nearest_neighbours as peer
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from recommender.core import linear, sequence
from recommender.core.algorithms import ALGORITHMS, create
from recommender.core.base import silent
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import PURCHASE, bought_items, build
from recommender.core.item_based import bm25_rows, nearest_items, user_idf
from recommender.core.item_model import ItemModel
from recommender.core.ranking import top_k

LINEAR = sorted(name for name, cls in ALGORITHMS.items() if issubclass(cls, ItemModel))
# Nothing is forgotten and an order weighs log(1 + 1), so every number can be worked out by hand.
PLAIN = {"half_life": 0.0, "purchase": 1.0}
ONE = np.log(2)


@pytest.fixture(params=LINEAR)
def name(request):
    return request.param


def shop(pairs, n_users, n_items):
    users, items = np.array(pairs).T
    return build(users, items, np.full(len(users), PURCHASE), np.zeros(len(users)), n_users=n_users, n_items=n_items)


def random_shop(seed=0, n_users=120, n_items=40, n_events=1500):
    """Orders over 100 days in tastes of four: items of a taste are bought together."""
    rng = np.random.default_rng(seed)
    users = rng.integers(0, n_users, n_events)
    same = rng.random(n_events) < 0.7
    own = (users % 4) * (n_items // 4) + (rng.random(n_events) ** 2 * (n_items // 4)).astype(int)
    items = np.where(same, own, rng.integers(0, n_items, n_events))
    kinds = np.where(rng.random(n_events) < 0.6, PURCHASE, 0)
    return build(users, items, kinds, rng.random(n_events) * 100, n_users=n_users, n_items=n_items)


# Three users, three items: a (0) and b (1) together twice, b and c (2) once.
WORKED = shop([(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2)], 3, 3)


def test_cosine_worked_by_hand():
    model = create("item_cosine", PLAIN).fit(WORKED)
    # a = (1, 1, 0), b = (1, 1, 1), c = (0, 0, 1): cos(a, b) = 2 / sqrt(6), cos(b, c) = 1 / sqrt(3), cos(a, c) = 0.
    # The largest of each row: 2 / sqrt(6) twice and 1 / sqrt(3) once; their mean is the unit of S.
    ab, bc = 2 / np.sqrt(6), 1 / np.sqrt(3)
    unit = (2 * ab + bc) / 3
    expected = np.array([[0, ab, 0], [ab, 0, bc], [0, bc, 0]]) / unit
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-6)
    # User 0 has a and b, each of weight log 2: c gets it from b, a from b and from herself, self weight 2.
    scores = model.scores(WORKED).toarray()[0]
    np.testing.assert_allclose(scores, ONE * np.array([ab / unit + 2, ab / unit + 2, bc / unit]), rtol=1e-6)


def test_idf_tfidf_and_bm25_worked_by_hand():
    items = csr_matrix(np.array([[1, 1, 0], [4, 0, 1]], np.float32))
    # Two items; user 0 has both, users 1 and 2 have one: log(3 / 2.5), log(3 / 1.5).
    idf = np.log([3 / 2.5, 2, 2])
    np.testing.assert_allclose(user_idf(items), idf, rtol=1e-6)
    # Lengths 2 and 5, k1 = 1.2, b = 0.5: 1.2 (0.5 + 0.5 * 2 / 3.5) = 0.942857, 1.2 (0.5 + 0.5 * 5 / 3.5) = 1.457143.
    expected = np.array([
        [2.2 / 1.942857 * idf[0], 2.2 / 1.942857 * idf[1], 0],
        [4 * 2.2 / 5.457143 * idf[0], 0, 2.2 / 2.457143 * idf[2]],
    ])  # fmt: skip
    np.testing.assert_allclose(bm25_rows(items, user_idf(items), k1=1.2, b=0.5).toarray(), expected, rtol=1e-5)
    rows = create("item_tfidf").item_rows(items).toarray()
    first = np.array([idf[0], idf[1], 0]) / np.hypot(idf[0], idf[1])
    second = np.array([2 * idf[0], 0, idf[2]]) / np.hypot(2 * idf[0], idf[2])
    np.testing.assert_allclose(rows, [first, second], rtol=1e-5)


def test_bm25_equals_implicit_but_for_the_idf():
    items = create("item_bm25").weighted(random_shop()).T.tocsr()
    plain = np.ones(items.shape[1], np.float32)
    theirs = csr_matrix(peer.bm25_weight(items.astype(float), K1=1.2, B=0.2))
    n = np.bincount(items.indices, minlength=items.shape[1])
    ours = bm25_rows(items, plain, k1=1.2, b=0.2).multiply(np.log(len(items.indptr) - 1) - np.log1p(n))
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), rtol=1e-5)


def test_cosine_neighbours_equal_those_of_implicit():
    model = create("item_cosine", {"k": 5}).fit(random_shop())
    matrix = model.weighted(random_shop()).astype(np.float64)
    reference = peer.CosineRecommender(K=6, num_threads=1)
    reference.fit(matrix, show_progress=False)
    expected = reference.similarity.toarray()
    np.fill_diagonal(expected, 0)
    expected /= expected.max(axis=1).mean()
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-4, atol=1e-6)


def test_shrinkage_counts_common_users_and_chooses_neighbours_after_it():
    rows = create("item_cosine").item_rows(create("item_cosine").weighted(random_shop()).T.tocsr())
    dense = rows.toarray()
    common = (dense > 0).astype(float) @ (dense > 0).T
    expected = dense @ dense.T * common / (common + 10)
    np.fill_diagonal(expected, 0)
    kept = np.argsort(-expected, axis=1)[:, :4]
    np.put_along_axis(mask := np.zeros_like(expected), kept, 1, axis=1)
    found = nearest_items(rows, 4, shrink=10.0, beat=silent).toarray()
    np.testing.assert_allclose(found, expected * mask, rtol=1e-5, atol=1e-7)


def test_rp3beta_equals_the_product_of_dense_matrices():
    model = create("rp3beta", {"alpha": 0.7, "beta": 0.4, "k": 40}).fit(random_shop())
    dense = model.weighted(random_shop()).toarray().astype(float)
    forth = (dense / dense.sum(axis=1, keepdims=True)) ** 0.7
    back = (dense.T / dense.sum(axis=0)[:, None]) ** 0.7
    expected = back @ forth / (dense > 0).sum(axis=0) ** 0.4
    np.testing.assert_allclose(model.similarity.toarray(), in_unit(expected), rtol=1e-4, atol=1e-6)


def in_unit(expected):
    """Take off the diagonal and bring the mean of the largest entries of the rows to 1."""
    np.fill_diagonal(expected, 0)
    return expected / expected.max(axis=1).mean()


def test_sequence_equals_a_slow_loop_over_users():
    data = random_shop(n_users=30, n_items=12, n_events=300)
    settings = {"window": 3, "decay": 0.7, "back": 0.4, "damp_from": 0.6, "damp_to": 0.3, "shrink": 2.0, "recency": 0.9}
    model = create("sequence", settings | {"last": 4, "self_weight": 0.0}).fit(data)
    counts, times = np.zeros((12, 12)), np.zeros(12)
    asked = np.zeros((30, 12))
    for user in range(30):
        mine = data.items[data.users == user].tolist()
        path = [item for n, item in enumerate(mine) if not n or item != mine[n - 1]]
        for here, item in enumerate(path):
            times[item] += 1
            for distance, other in enumerate(path[here + 1 : here + 4]):
                counts[item, other] += 0.7**distance
                counts[other, item] += 0.4 * 0.7**distance
        for place, item in enumerate(list(dict.fromkeys(path[::-1]))[:4]):
            asked[user, item] = 0.9**place
    expected = in_unit(counts / (times[:, None] + 2) ** 0.6 / (times + 2) ** 0.3)
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.scores(data).toarray(), asked @ expected, rtol=1e-4, atol=1e-6)


def test_sequence_says_the_same_in_blocks_of_items(monkeypatch):
    whole = create("sequence").fit(random_shop()).similarity
    monkeypatch.setattr(sequence, "BLOCK_EVENTS", 100)
    assert (create("sequence").fit(random_shop()).similarity != whole).nnz == 0


def of_mean_square_one(dense):
    return dense / np.sqrt((dense[dense > 0] ** 2).mean())


@pytest.mark.parametrize("n_users", [60, 20])
def test_ease_equals_the_inverse_by_numpy_whichever_matrix_is_inverted(n_users):
    data = random_shop(n_users=n_users, n_events=600)
    model = create("ease", {"l2": 20.0, "k": 40}).fit(data)
    dense = of_mean_square_one(model.weighted(data).toarray().astype(float))
    inverse = np.linalg.inv(dense.T @ dense + 20 * np.eye(40))
    expected = in_unit(np.eye(40) - inverse / np.diag(inverse))
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-2, atol=1e-3)


def test_ease_keeps_the_most_popular_and_the_largest_entries():
    data = random_shop()
    whole = create("ease", {"k": 40}).fit(data).similarity.toarray()
    cut = create("ease", {"k": 5}).fit(data).similarity.toarray()
    for kept, full in zip(cut, whole, strict=True):
        largest = np.argsort(-np.abs(full))[: np.count_nonzero(kept)]
        assert set(np.flatnonzero(kept)) == set(largest)
    few = create("ease", {"max_items": 8}).fit(data)
    known = np.bincount(few.weighted(data).indices, minlength=40)
    assert set(few.similarity.indices) <= set(np.argsort(-known, kind="stable")[:8])


@pytest.mark.parametrize("whole", [0, 5_000])
def test_slim_local_is_ridge_regression_on_the_items_that_share_a_user(monkeypatch, whole):
    monkeypatch.setattr(linear, "MOST_WHOLE", whole)
    data = random_shop()
    model = create("slim_local", {"n": 39, "l2": 50.0}).fit(data)
    dense = of_mean_square_one(model.weighted(data).toarray().astype(float))
    expected = np.zeros((40, 40))
    for item in range(40):
        others = (dense.T @ dense[:, item] > 0) & (np.arange(40) != item)
        ridge = Ridge(alpha=50.0, fit_intercept=False).fit(dense[:, others], dense[:, item])
        expected[others, item] = ridge.coef_
    np.testing.assert_allclose(model.similarity.toarray(), in_unit(expected), rtol=1e-3, atol=1e-4)


def test_slim_local_asks_only_the_nearest():
    model = create("slim_local", {"n": 6}).fit(random_shop())
    near = create("item_cosine", {"k": 6}).fit(random_shop()).similarity
    assert (np.diff(model.similarity.tocsc().indptr) == 6).all()
    assert ((model.similarity != 0) != (near.T != 0)).nnz == 0


@pytest.mark.parametrize("whole", [0, 5_000])
def test_slim_local_is_the_same_to_the_last_bit_however_it_is_divided(monkeypatch, whole):
    monkeypatch.setattr(linear, "MOST_WHOLE", whole)
    # So few events that items differ in how many neighbours they have.
    data, found = random_shop(n_events=150), []
    for step in (1, 7, 2_000):
        monkeypatch.setattr(linear, "BLOCK_ITEMS", step)
        found.append(create("slim_local", {"n": 20}).fit(data).similarity)
    assert len(set(np.diff(found[0].tocsc().indptr))) > 3
    for other in found[1:]:
        assert np.array_equal(found[0].indices, other.indices)
        assert np.array_equal(found[0].data, other.data)


NAMES = ["red cotton shirt", "blue cotton shirt", "red wool scarf", "garden chair", "红色 茶杯", "红茶", ""]
CATALOGUE = Catalogue(
    NAMES, np.array([0, 0, 0, 1, 2, 2, 1]), ["clothes", "garden", "tea"], np.array([10, 10, 40, np.nan, 5, 10, 80.0])
)


def test_content_is_the_words_cosine_the_category_and_the_price():
    features = create("content", {"category_weight": 0.5, "price_weight": 0.4}).features(CATALOGUE)
    found = (features @ features.T).toarray()
    # Chinese has no spaces: each character is a word, for the reference parted by hand.
    parted = [*NAMES[:4], "红 色 茶 杯", "红 茶", ""]
    unit = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit_transform(parted)
    expected = (unit @ unit.T).toarray() + 0.25 * (CATALOGUE.categories[:, None] == CATALOGUE.categories)
    # log2 of the prices: 3.3219 (three times), 5.3219, 2.3219 and 6.3219. Each lies 0.3219 above a mark, so its halves
    # are 0.6781 and 0.3219; twice the price shares one mark: 0.6781 * 0.3219 / (0.6781^2 + 0.3219^2) = 0.3875.
    place = np.log2(CATALOGUE.prices)
    apart = np.abs(place[:, None] - place)
    expected += 0.16 * np.where(apart < 0.5, 1, np.where(apart < 1.5, 0.3875, 0)) * np.isfinite(apart)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_content_recommends_what_nobody_has_bought_yet():
    data = shop([(0, 0), (1, 3)], 2, 7)
    items, _ = create("content").fit(data, CATALOGUE).recommend(data, 2, exclude=bought_items(data))
    assert items[0].tolist() == [1, 2]
    assert items[1, 0] == 6


def test_the_sparse_lists_are_those_of_the_dense_top_k(name):
    data = random_shop()
    model = create(name).fit(data)
    allowed = np.arange(data.n_items) % 7 != 3
    for exclude in (None, bought_items(data)):
        found = model.recommend(data, 5, exclude=exclude, allowed=allowed)
        expected = top_k(model.scores(data), 5, exclude=exclude, allowed=allowed)
        assert np.array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)


def test_equal_scores_stand_by_code_even_where_the_list_is_cut():
    # One user bought item 0 and 30 more once; asked for 3 of them, the smallest codes come.
    data = shop([(0, i) for i in range(31)] + [(1, 0)], 2, 31)
    items, scores = (
        create("item_cosine").fit(data).recommend(data.of(np.array([1])), 3, exclude=bought_items(data)[[1]])
    )
    assert items.tolist() == [[1, 2, 3]]
    assert len(set(scores[0])) == 1


def test_a_user_with_everything_excluded_gets_nothing(name):
    data = random_shop()
    everything = np.zeros((data.n_users, data.n_items), np.float32)
    everything[:3] = 1
    everything = csr_matrix(everything)
    items, _ = create(name).fit(data).recommend(data, 4, exclude=everything)
    assert (items[:3] == -1).all()
    assert (items[3:, 0] >= 0).all()


def test_taking_the_first_evidence_away_lowers_the_score(name):
    data = random_shop()
    model = create(name).fit(data)
    users = np.arange(60)
    asked = data.of(users)
    items, _ = model.recommend(asked, 3)
    before = model.scores(asked).toarray()
    lowered, kinds = [], set()
    for user, evidence in enumerate(model.explain(asked, items)):
        for item, why in zip(items[user], evidence, strict=True):
            if item < 0 or not why["items"]:
                continue
            kinds.add(why["kind"])
            less = _without(data.of(users[user : user + 1]), why["items"][0])
            lowered.append(model.scores(less).toarray()[0, item] < before[user, item])
    assert len(lowered) > 100
    assert np.mean(lowered) >= 0.9
    assert kinds <= {"because", "again"}


def _without(one, item):
    keep = one.items != item
    return build(one.users[keep], one.items[keep], one.kinds[keep], one.ages[keep], n_users=1, n_items=one.n_items)


def test_shares_are_the_parts_of_the_score():
    model = create("item_cosine", PLAIN).fit(WORKED)
    # c comes to user 0, and a to user 2, from b alone; c comes to user 2 from herself (2) more than from b (0.78).
    assert model.explain(WORKED, np.array([[-1, 2], [-1, -1], [0, 1]])) == [
        [{}, {"kind": "because", "items": [1], "weights": [1.0]}],
        [{}, {}],
        [{"kind": "because", "items": [1], "weights": [1.0]}, {"kind": "again", "items": [1], "weights": [0.7185]}],
    ]


def test_own_history_counts_as_much_as_the_self_weight_says(name):
    data = random_shop()
    plain, more = (create(name, {"self_weight": weight}).fit(data) for weight in (0.0, 3.0))
    difference = (more.scores(data) - plain.scores(data)).toarray()
    np.testing.assert_allclose(difference, 3 * plain.weighted(data).toarray(), rtol=1e-3, atol=1e-4)
