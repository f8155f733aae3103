"""A training that several workers divide: killed, doubled, damaged, and always the same result."""

import threading
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from recommender import array_files, boards, services, sharing, tasks, teamwork
from recommender.core import exam_lists, item_based, linear, sequence
from recommender.core.exam_lists import Lists
from recommender.core.item_based import NearestItems
from recommender.core.linear import SolvedItems
from recommender.core.sequence import NextItems
from recommender.models import TrainingBlock, TrainingRun
from tests.recommender.conftest import NOW

DIVIDED = ("user_based", "next_basket", "item_bm25", "rp3beta", "sequence", "slim_local")


class Killed(BaseException):
    """What a worker that is killed never comes to handle."""


@pytest.fixture
def large(monkeypatch):
    """Take the shop of the tests for a large one, in blocks of a few rows; return what was computed, in order."""
    monkeypatch.setattr(teamwork, "LARGE_EVENTS", 1)
    monkeypatch.setattr(teamwork, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(teamwork, "PAUSES", 2)
    monkeypatch.setattr(item_based, "BLOCK_ITEMS", 9)
    monkeypatch.setattr(linear, "BLOCK_ITEMS", 9)
    monkeypatch.setattr(sequence, "BLOCK_EVENTS", 150)
    monkeypatch.setattr(exam_lists, "USERS_OF_A_BLOCK", 11)
    done = []
    for kind in (Lists, NearestItems, NextItems, SolvedItems):

        def part(self, block, beat, plain=kind.part):
            done.append((type(self).name, block.start, block.stop))
            return plain(self, block, beat)

        monkeypatch.setattr(kind, "part", part)
    yield done
    sharing._kept.clear()
    teamwork._benches.clear()


def begun(name="item_bm25") -> TrainingRun:
    return TrainingRun.objects.create(algorithm=name)


def stored() -> list[str]:
    return default_storage.listdir(array_files.FOLDER)[1] if default_storage.exists(array_files.FOLDER) else []


def die_after(monkeypatch, n: int) -> None:
    """Kill the worker at its n-th block from now on, and no other one."""
    left = iter([*[False] * (n - 1), True])
    plain = teamwork._Bench._do

    def do(self, *given):
        if next(left, False):
            raise Killed
        plain(self, *given)

    monkeypatch.setattr(teamwork._Bench, "_do", do)


def let_it_look_dead() -> None:
    long_ago = timezone.now() - timedelta(minutes=6)
    for model in (TrainingRun, TrainingBlock):
        model.objects.filter(state="running").update(heartbeat_at=long_ago)


@pytest.mark.parametrize("name", DIVIDED)
def test_divided_or_not_the_figures_are_the_same_and_nothing_is_left_behind(tastes, large, monkeypatch, name):
    divided = services.train(begun(name).pk, services.help_with)
    assert divided.state == "done", divided.error
    assert len(large) > 2
    assert ("solved" in {kind for kind, _first, _last in large}) == (name == "slim_local")
    assert not TrainingBlock.objects.exists()
    assert stored() == []
    monkeypatch.setattr(teamwork, "LARGE_EVENTS", 10**9)
    sharing._kept.clear()
    alone = services.train(begun(name).pk)
    assert alone.metrics == divided.metrics | {"against": alone.metrics["against"], "others": alone.metrics["others"]}


def test_a_run_whose_worker_was_killed_goes_on_where_it_was(tastes, large, monkeypatch, make_event):
    die_after(monkeypatch, 7)
    run = begun()
    with pytest.raises(Killed):
        services.train(run.pk)
    before = list(large)
    assert len(before) == 6
    # The worker's memory is gone, and the shop is not what it was.
    sharing._kept.clear()
    make_event(tastes["shoppers"][0], product=tastes["products"][3], at=NOW - timedelta(days=50))
    let_it_look_dead()
    tasks.sweep_training()
    run.refresh_from_db()
    assert run.state == "done", run.error
    assert run.tries == 2
    assert run.n_events == {"purchase": 800}
    # Five blocks of products before the split, and five of all: the seventh was begun and is the only one done again.
    assert len(large) == 10
    assert (TrainingBlock.objects.count(), stored()) == (0, [])


def test_a_doubled_message_and_one_that_comes_too_late_change_nothing(tastes, large):
    def twice(run_id):
        tasks.train_blocks(run_id)
        tasks.train_blocks(run_id)

    run = begun()
    assert services.train(run.pk, twice).state == "done"
    tasks.train_blocks(run.pk)
    assert len(large) == 10


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_do_the_same_block(tastes, large):
    errors, threads = [], []

    def come(run_id):
        def work():
            try:
                services.help_with(run_id)
            except BaseException as error:
                errors.append(error)
            finally:
                connection.close()

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    run = services.train(begun().pk, come)
    for thread in threads:
        thread.join()
    assert (run.state, errors) == ("done", [])
    # Five blocks of products before the split, and five of all.
    assert len(large) == 10


def test_the_sweep_gives_a_dead_helpers_block_to_another_and_calls_for_more(tastes, large, monkeypatch):
    def helper(_run_id):
        block = TrainingBlock.objects.first()
        if block.state == "queued":
            TrainingBlock.objects.filter(pk=block.pk).update(state="running", tries=1)
            let_it_look_dead()

    assert services.train(begun().pk, helper).state == "done"
    die_after(monkeypatch, 1)
    run = begun()
    with pytest.raises(Killed):
        services.train(run.pk)
    assert services.runs_to_help() == [run.pk]


def test_a_block_that_fails_three_times_ends_the_run_and_leaves_nothing(tastes, large, monkeypatch):
    monkeypatch.setattr(NearestItems, "part", lambda *_: 1 / 0)
    run = services.train(begun().pk)
    assert run.state == "failed"
    assert "failed 3 times" in run.error
    assert (TrainingBlock.objects.count(), stored()) == (0, [])


def cut_short(name: str) -> None:
    """Leave of a file what a full disk or a killed worker would."""
    with open(default_storage.path(name), "r+b") as file:
        file.truncate(100)


def test_a_half_written_result_is_computed_again_and_without_the_shared_file_nobody_helps(tastes, large, monkeypatch):
    plain, looked = teamwork.Team._results, []

    def results(self, materials):
        looked.append(materials)
        assert len(looked) < 9
        if len(looked) == 1:
            cut_short(TrainingBlock.objects.exclude(result="").first().result)
        return plain(self, materials)

    def without_the_file(run_id):
        materials = TrainingBlock.objects.first().materials
        arrays = array_files.read(materials)
        cut_short(materials)
        services.help_with(run_id)
        assert array_files.write(str(run.uuid), arrays) == materials
        assert array_files.read(materials).keys() == arrays.keys()

    monkeypatch.setattr(teamwork.Team, "_results", results)
    run = begun()
    assert services.train(run.pk, without_the_file).state == "done"
    assert len(large) == 11
    assert stored() == []


def test_who_goes_on_with_other_data_leaves_no_file_of_the_first(tastes, large, monkeypatch, make_event):
    die_after(monkeypatch, 1)
    run = begun()
    with pytest.raises(Killed):
        services.train(run.pk)
    # What was read is damaged, and the shop is not what it was.
    sharing._kept.clear()
    run.refresh_from_db()
    cut_short(run.reading)
    make_event(tastes["shoppers"][0], product=tastes["products"][3], at=NOW - timedelta(days=50))
    let_it_look_dead()
    tasks.sweep_training()
    run.refresh_from_db()
    assert (run.state, run.n_events) == ("done", {"purchase": 801})
    assert (TrainingBlock.objects.count(), stored()) == (0, [])


def test_workers_of_one_request_read_a_large_shop_once(tastes, large, train):
    services.request_training()
    first, second = services.waiting_runs()
    services.train(first)
    assert [name[:8] for name in stored()] == ["reading-"]
    sharing._kept.clear()
    tastes["shoppers"][0].delete()
    assert services.train(second).n_events == {"purchase": 800}
    assert stored() == []


def test_the_page_says_how_many_blocks_are_done(tastes, large, monkeypatch):
    die_after(monkeypatch, 3)
    with pytest.raises(Killed):
        services.train(begun().pk)
    assert boards.progress()["running"][0]["blocks"] == "2 of 5 blocks done"
