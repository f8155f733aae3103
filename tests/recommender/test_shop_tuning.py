"""Tuning for the shop itself: tries that are stored and taken up again, a judgement, and what trainings make of it."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailai.accounts.models import AuditEntry
from mailai.errors import InputError, StateError
from recommender import claimed, services, tasks, tuning
from recommender.core import rehearsal
from recommender.core.algorithms import BASELINE, COMPOSITES, create
from recommender.models import Champion, TrainingRun, Trial, Tuning
from tests.recommender.conftest import NOW

PLENTY = 900.0


@pytest.fixture
def few_trials(monkeypatch):
    """Let seven tries be all, so that the end does not hang on the speed of the machine."""
    monkeypatch.setattr(tuning, "MOST_TRIALS", 7)


def params_of(one: Tuning) -> list[dict]:
    return [trial.params for trial in one.trials.all()]


def scores_of(one: Tuning) -> list[float | None]:
    return [trial.ndcg for trial in one.trials.all()]


def test_every_try_is_stored_and_what_was_found_is_judged_by_other_shoppers(tastes, few_trials, admin):
    asked = tuning.request_tuning("user_based", PLENTY, by=admin)
    one = tuning.tune(asked.pk)
    assert (one.state, one.error, one.requested_by) == ("done", "", admin)
    trials = list(one.trials.all())
    assert [trial.number for trial in trials] == list(range(7))
    assert {trial.state for trial in trials} == {"done"}
    assert trials[0].params == {}
    assert all(trial.low <= trial.ndcg <= trial.high and trial.seconds > 0 for trial in trials)
    assert one.found["number"] == max(trials, key=lambda trial: trial.ndcg).number
    assert one.n_shoppers >= 30 <= one.n_judges
    assert one.n_shoppers + one.n_judges <= len(tastes["shoppers"])
    assert one.n_events == 800
    assert AuditEntry.objects.filter(action="recommender.tune").count() == 1


def test_an_interrupted_tuning_ends_as_if_it_never_had_been(tastes, few_trials, monkeypatch):
    whole = tuning.tune(tuning.request_tuning("user_based", PLENTY).pk)
    monkeypatch.setattr(tuning, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(tuning, "READINGS", 0)
    again = tuning.request_tuning("user_based", PLENTY)
    turns = 0
    while tuning.tune(again.pk).state == "queued":
        turns += 1
        # Every turn may be another process.
        tuning._kept.clear()
    again.refresh_from_db()
    assert turns == 6
    assert again.state == "done"
    assert params_of(again) == params_of(whole)
    assert scores_of(again) == scores_of(whole)
    assert again.found == whole.found


def test_a_try_that_its_worker_did_not_survive_is_made_again(tastes, few_trials):
    whole = tuning.tune(tuning.request_tuning("user_based", PLENTY).pk)
    again = tuning.request_tuning("user_based", PLENTY)
    for trial in whole.trials.all()[:3]:
        trial.pk, trial.tuning = None, again
        trial.save()
    again.trials.create(number=3, params={"k": 1})
    long_ago = timezone.now() - 2 * claimed.DEAD_AFTER
    Tuning.objects.filter(pk=again.pk).update(state="running", started_at=long_ago, heartbeat_at=long_ago, tries=1)
    assert tuning.sweep() == [(again.pk, 0)]
    again = tuning.tune(again.pk)
    assert params_of(again) == params_of(whole)
    # The three of the dead worker were not made again.
    assert [trial.seconds for trial in again.trials.all()[:3]] == [trial.seconds for trial in whole.trials.all()[:3]]


def test_the_budget_counts_what_was_spent_before(tastes):
    one = tuning.request_tuning("user_based", 60.0)
    for number in range(3):
        one.trials.create(number=number, params={}, state="done", ndcg=0.2, low=0.1, high=0.3, seconds=15.0)
    one = tuning.tune(one.pk)
    # 45 s are spent; another try and two fits for the judgement are more than 15 s at 15 s each.
    assert (one.state, one.trials.count()) == ("done", 3)


def test_a_worker_that_died_three_times_is_not_followed_by_a_fourth(tastes):
    one = tuning.request_tuning("user_based", PLENTY)
    long_ago = timezone.now() - 2 * claimed.DEAD_AFTER
    Tuning.objects.filter(pk=one.pk).update(state="running", started_at=long_ago, heartbeat_at=long_ago, tries=3)
    assert tuning.sweep() == []
    one.refresh_from_db()
    assert one.state == "failed"
    assert "stopped 3 times" in one.error


def test_two_workers_make_each_try_once(tastes, few_trials):
    one = tuning.request_tuning("user_based", PLENTY)

    def second_worker(trial: Trial) -> None:
        assert tuning.tune(one.pk).state == "running"

    tuning.tune(one.pk, told=second_worker)
    assert one.trials.count() == 7
    tasks.tune(one.pk, 0)
    tasks.tune(one.pk, 1)
    assert one.trials.count() == 7


def test_who_lost_the_tuning_to_another_worker_writes_nothing_more(tastes, few_trials):
    one = tuning.request_tuning("user_based", PLENTY)

    def taken_over(trial: Trial) -> None:
        Tuning.objects.filter(pk=one.pk).update(tries=2)

    assert tuning.tune(one.pk, told=taken_over).state == "running"
    assert one.trials.count() == 1


def test_asking_twice_queues_once_and_one_runs_at_a_time(tastes):
    first = tuning.request_tuning("user_based", PLENTY)
    assert tuning.request_tuning("user_based", 60.0) == first
    second = tuning.request_tuning("item_bm25", PLENTY)
    assert tuning.next_one() == [(first.pk, 0)]
    Tuning.objects.filter(pk=first.pk).update(state="running", heartbeat_at=timezone.now())
    assert tuning.next_one() == []
    Tuning.objects.filter(pk=first.pk).update(state="done")
    assert tuning.next_one() == [(second.pk, 0)]


def test_the_task_goes_on_until_everything_is_tuned(tastes, few_trials, monkeypatch):
    monkeypatch.setattr(tuning, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(tuning, "READINGS", 0)
    tuning.request_tuning("user_based", PLENTY)
    tuning.request_tuning("item_bm25", PLENTY)
    tasks.sweep_training()
    assert dict(Tuning.objects.values_list("algorithm", "state")) == {"user_based": "done", "item_bm25": "done"}


def test_messages_for_a_turn_that_was_taken_do_nothing(tastes, few_trials, monkeypatch):
    monkeypatch.setattr(tuning, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(tuning, "READINGS", 0)
    one = tuning.request_tuning("user_based", PLENTY)
    for _message in range(3):
        tuning.tune(one.pk, 0)
    assert one.trials.count() == 1
    assert tuning.next_one() == [(one.pk, 1)]
    tuning.tune(one.pk, 1)
    assert one.trials.count() == 2


def test_settings_that_fail_are_stored_and_the_search_goes_on(tastes, few_trials, monkeypatch):
    def fails_sometimes(model, exams, beat):
        if model.k % 2:
            raise MemoryError("too many neighbours")
        return marks(model, exams, beat)

    marks = rehearsal.marks
    monkeypatch.setattr(tuning, "marks", fails_sometimes)
    one = tuning.tune(tuning.request_tuning("user_based", PLENTY).pk)
    assert one.state == "done"
    failed = one.trials.filter(state="failed")
    assert 0 < failed.count() < 7
    assert all(trial.params["k"] % 2 and "too many neighbours" in trial.error for trial in failed)
    assert one.found["number"] not in {trial.number for trial in failed}


def test_an_algorithm_that_fails_at_its_defaults_ends_the_tuning_in_words(tastes, monkeypatch):
    def fails(model, exams, beat):
        raise MemoryError

    monkeypatch.setattr(tuning, "marks", fails)
    one = tuning.tune(tuning.request_tuning("user_based", PLENTY).pk)
    assert one.state == "failed"
    assert "nobody expected" in one.error


def test_too_few_shoppers_are_said(make_shopper, make_product, make_event):
    product = make_product()
    for _ in range(3):
        shopper = make_shopper()
        for day in (90, 50, 10):
            make_event(shopper, product=product, at=NOW - timedelta(days=day))
    one = tuning.tune(tuning.request_tuning("user_based", PLENTY).pk)
    assert one.state == "failed"
    assert "Only 0 shoppers" in one.error


@pytest.mark.parametrize("name", [BASELINE, "nonsense", *COMPOSITES])
def test_what_has_no_settings_is_refused(tastes, name):
    with pytest.raises(InputError, match="nothing to tune"):
        tuning.request_tuning(name, PLENTY)


@pytest.mark.parametrize("seconds", [0, -1, 10**6, float("nan")])
def test_a_budget_that_makes_no_sense_is_refused(tastes, seconds):
    with pytest.raises(InputError, match="minutes"):
        tuning.request_tuning("user_based", seconds)


def test_without_events_there_is_nothing_to_tune_on(db):
    with pytest.raises(StateError, match="Upload orders first"):
        tuning.request_tuning("user_based", PLENTY)


def adopted(algorithm: str, **params) -> Tuning:
    one = Tuning.objects.create(
        algorithm=algorithm, budget=60, state="done", adopted=True, finished_at=NOW, n_events=800,
        found={"number": 1, "value": 0.03, "low": 0.01, "high": 0.05},
    )  # fmt: skip
    one.trials.create(number=0, params={}, state="done", ndcg=0.2, low=0.1, high=0.3)
    one.trials.create(number=1, params=params, state="done", ndcg=0.23, low=0.12, high=0.33)
    return one


def test_a_training_uses_what_was_found_and_says_where_it_is_from(tastes):
    found = adopted("user_based", k=37, half_life=0.5)
    services.request_training()
    runs = {run.algorithm: run for run in map(services.train, services.waiting_runs())}
    run = runs["user_based"]
    assert (run.params["model"]["k"], run.params["model"]["half_life"]) == (37, 0.5)
    assert run.params["tuning"] == str(found.uuid)
    assert "tuning" not in runs["popular"].params
    # The settings that were found stay with the model that serves.
    assert services.top_products([tastes["shoppers"][0].pk], 3, run=run)


def test_a_newer_tuning_that_found_nothing_better_brings_the_defaults_back(tastes, train):
    adopted("user_based", k=37)
    newer = adopted("user_based", k=53)
    Tuning.objects.filter(pk=newer.pk).update(adopted=False)
    (run,) = [services.train(TrainingRun.objects.create(algorithm="user_based").pk)]
    assert run.params["model"] == create("user_based").params
    assert "tuning" not in run.params


def test_what_is_in_use_is_tried_right_after_the_defaults(tastes, few_trials):
    adopted("user_based", k=37)
    one = tuning.tune(tuning.request_tuning("user_based", PLENTY).pk)
    assert params_of(one)[:2] == [{}, {"k": 37}]


@pytest.mark.parametrize("name", ["blend", "two_stage"])
def test_a_model_of_models_takes_what_was_found_for_its_members(tastes, name):
    adopted("user_based", k=37)
    run = services.train(TrainingRun.objects.create(algorithm=name).pk)
    assert run.state == "done", run.error
    members = dict(run.params["model"]["members"])
    assert members["user_based"]["k"] == 37
    assert members["item_bm25"] == create("item_bm25").params


def test_better_settings_are_adopted_and_equal_ones_are_not(db, make_shopper, make_product, monkeypatch):
    """Scores are made: settings with few neighbours are better for everybody, then nothing makes a difference."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, 200)
    monkeypatch.setattr(tuning, "_rehearsal", lambda work: rehearsal.Rehearsal([], []))
    monkeypatch.setattr(tuning, "MOST_TRIALS", 12)
    for better, kept in ((0.3, True), (0.0, False)):
        monkeypatch.setattr(
            tuning,
            "marks",
            lambda model, exams, beat, better=better: (
                0.3 + better / model.k + noise + rng.normal(0, 0.02, 200) * (model.k != 100)
            ),
        )
        one = Tuning.objects.create(algorithm="user_based", budget=PLENTY, first=[{}])
        one = tuning.tune(one.pk)
        assert one.state == "done", one.error
        assert one.adopted is kept, one.found


