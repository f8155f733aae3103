"""Split by time, the score table and its intervals."""

from typing import ClassVar

import numpy as np
import pytest

from recommender.core import stars
from recommender.core.algorithms import create
from recommender.core.evaluation import PER_USER, Exam, Score, cpu_seconds, examine, paired_difference, pooled, summary
from recommender.core.interactions import KINDS, PURCHASE
from recommender.core.intervals import bootstrap, resampled_means
from recommender.core.popular import MostPopular
from recommender.core.splitting import Log, rolling_splits, split_by_time, split_last, whole
from recommender.core.stars import star_errors


def log_of(rows, n_users=3, n_items=4):
    users, items, kinds, days = (np.array(column) for column in zip(*rows, strict=True))
    return Log(users, items, kinds.astype(np.uint8), days.astype(float), n_users, n_items)


BUY, VIEW = PURCHASE, 0
ROWS = [
    (0, 0, BUY, 0), (0, 1, BUY, 1), (1, 0, BUY, 2), (2, 1, VIEW, 3), (2, 2, VIEW, 4),
    (0, 2, BUY, 8), (1, 2, BUY, 9), (2, 3, VIEW, 9), (2, 3, BUY, 10),
]  # fmt: skip


def test_nothing_after_the_split_is_learnt_and_only_purchases_are_true():
    split = split_by_time(log_of(ROWS))
    assert split.at == 8
    assert len(split.train.users) == 5
    assert split.train.ages.min() >= 0
    # User 1 knew one product only.
    assert split.tested.tolist() == [0, 2]
    assert split.truth.toarray().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_a_long_span_is_split_at_midnight():
    rows = [(0, 0, BUY, 0.5), (0, 1, BUY, 1.5), (0, 1, BUY, 100.9)]
    assert split_by_time(log_of(rows)).at == 80


def test_without_a_clock_the_last_event_of_each_user_is_held_back():
    rows = [(0, 0, BUY, 0), (0, 1, BUY, 1), (0, 2, BUY, 2), (1, 0, BUY, 0)]
    split = split_last(log_of(rows))
    assert split.tested.tolist() == [0]
    assert split.truth.toarray().tolist() == [[0, 0, 1, 0]]
    assert len(split.train.users) == 3


def test_windows_follow_each_other_and_each_learns_all_that_came_before():
    rows = [(0, item, BUY, day) for day, item in enumerate([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2])]
    first, second = rolling_splits(log_of(rows), 0.2, 2)
    assert (first.at, second.at) == (6, 8)
    assert [len(first.train.users), len(second.train.users)] == [6, 8]
    assert first.truth.toarray().tolist() == [[0, 0, 1, 1]]
    assert second.truth.toarray().tolist() == [[1, 1, 1, 0]]
    assert second.learnt.tolist() == [True] * 8 + [False] * 3
    with pytest.raises(ValueError, match="leave nothing to learn from"):
        next(rolling_splits(log_of(rows), 0.2, 5))


def test_without_a_clock_an_earlier_event_can_be_held_back_and_nothing_newer_is_learnt():
    rows = [(0, 0, BUY, 0), (0, 1, BUY, 1), (0, 2, BUY, 2), (0, 3, BUY, 3), (1, 0, BUY, 0), (1, 1, BUY, 1)]
    split = split_last(log_of(rows), back=1)
    assert split.tested.tolist() == [0]
    assert split.truth.toarray().tolist() == [[0, 0, 1, 0]]
    assert split.train.items.tolist() == [0, 1]


def test_without_repeats_what_was_bought_before_is_no_answer():
    rows = [(0, 0, BUY, 0), (0, 1, BUY, 1), (0, 0, BUY, 9), (0, 2, BUY, 10), (1, 0, BUY, 0), (1, 2, BUY, 1)]
    split = split_by_time(log_of(rows))
    assert Exam(split).truth.toarray().tolist() == [[1, 0, 1, 0]]
    new = Exam(split, repeats=False)
    assert new.truth.toarray().tolist() == [[0, 0, 1, 0]]
    assert new.exclude is not None
    assert new.exclude.toarray().tolist() == [[1, 1, 0, 0]]


