"""Which mail for whom: the arithmetic on plain arrays."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recommender.core.theme_exam import LIKELY, examine
from recommender.core.theme_text import Said, kinship, tf_idf, theme_features
from recommender.core.themes import (
    PRIOR_MAILS,
    Exposures,
    Themes,
    expected_rates,
    learn,
    liking,
    open_worth,
    rates_of,
    surprises,
    variances,
)


def exposures(rows, shape):
    """Make mails of (shopper, theme, "click", "open", "machine" or "")."""
    what = np.array([row[2] for row in rows])
    places = np.array([row[:2] for row in rows]).reshape(-1, 2)
    return Exposures(
        places[:, 0], places[:, 1], what == "click", np.isin(what, ["click", "open"]), what != "machine", shape
    )


def made(seed, *, taste, n_shoppers=3000, n_themes=12, rate=0.1):
    """Draw a shop of two kinds of mails; each shopper likes one kind ``taste`` times as well as is usual, or dislikes
    it. Every mail goes to everybody."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n_themes) % 2
    likes = rng.integers(2, size=n_shoppers)
    factor = np.where(kind[None, :] == likes[:, None], 1 + taste, 1 - taste)
    clicked = rng.random((n_shoppers, n_themes)) < rate * factor
    shoppers, themes = np.divmod(np.arange(n_shoppers * n_themes), n_themes)
    flat = clicked.ravel()
    sent = Exposures(shoppers, themes, flat, flat, np.ones(len(flat), bool), (n_shoppers, n_themes))
    return sent, np.where(kind[:, None] == kind[None, :], 1.0, -1.0), likes


def test_rates_lean_on_the_shop_and_unknown_opens_count_for_clicks_only():
    sent = exposures(
        [(0, 0, "click"), (1, 0, "open"), (2, 0, "machine"), (3, 0, ""), (0, 1, ""), (1, 1, "machine")], (4, 3)
    )
    rates = rates_of(sent)
    shop_clicks, shop_opens = 1.5 / 7, 1.5 / 5
    assert (rates.shop_clicks, rates.shop_opens) == pytest.approx((shop_clicks, shop_opens))
    clicks = [(k + PRIOR_MAILS * shop_clicks) / (n + PRIOR_MAILS) for k, n in ((1, 4), (0, 2), (0, 0))]
    opens = [(k + PRIOR_MAILS * shop_opens) / (n + PRIOR_MAILS) for k, n in ((1, 3), (0, 1), (0, 0))]
    assert rates.clicks == pytest.approx(clicks)
    assert rates.opens == pytest.approx(opens)
    assert clicks[2] == pytest.approx(shop_clicks)


def test_a_new_mail_has_the_rate_of_those_like_it_and_one_like_none_that_of_the_shop():
    sent = exposures([(n, n % 2, "click" if n % 2 and n % 4 == 1 else "") for n in range(400)], (400, 2))
    rates, n = rates_of(sent), np.array([200.0, 200.0])
    none, second = expected_rates(rates, n, np.array([[0.0, 0.0], [0.0, 1.0]]))
    assert none == pytest.approx(rates.shop_clicks)
    assert second == pytest.approx((200 * rates.clicks[1] + PRIOR_MAILS * rates.shop_clicks) / (200 + PRIOR_MAILS))


def one_shopper(surprise, expected, noise, kin, lively, taste):
    cells = (csr_matrix(np.array([row])) for row in (surprise, expected, noise))
    n = len(surprise)
    return Themes(*cells, np.array(kin), rates_of(exposures([(0, 0, "")], (1, n))), np.ones(n), lively, taste, 0.25)


def test_one_mail_moves_the_factor_as_credibility_says():
    # k = .5 + 1 * .8 = 1.3; z = r k e / v = .9 * 1.3 * .1 / .09 = 1.3; cov = (k e)^2 / v = .187778;
    # u = k e^2 / v = .144444; var = cov + u^2 * (.5 + 1) = .219074; factor = 1 + cov / var * z.
    themes = one_shopper([0.9], [0.1], [0.09], [[1.0]], 0.5, 1.0)
    cov = 0.13**2 / 0.09
    var = cov + (1.3 * 0.01 / 0.09) ** 2 * 1.5
    assert liking(themes, np.array([0.8])).factor == pytest.approx([1 + cov / var * 1.3])


