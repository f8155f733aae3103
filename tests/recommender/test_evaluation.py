"""Split by time, the score table and its intervals."""

import numpy as np
import pytest

from recommender.core.algorithms import create
from recommender.core.evaluation import Exam, bootstrap, examine, paired_difference, summary
from recommender.core.interactions import PURCHASE
from recommender.core.splitting import Log, rolling_splits, split_by_time, split_last, whole


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


def test_chosen_users_keep_their_own_row():
    everybody = whole(log_of(ROWS))
    some = everybody.of(np.array([2, 0]))
    assert some.known.tolist() == [2, 0]
    assert some.n_users == 2
    assert sorted(some.items[some.users == 1]) == [0, 1, 2]
