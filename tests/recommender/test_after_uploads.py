"""A training that somebody wished for when a file was imported."""

from typing import Any

import pytest

from behaviour.models import Upload
from recommender import services
from recommender.models import TrainingRun

pytestmark = pytest.mark.django_db


def test_a_wish_is_fulfilled_once(make_shopper: Any, make_product: Any, make_event: Any) -> None:
    make_event(make_shopper("a@mail.example"), product=make_product())
    upload = Upload.objects.create(filename="a.csv", state=Upload.State.DONE, preview={"train": True})
    Upload.objects.create(filename="b.csv", state=Upload.State.IMPORTING, preview={"train": True})
    Upload.objects.create(filename="c.csv", state=Upload.State.DONE, preview={"train": False})
    services.request_wished_training()
    n_runs = TrainingRun.objects.count()
    assert n_runs
    upload.refresh_from_db()
    assert upload.preview == {"train": "asked"}
    TrainingRun.objects.update(state=TrainingRun.State.DONE)
    services.request_wished_training()
    assert TrainingRun.objects.count() == n_runs


def test_a_wish_waits_for_a_training_that_may_have_read_before(
    make_shopper: Any, make_product: Any, make_event: Any
) -> None:
    make_event(make_shopper("a@mail.example"), product=make_product())
    TrainingRun.objects.create(algorithm="popularity", state=TrainingRun.State.RUNNING)
    upload = Upload.objects.create(filename="a.csv", state=Upload.State.DONE, preview={"train": True})
    services.request_wished_training()
    upload.refresh_from_db()
    assert upload.preview == {"train": True}


def test_a_wish_without_anything_to_learn_from_is_no_error(db: None) -> None:
    upload = Upload.objects.create(filename="a.csv", state=Upload.State.DONE, preview={"train": True})
    services.request_wished_training()
    upload.refresh_from_db()
    assert upload.preview == {"train": "asked"}