def test_the_factor_is_the_best_guess_from_the_score():
    """Drawn a hundred thousand times, no other multiple of the score comes nearer to what was drawn."""
    rng, n = np.random.default_rng(1), 100_000
    expected, noise, kin = np.array([0.3, 0.2, 0.25]), np.array([0.2, 0.15, 0.18]), np.array([0.9, 0.1, 0.0])
    among = np.array([[1.0, 0.2, 0.1], [0.2, 1.0, 0.0], [0.1, 0.0, 1.0]])
    whole = np.block([[np.ones((1, 1)), kin[None]], [kin[:, None], among]])
    lively, taste = 0.05, 0.2
    drawn = rng.multivariate_normal(np.zeros(4), lively + taste * whole, size=n)
    surprise = expected * drawn[:, 1:] + rng.normal(size=(n, 3)) * np.sqrt(noise)
    cells = (csr_matrix(np.broadcast_to(row, (n, 3))) for row in (expected, noise))
    themes = Themes(csr_matrix(surprise), *cells, among, None, np.ones(3), lively, taste, 0.25)
    guess = liking(themes, kin).factor - 1
    slope = float(guess @ drawn[:, 0] / (guess @ guess))
    assert slope == pytest.approx(1.0, abs=0.05)


def test_no_mail_is_no_opinion_and_mails_that_were_not_clicked_are_one():
    themes = learn(*made(3, taste=0.9)[:2])
    nobody = csr_matrix((1, 12))
    empty = Themes(nobody, nobody, nobody, themes.among, themes.rates, themes.sent, themes.lively, themes.taste, 0.25)
    assert liking(empty, np.ones(12)).factor.tolist() == [1.0]
    ignored = np.asarray((themes.surprise > 0).sum(axis=1)).ravel() == 0
    assert ignored.any()
    assert (liking(themes, np.ones(12)).factor[ignored] < 1).all()


def test_a_mail_that_only_a_machine_fetched_says_nothing_of_her_opens():
    rows = [(n, 0, "open" if n % 2 else "") for n in range(100)]
    sent = exposures([*rows, (100, 0, "machine"), (101, 0, "")], (102, 1))
    rates = rates_of(sent)
    surprise = np.asarray(surprises(sent, rates, 0.3)[0].todense()).ravel()
    assert surprise[100] == pytest.approx(-rates.clicks[0])
    assert surprise[101] == pytest.approx(-rates.clicks[0] - 0.3 * rates.opens[0])


@pytest.mark.parametrize(("telling", "low", "high"), [(True, 0.3, 1.0), (False, 0.0, 0.12)])
def test_what_an_open_is_worth_is_told_by_the_clicks_in_mails_like_it(telling, low, high):
    """Where who opens is who likes it, an open tells nearly as much as a click; where anybody opens, nothing."""
    sent, kin, likes = made(8, taste=0.9)
    rng, kind = np.random.default_rng(3), sent.themes % 2
    chance = np.where(kind == likes[sent.shoppers], 0.5, 0.1) if telling else 0.3
    opened = sent.clicked | (rng.random(len(kind)) < chance)
    sent = Exposures(sent.shoppers, sent.themes, sent.clicked, opened, sent.known, sent.shape)
    assert low <= open_worth(sent, rates_of(sent), kin) <= high


@pytest.mark.parametrize("taste", [0.0, 0.5, 0.9])
def test_how_far_tastes_differ_is_found_again(taste):
    sent, kin, _likes = made(5, taste=taste)
    themes = learn(sent, kin)
    # The factor is 1 + taste or 1 - taste, so its variance is taste^2; and nobody is livelier than others on the
    # whole, since half of the mails are of either kind: the covariance of two kinds is -taste^2.
    found = themes.lively + themes.taste
    assert found == pytest.approx(taste**2, abs=0.06)