def test_a_person_ends_a_tuning_and_what_it_found_is_judged(tastes, admin):
    one = tuning.request_tuning("user_based", PLENTY)

    def enough(trial: Trial) -> None:
        if trial.number == 2:
            tuning.end(one, by=admin)

    done = tuning.tune(one.pk, told=enough)
    assert (done.state, done.trials.count()) == ("done", 3)
    assert "number" in done.found
    with pytest.raises(StateError, match="ended already"):
        tuning.end(done, by=admin)


def live(algorithm: str, *others: str) -> None:
    for place, name in enumerate((algorithm, *others)):
        metrics = {"ndcg": {"value": 0.5 - place / 10, "low": 0.1, "high": 0.6}}
        run = TrainingRun.objects.create(algorithm=name, state="done", metrics=metrics, data_to=NOW)
        if not place:
            Champion.objects.create(run=run)


def test_once_a_week_the_live_model_and_the_best_challengers_share_the_budget(tastes, settings):
    settings.MAILAI_TUNING_MINUTES = 20
    assert tuning.request_weekly() == []
    live("ease", "user_based", "two_stage", "item_bm25", "popular", "als", "bpr")
    first = tuning.request_weekly()
    asked = Tuning.objects.order_by("pk")
    assert [(one.algorithm, one.budget, one.by_itself) for one in asked] == [
        (name, 300.0, True) for name in ("ease", "user_based", "item_bm25", "als")
    ]
    assert first == [(asked[0].pk, 0)]
    asked.update(state="done", n_events=800)
    tasks.request_weekly_tuning()
    assert Tuning.objects.count() == 4


