"""What workers stored in English, on the pages of a reader of Chinese."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone, translation

from recommender import said, services, tuning
from recommender.core.item_based import NearestItems
from recommender.models import TrainingRun, Tuning
from tests.recommender.test_blocks import large  # noqa: F401 a fixture
from tests.recommender.test_training import slow, train_all  # noqa: F401 a fixture

DEAD = {"state": "running", "tries": 3, "heartbeat_at": timezone.now() - timedelta(hours=1)}


@pytest.fixture
def chinese(client_for, manager, shop):
    """Open a page in Chinese."""
    client = client_for(manager)
    client.cookies["django_language"] = "zh-hans"
    return lambda name, *args: client.get(reverse(f"recommender:{name}", args=args)).content.decode()


def test_every_sentence_with_figures_is_told_again_with_them():
    for text in said.WITH_FIGURES:
        stored = text % {"n": 60.5, "needed": 30}
        assert said.said(stored) == stored
        with translation.override("zh-hans"):
            told = said.said(stored)
        assert told != stored
        assert "60.5" in told
        assert ("30" in told) == ("needed" in text)
    assert said.said("") == ""
    assert said.said("MemoryError: 3") == "MemoryError: 3"


def test_a_training_that_dead_workers_left(tastes, chinese):
    train_all()
    run = services.request_training("content")
    TrainingRun.objects.filter(pk=run.pk).update(**DEAD)
    services.sweep()
    page = chinese("models")
    assert "The worker stopped" not in page
    # In the history, and beside the health of the live model.
    assert page.count("3 次") == 2


def test_a_training_that_nobody_expected_to_fail(tastes, chinese, monkeypatch):
    train_all()
    with monkeypatch.context() as patched:
        patched.setattr("recommender.core.content.Content.fit", lambda *_, **__: 1 / 0)
        services.train(services.request_training("content").pk)
    assert "nobody expected" in TrainingRun.objects.first().error
    assert "nobody expected" not in chinese("models")


def test_a_part_of_a_training_that_failed(tastes, large, chinese, monkeypatch):  # noqa: F811
    train_all()
    monkeypatch.setattr(NearestItems, "part", lambda *_: 1 / 0)
    services.train(TrainingRun.objects.create(algorithm="item_bm25").pk)
    assert "failed 3 times" in TrainingRun.objects.first().error
    assert "failed 3 times" not in chinese("models")


def test_a_training_that_the_budget_did_not_reach(tastes, chinese, slow):  # noqa: F811
    call_command("train", "--budget", "60", "--json")
    assert "60.0 seconds" in TrainingRun.objects.first().error
    page = chinese("models")
    assert "60.0" in page
    assert "seconds was used up" not in page


def test_a_model_that_too_few_shoppers_tested(make_shopper, make_product, make_event, chinese):
    make_event(make_shopper(), product=make_product(), at=timezone.now() - timedelta(days=3))
    _popular, personal = train_all()
    assert "0 shoppers could be tested" in personal.reason
    assert "could be tested" not in chinese("models")


def test_a_tuning_that_ended_without_success(tastes, chinese):
    train_all()
    left = tuning.request_tuning("user_based", 60.0)
    Tuning.objects.filter(pk=left.pk).update(**DEAD)
    tuning.sweep()
    Tuning.objects.create(
        algorithm="ease", budget=9, state="failed", error=said.TOO_FEW_TO_TUNE % {"n": 7, "needed": 60}
    )
    pages = [chinese("models"), chinese("tuning", left.uuid)]
    assert not any("The worker stopped" in page or "could try settings" in page for page in pages)
    assert all("3 次" in page for page in pages)