def test_lively_shoppers_without_tastes_are_told_from_tastes():
    rng = np.random.default_rng(2)
    factor = np.where(rng.random(3000) < 0.5, 1.7, 0.3)
    clicked = (rng.random((3000, 12)) < 0.1 * factor[:, None]).ravel()
    shoppers, mails = np.divmod(np.arange(36_000), 12)
    sent = Exposures(shoppers, mails, clicked, clicked, np.ones(36_000, bool), (3000, 12))
    kin = made(1, taste=0.5, n_shoppers=1)[1]
    themes = learn(sent, kin)
    assert themes.lively == pytest.approx(0.49, abs=0.08)
    assert themes.taste < 0.06
    found = liking(themes, kin[0])
    assert not found.by_taste[found.factor > LIKELY].any()


def test_variances_of_no_pairs_are_zero():
    cells = csr_matrix(np.eye(3))
    assert variances(cells, cells, np.ones((3, 3))) == (0.0, 0.0)


def test_the_exam_sees_a_taste_and_no_taste_where_there_is_none():
    sent, kin, _likes = made(11, taste=0.8)
    exam = examine(sent, kin)
    assert (exam.n_learnt, exam.n_tested, exam.n_mails) == (10, 2, 6000)
    assert exam.difference["low"] > 0
    assert exam.n_likely_shoppers <= min(exam.n_likely, 3000)
    assert exam.n_likely_shoppers + exam.n_other_shoppers >= 3000
    assert exam.likely > exam.others
    assert exam.gain["low"] > 0
    assert exam.picked - exam.popular == pytest.approx(exam.gain["value"])
    lows = [examine(*made(seed, taste=0.0)[:2]).gain["low"] for seed in range(5)]
    assert max(lows) < 0.05
    assert sum(low > 0 for low in lows) <= 1


def test_the_exam_learns_nothing_from_the_mails_it_asks_about():
    """Whoever clicks what in the newest mails changes the truth, not the choice."""
    sent, kin, _likes = made(11, taste=0.8)
    late = sent.themes >= 10
    turned = Exposures(
        sent.shoppers, sent.themes, np.where(late, ~sent.clicked, sent.clicked),
        np.where(late, ~sent.clicked, sent.opened), sent.known, sent.shape,
    )  # fmt: skip
    one, other = examine(sent, kin), examine(turned, kin)
    assert one.n_likely == other.n_likely
    assert one.difference["value"] == pytest.approx(-other.difference["value"])


@pytest.mark.parametrize(("n_themes", "rate"), [(1, 0.1), (3, 0.1), (5, 0.0005)])
def test_too_little_to_ask_is_no_exam(n_themes, rate):
    assert examine(*made(1, taste=0.5, n_themes=n_themes, rate=rate)[:2]) is None


def test_words_weigh_as_scikit_learn_weighs_them():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["warm mugs and more mugs", "bags for summer", "summer mugs", "", "summer bags and bags"]
    mine = np.asarray(tf_idf([text.split() for text in texts], 4).todense())
    theirs = TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True).fit(texts[:4]).transform(texts).toarray()
    assert mine == pytest.approx(theirs)


def test_mails_about_one_category_are_alike_and_what_all_say_makes_none_alike():
    greeting = "hello from our shop picked for you"
    mugs, bags = ("Kitchen > Mugs",), ("Bags",)
    known = [Said(f"{greeting} {n}", about, "picks") for n, about in enumerate([mugs, bags, mugs, bags])]
    among, kin = kinship(
        known, [Said("warm drinks", mugs), Said("more from our shop", ("Kitchen > Plates",)), Said("")]
    )
    assert among[0, 2] > 0.5 > -0.5 > among[0, 1]
    assert among == pytest.approx(among.T)
    assert (np.diag(among) == 1).all()
    assert kin[0, 0] > kin[1, 0] > 0 > kin[0, 1]
    assert np.abs(kin[2]).max() < 0.1
    same, _none = kinship([Said(greeting)] * 3, [])
    assert (same == np.eye(3)).all()


def test_a_mail_to_compare_changes_nothing_for_others():
    known = [Said("warm mugs"), Said("new bags"), Said("mugs and bags")]
    alone = kinship(known, [Said("mugs")])
    beside = kinship(known, [Said("mugs"), Said("bags bags bags"), Said("quite another thing")])
    assert alone[0] == pytest.approx(beside[0])
    assert alone[1][0] == pytest.approx(beside[1][0])
    assert theme_features([Said(""), Said("")], 2).nnz == 0