def test_a_week_in_which_little_happened_tunes_only_what_never_was(tastes, settings, make_event):
    live("ease", "user_based")
    asked = [tuning.request_tuning(name, PLENTY, by_itself=True) for name in ("ease", "user_based")]
    week_ago = timezone.now() - tuning.WEEK - timedelta(hours=1)
    Tuning.objects.update(state="done", n_events=800, created_at=week_ago)
    assert tuning.request_weekly() == []
    # It is asked every hour; all events are counted once a day.
    with CaptureQueriesContext(connection) as queries:
        tasks.request_weekly_tuning()
    assert not [one["sql"] for one in queries if '"behaviour_event"' in one["sql"]]
    Tuning.objects.filter(pk=asked[1].pk).update(n_events=700)
    ((pk, _turn),) = tuning.request_weekly()
    assert Tuning.objects.get(pk=pk).algorithm == "user_based"


def test_ratings_of_few_stars_do_not_hide_that_events_have_grown(tastes, few_trials, make_event):
    for shopper in tastes["shoppers"]:
        make_event(shopper, "rating", product=tastes["products"][0], amount=2, at=NOW - timedelta(days=50))
    one = tuning.tune(tuning.request_tuning("user_based", PLENTY, by_itself=True).pk)
    assert (one.state, one.n_events) == ("done", 800)
    live("user_based")
    Tuning.objects.update(created_at=timezone.now() - tuning.WEEK - timedelta(hours=1))
    for shopper in tastes["shoppers"][:40]:
        make_event(shopper, product=tastes["products"][0], at=NOW - timedelta(days=1))
    ((pk, _turn),) = tuning.request_weekly()
    assert Tuning.objects.get(pk=pk).algorithm == "user_based"


