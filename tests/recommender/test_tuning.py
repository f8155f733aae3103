"""The search for settings: what it finds, that it repeats itself and can be interrupted, what a budget pays for."""

import numpy as np
import pytest

from recommender.core.algorithms import ALGORITHMS
from recommender.core.auto import Candidate, handed_on
from recommender.core.base import Choice, Range
from recommender.core.interactions import KINDS, PURCHASE
from recommender.core.plan import RATES, Size, shared_trials, size_of
from recommender.core.splitting import Log
from recommender.core.tuning import Trial, best, judge_on, tune
from recommender.core.validation import LAST, SHARE, TIME, sample, validation

VIEW = KINDS.index("view")


def log_of(rows):
    """Rows (user, item, kind, day) as a log."""
    users, items, kinds, days = (np.array(column) for column in zip(*rows, strict=True))
    n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    return Log(users, items, kinds.astype(np.uint8), days.astype(float), n_users, n_items)


def returning_shop(n_users=40, n_items=30, seed=1):
    """Shoppers of two tastes who buy one product of their half every few days for a hundred days."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, 2 * int(rng.integers(n_items // 2)) + user % 2, PURCHASE, day + rng.random())
        for user in range(n_users)
        for day in range(user % 7, 100, 7)
    ]
    return log_of(sorted(rows, key=lambda row: row[3]))


def of_all(log, **options):
    return validation(log, np.arange(log.n_users), **{"has_clock": True, "k": 5, "repeats": True, "seed": 0} | options)


def test_the_search_repeats_itself_and_goes_on_where_it_was_interrupted():
    judge = judge_on(of_all(returning_shop()).exams)
    told = []
    whole = tune("user_based", judge, n_trials=9, seed=3, on_trial=told.append)
    assert told == whole
    again = tune("user_based", judge, n_trials=9, seed=3, trials=whole[:4])
    assert [trial.params for trial in again] == [trial.params for trial in whole]
    assert [trial.score for trial in again] == [trial.score for trial in whole]
    other = tune("user_based", judge, n_trials=9, seed=4)
    assert [trial.params for trial in other[1:]] != [trial.params for trial in whole[1:]]


def test_the_first_trial_are_the_defaults_and_all_stay_inside_the_space():
    trials = tune("user_based", lambda model: model.k, n_trials=12)
    assert trials[0].params == {}
    for trial in trials[1:]:
        assert trial.params.keys() == ALGORITHMS["user_based"].space.keys()
        for name, one in ALGORITHMS["user_based"].space.items():
            value = trial.params[name]
            assert value in one.values if isinstance(one, Choice) else one.low <= value <= one.high


def test_a_suggestion_is_tried_after_the_defaults_once():
    asked = {"k": 77}
    assert [one.params for one in tune("user_based", lambda model: 0.0, n_trials=1, suggestion=asked)] == [{}]
    trials = tune("user_based", lambda model: 0.0, n_trials=3, trials=[Trial({}, 0.0, 1)], suggestion=asked)
    assert trials[1].params == asked
    again = tune("user_based", lambda model: 0.0, n_trials=4, trials=trials, suggestion=asked)
    assert [one.params for one in again].count(asked) == 1


def test_the_weighting_of_the_leader_is_handed_on():
    leader = Candidate(
        "item_bm25", {"half_life": 0.0, "shape": "best", "k": 300, "self_weight": 5.0}, ndcg=[np.ones(2)]
    )
    worse = Candidate("rp3beta", {"half_life": 0.5}, ndcg=[np.zeros(2)])
    mine = Candidate("user_based", {"half_life": 0.2, "k": 77}, trials=[Trial({}, 0.0, 1)])
    found = {one.name: one for one in (leader, worse, mine)}
    assert handed_on(mine, found) == {"half_life": 0.0, "shape": "best", "k": 77}
    assert handed_on(Candidate("popular", trials=[Trial({}, 0.0, 1)]), found) is None


def test_the_search_finds_what_is_better():
    trials = tune("user_based", lambda model: -abs(np.log(model.k / 300)), n_trials=25)
    assert best(trials).score > best(trials[:2]).score
    assert 200 < best(trials).params["k"] <= 400
    assert isinstance(best(trials).params["k"], int)
    assert isinstance(ALGORITHMS["user_based"].space["k"], Range)


def test_the_earliest_of_equal_trials_is_the_best():
    assert best([Trial({}, 0.5, 1), Trial({"k": 20}, 0.5, 1)]).params == {}


def test_seconds_end_the_search_and_known_trials_count():
    known = [Trial({}, 0.1, 30.0)]
    assert tune("user_based", lambda model: 0.0, n_trials=9, seconds=20, trials=known) == known


def test_a_judge_without_test_shoppers_says_nothing():
    assert judge_on([])(None) == 0.0


def test_shoppers_who_return_are_split_by_time_in_two_windows_that_follow_each_other():
    rehearsal = of_all(returning_shop())
    assert rehearsal.kind == TIME
    newest, before = (exam.split for exam in rehearsal.exams)
    assert before.at < newest.at
    assert len(before.train.users) < len(newest.train.users)
    # What the older window holds back ends where the newer one begins.
    assert all(newest.train.ages >= 0)
    assert before.truth.nnz < newest.train.purchases.sum()


def one_day_shop(n_users=30, lines=4):
    """Everybody comes on a day of her own, looks at and buys ``lines`` products, and is not seen again."""
    rows = []
    for user in range(n_users):
        for line in range(lines):
            item = (user + line) % 9
            rows += [(user, item, VIEW, user + line / 50), (user, item, PURCHASE, user + line / 50 + 0.01)]
    return log_of(rows)


def test_shoppers_who_come_once_are_asked_for_their_last_purchase_without_what_led_to_it():
    log = one_day_shop()
    rehearsal = of_all(log, repeats=False)
    assert rehearsal.kind == LAST
    newest, before = (exam.split for exam in rehearsal.exams)
    assert newest.truth[0].indices.tolist() == [3]
    assert before.truth[0].indices.tolist() == [2]
    hers = newest.train.of(np.array([0]))
    # The view of the product held back is gone with it; views and orders of the others stay.
    assert sorted(set(hers.items.tolist())) == [0, 1, 2]
    assert len(hers.items) == 6
    assert sorted(set(before.train.of(np.array([0])).items.tolist())) == [0, 1]


def test_what_she_did_with_a_product_days_before_she_bought_it_is_no_part_of_the_purchase():
    log = one_day_shop()
    looked = [(user, (user + 3) % 9, VIEW, user - 2.0) for user in range(30)]
    rows = zip(log.users, log.items, log.kinds, log.days, strict=True)
    newest = of_all(log_of(sorted([*looked, *rows], key=lambda row: row[3])), repeats=False).exams[0].split
    assert newest.truth[0].indices.tolist() == [3]
    hers = newest.train.of(np.array([0]))
    assert hers.kinds[hers.items == 3].tolist() == [VIEW]


def test_things_put_down_by_the_dozen_lose_a_share_of_each():
    rehearsal = of_all(one_day_shop(lines=9), repeats=False)
    assert rehearsal.kind == LAST
    log = log_of([(user, item, PURCHASE, user) for user in range(30) for item in range(user % 3, 40, 2)])
    rehearsal = of_all(log, repeats=False)
    assert rehearsal.kind == SHARE
    held = [exam.split.truth.nnz / len(log.users) for exam in rehearsal.exams]
    assert held == pytest.approx([0.2, 0.2], abs=0.01)
    first, second = (set(zip(*exam.split.truth.nonzero(), strict=True)) for exam in rehearsal.exams)
    assert not first & second


def test_without_a_clock_the_order_is_all_there_is():
    rehearsal = of_all(returning_shop(), has_clock=False)
    assert rehearsal.kind == LAST
    assert not rehearsal.exams[0].split.train.ages.any()


def test_a_sample_keeps_the_truth_of_its_shoppers():
    exam = of_all(returning_shop(), repeats=False).exams[0]
    some = sample(exam, 7, seed=2)
    assert some.n_test_users == 7
    place = np.searchsorted(exam.tested, some.tested)
    assert exam.tested[place].tolist() == some.tested.tolist()
    assert (exam.truth[place] != some.truth).nnz == 0
    assert sample(exam, 10_000, seed=2) is exam


@pytest.mark.parametrize("n_events", [0, 1, 2])
def test_next_to_nothing_can_not_be_rehearsed(n_events):
    log = returning_shop()
    thin = Log(*(array[:n_events] for array in (log.users, log.items, log.kinds, log.days)), log.n_users, log.n_items)
    for has_clock in (True, False):
        assert not of_all(thin, has_clock=has_clock).exams


def test_a_budget_gives_every_algorithm_the_same_seconds_and_what_is_left_to_the_dear():
    size = Size(pairs=1.0, items_work=100.0, users_work=100.0, cells=10.0, n_items=1000)
    names = ["user_based", "something", "popular"]
    trials = shared_trials(names, [size, size], 300)
    assert next(iter(trials)) == "popular"
    assert trials["popular"] >= trials["something"] >= 1
    more = shared_trials(names, [size, size], 3000)
    assert all(more[name] >= trials[name] for name in trials)
    # Who can't be paid for stays out, but somebody must answer.
    assert shared_trials(names, [size], 0.001) == {"popular": 1}


def test_the_size_is_measured_on_what_is_learnt_from():
    exam = of_all(returning_shop()).exams[0]
    size = size_of(exam)
    assert size.n_items == 30
    assert size.cells == exam.n_test_users * 30 / 1e6
    assert size.items_work >= size.pairs
    assert RATES["popular"].seconds(size) < RATES["user_based"].seconds(size) + 1