def test_an_empty_log_scores_nothing_and_does_not_crash():
    none = np.empty(0, np.int32)
    exam = Exam(split_by_time(Log(none, none, none.astype(np.uint8), none.astype(float), 0, 0)))
    score = examine(create("user_based"), exam)
    assert exam.n_test_users == 0
    assert summary(score, exam)["ndcg"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_interval_holds_the_mean_and_repeats_with_its_seed():
    values = np.random.default_rng(1).random(400)
    first = bootstrap(values, seed=5)
    assert first == bootstrap(values, seed=5)
    assert first["low"] < first["value"] < first["high"]
    # 1.96 standard errors, the textbook's width
    assert first["high"] - first["low"] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_a_model_against_itself_differs_by_nothing():
    exam = Exam(split_by_time(log_of(ROWS)))
    score = examine(create("popular"), exam)
    assert paired_difference(score, score) == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_many_columns_are_resampled_as_each_alone():
    values = np.random.default_rng(2).random((700, 3))
    together = resampled_means(values, 4)
    assert together.shape == (1000, 3)
    for column in range(3):
        np.testing.assert_allclose(together[:, column], resampled_means(values[:, [column]], 4)[:, 0])
    # Not every resample is the same, and each is a mean of values that are there.
    one = resampled_means(np.array([[0.0], [1.0]]), 1)
    assert {0, 0.5, 1} == set(one[:, 0])
    assert np.mean(one == 0.5) == pytest.approx(0.5, abs=0.05)


def test_a_thousand_resamples_of_twenty_thousand_users_take_well_under_a_second():
    values = np.random.default_rng(1).random(20_000)
    started = cpu_seconds()
    bootstrap(values)
    assert cpu_seconds() - started < 1


class Stars(MostPopular):
    """Says for each user the mean of her stars, 3 for a stranger."""

    asked: ClassVar[list[tuple[int, ...]]] = []

    def predict(self, users, items):
        self.asked.append(items.shape)
        n = np.bincount(users.users, minlength=users.n_users)
        mean = np.bincount(users.users, users.stars, users.n_users) / np.maximum(n, 1)
        return np.where(items >= 0, np.where(n > 0, mean, 3)[:, None], np.nan)


def rated_log():
    rows = [
        (0, 0, 5, 0), (0, 1, 1, 1), (1, 2, 4, 2), (1, 0, 4, 3), (0, 2, 5, 9), (1, 1, 4, 10), (2, 0, 1, 10),
        (0, 3, 2, 10),
    ]  # fmt: skip
    users, items, given, days = (np.array(column) for column in zip(*rows, strict=True))
    kinds = np.where(given >= 4, BUY, KINDS.index("rating")).astype(np.uint8)
    return Log(users, items, kinds, days.astype(float), 3, 4, given.astype(np.float32))


def test_predicted_stars_are_compared_with_what_was_given_after_the_split(monkeypatch):
    split = split_by_time(rated_log())
    # User 0 has given 5 and 1, user 1 twice 4, user 2 nothing; then 0 gives 5 and 2, 1 gives 4, 2 gives 1.
    score = examine(Stars(), Exam(split))
    assert sorted(score.star_errors) == [-2, 0, 1, 2]
    # One table of two columns, or a table for each user where memory is short.
    assert Stars.asked.pop() == (3, 2)
    monkeypatch.setattr(stars, "BLOCK_CELLS", 2)
    np.testing.assert_array_equal(star_errors(Stars(), split), score.star_errors)
    assert len(Stars.asked) == 3
    assert len(examine(create("popular"), Exam(split)).star_errors) == 0


def test_who_is_tested_in_two_windows_counts_once_with_her_mean():
    def score(ndcg, coverage, errors):
        numbers = np.array(ndcg)
        per_user = dict.fromkeys(PER_USER, numbers)
        return Score(per_user, coverage, 1.0, 1.0, 2.0, 3.0, np.array([1, 0]), np.array(errors))

    both = pooled([score([1.0, 0.5], 0.2, [1.0]), score([0.0], 0.5, [])], [np.array([3, 7]), np.array([3])])
    assert both.per_user["ndcg"].tolist() == [0.5, 0.5]
    assert both.coverage == pytest.approx((0.2 * 2 + 0.5) / 3)
    assert (both.fit_s, both.recommend_s) == (4, 6)
    assert both.exposure.tolist() == [2, 0]
    assert both.star_errors.tolist() == [1]


def test_chosen_users_keep_their_own_row():
    everybody = whole(log_of(ROWS))
    some = everybody.of(np.array([2, 0]))
    assert some.known.tolist() == [2, 0]
    assert some.n_users == 2
    assert sorted(some.items[some.users == 1]) == [0, 1, 2]