def test_tuning_by_itself_can_be_switched_off(tastes, settings):
    settings.MAILAI_TUNING_MINUTES = 0
    live("ease")
    assert tuning.request_weekly() == []


def test_the_command_tunes_and_then_trains_with_what_was_found(tastes, few_trials, capsys):
    call_command("train", "--algorithm", "user_based", "--tune", "--budget", "300", "--json")
    said = capsys.readouterr()
    answer = json.loads(said.out)
    (told,) = answer["tuning"]
    assert (told["algorithm"], told["trials"]) == ("user_based", 7)
    run = TrainingRun.objects.get(uuid=answer["run"])
    expected = create("user_based", told["params"] if told["adopted"] else {}).params
    assert run.params["model"] == expected
    assert said.err.count("user_based ") == 7


@pytest.mark.parametrize("budget", ["0", "-5", "nan", "inf", "0.5", "soon"])
@pytest.mark.parametrize("tune", [[], ["--tune"]])
def test_a_budget_of_no_seconds_is_wrong_usage(tastes, budget, tune):
    with pytest.raises(CommandError, match="is no number of seconds from 1 on"):
        call_command("train", "--algorithm", "user_based", f"--budget={budget}", *tune)
    assert not Tuning.objects.exists()
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("budget", ["5", "1e9"])
def test_the_command_says_that_the_algorithms_share_the_budget(tastes, capsys, budget):
    with pytest.raises(SystemExit):
        call_command("train", "--algorithm", "all", "--tune", "--budget", budget, "--json")
    n = len(tuning.tunable())
    told = json.loads(capsys.readouterr().out)["error"]
    assert told.startswith(f"{n} algorithms share the budget of tuning. Give between {n} and ")
    assert not Tuning.objects.exists()


def test_the_command_goes_on_with_what_was_interrupted(tastes, few_trials, monkeypatch, capsys):
    def ctrl_c(self, trial):
        if trial.number == 3:
            raise KeyboardInterrupt

    command = "recommender.management.commands.train.Command._say_trial"
    with monkeypatch.context() as patched:
        patched.setattr(command, ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            call_command("train", "--algorithm", "user_based", "--tune", "--budget", "300", "--json")
    assert Tuning.objects.get().state == "queued"
    call_command("train", "--algorithm", "user_based", "--tune", "--budget", "300", "--json")
    assert Tuning.objects.count() == 1
    assert Tuning.objects.get().trials.count() == 7
    assert json.loads(capsys.readouterr().out)["tuning"][0]["trials"] == 7
