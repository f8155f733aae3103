"""Predictions end to end: what is written, what serves when a run fails, who may run."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from behaviour.models import Event, Product, Shopper
from mailai.errors import StateError
from segments import order_reads, predictions, tasks
from segments.core import forecast
from segments.models import Prediction, PredictionRun, PredictionTrack
from tests.segments.conftest import NOW


@pytest.fixture
def crowd(db: None) -> Any:
    """Make shoppers who order at rates of their own over so many days, in two categories."""

    def make(n: int, *, days: int = 200, seed: int = 0) -> list[int]:
        rng = np.random.default_rng(seed)
        mugs, lamps = (
            Product.objects.create(sku=f"{name}{seed}", name=name, category=name) for name in ("Mugs", "Lamps")
        )
        shoppers = Shopper.objects.bulk_create(
            Shopper(external_id=uuid4().hex, pseudonym=f"S-{seed}-{number:06d}") for number in range(n)
        )
        events = []
        for number, shopper in enumerate(shoppers):
            start = rng.uniform(1, days)
            ago = [start, *(start * rng.random(rng.poisson(start * rng.gamma(0.6, 1 / 40))))]
            events += [
                Event(
                    shopper=shopper, kind="purchase", at=NOW - timedelta(days=float(one)),
                    order_ref=f"{number}-{place}",
                    amount=round(float(rng.gamma(4, 8)) + 1, 2), product=mugs if number % 2 else lamps,
                    dedupe_key=uuid4(),
                )
                for place, one in enumerate(ago)
            ]  # fmt: skip
        Event.objects.bulk_create(events)
        return [shopper.pk for shopper in shoppers]

    return make


def everything() -> list[dict[str, Any]]:
    rows = list(Prediction.objects.order_by("pk").values())
    for row in rows:
        del row["run_id"]
    return rows


def holds(row: Prediction) -> Iterator[bool]:
    """Say what must be true of every prediction."""
    spans = ("30d", "90d", "365d")
    counted = [f"{what}_{span}" for what in ("orders", "spend") for span in spans]
    for name in (*counted, "order_chance", "churn_chance", "gone_chance"):
        low, value, high = (getattr(row, name + end) for end in ("_low", "", "_high"))
        yield 0 <= low <= value + 1e-4
        yield value <= high + 1e-4
    yield row.order_chance_high <= 1
    yield max(row.churn_chance_high, row.gone_chance_high) <= 1
    yield row.gone_chance <= row.churn_chance + 1e-4
    yield 1 - row.gone_chance <= row.orders_365d + 2e-4
    yield row.order_chance <= row.orders_30d + 1e-4 <= row.orders_90d + 2e-4 <= row.orders_365d + 3e-4
    yield row.order_chance <= 1 - row.churn_chance + 1e-4
    yield min(row.value_percentile, row.order_percentile, row.churn_percentile) >= 0
    yield max(row.value_percentile, row.order_percentile, row.churn_percentile) <= 99
    yield len(row.reasons) <= 4


def test_everybody_with_an_order_is_predicted_and_nobody_else(crowd: Any, make_shopper: Any, make_event: Any) -> None:
    buyers = crowd(120)
    looker = make_shopper()
    make_event(looker, "view", at=NOW - timedelta(days=1))
    run = predictions.predict(NOW)
    assert run.state == "done"
    assert set(Prediction.objects.values_list("pk", flat=True)) == set(buyers)
    assert run.n_shoppers == 120
    rows = list(Prediction.objects.all())
    assert all(all(holds(row)) for row in rows)
    assert {row.next_category for row in rows} == {"Mugs", "Lamps"}
    assert all(row.next_order_on is None or row.next_order_on >= NOW.date() for row in rows)
    assert {reason["code"] for row in rows for reason in row.reasons} <= set(forecast.REASONS)


def test_run_twice_says_the_same(crowd: Any) -> None:
    crowd(80)
    predictions.predict(NOW)
    first = everything()
    predictions.predict(NOW)
    assert everything() == first
    assert PredictionRun.objects.filter(state="done").count() == 2


def test_nothing_after_the_moment_is_looked_at(crowd: Any, make_event: Any) -> None:
    buyers = crowd(80)
    predictions.predict(NOW)
    first = everything()
    make_event(Shopper.objects.get(pk=buyers[0]), at=NOW + timedelta(days=3), order_ref="later", amount=500)
    predictions.predict(NOW)
    assert everything() == first


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_shop_with_next_to_nothing_gets_wide_ranges_and_no_error(crowd: Any, n: int) -> None:
    if n:
        crowd(n)
    run = predictions.predict(NOW)
    assert (run.state, run.n_shoppers) == ("done", n)
    assert all(all(holds(row)) for row in Prediction.objects.all())


def test_two_hundred_orders_are_enough_for_a_back_test(crowd: Any) -> None:
    crowd(140, days=150)
    run = predictions.predict(NOW)
    assert 150 < run.n_orders < 600
    assert run.metrics["targets"]["orders"]["bgnbd"]["low"] <= run.metrics["targets"]["orders"]["bgnbd"]["error"]
    assert 0.5 < run.metrics["coverage"]["orders"] <= 1
    assert len(run.metrics["calibration"]) == 10


def test_shoppers_who_are_all_alike_get_the_same(make_shopper: Any, buy: Any) -> None:
    for _number in range(30):
        shopper = make_shopper()
        buy(shopper, 60, 20)
        buy(shopper, 20, 20)
    predictions.predict(NOW)
    rows = everything()
    for row in rows:
        del row["shopper_id"]
    assert all(row == rows[0] for row in rows)
    assert rows[0]["value_percentile"] == 0


def test_a_failed_run_leaves_the_last_one_serving(crowd: Any, monkeypatch: Any) -> None:
    crowd(40)
    good = predictions.predict(NOW)
    before = everything()

    def broken(*_args: Any, **_options: Any) -> None:
        raise ValueError("no memory left")

    monkeypatch.setattr("segments.prediction_store.publish", broken)
    with pytest.raises(ValueError, match="memory"):
        predictions.predict(NOW + timedelta(days=1))
    assert everything() == before
    assert predictions.latest() == good
    failed = PredictionRun.objects.get(state="failed")
    assert failed.error == "ValueError: no memory left"
    # The task lets the shop rest after a failure.
    assert not predictions.is_due(timezone.now() + timedelta(hours=1))


def test_one_process_works_and_a_dead_one_is_replaced(crowd: Any) -> None:
    crowd(10)
    other = PredictionRun.objects.create(as_of=NOW, claimed_at=timezone.now())
    with pytest.raises(StateError):
        predictions.predict(NOW)
    PredictionRun.objects.filter(pk=other.pk).update(claimed_at=timezone.now() - timedelta(hours=1))
    assert predictions.predict(NOW).state == "done"
    other.refresh_from_db()
    assert other.state == "failed"


def test_the_task_works_once_a_day(make_shopper: Any, make_event: Any) -> None:
    tasks.predict()
    assert not PredictionRun.objects.exists()
    make_event(make_shopper(), at=timezone.now() - timedelta(days=2), amount=10)
    tasks.predict()
    tasks.predict()
    assert PredictionRun.objects.count() == 1
    PredictionRun.objects.update(as_of=timezone.now() - timedelta(days=1, hours=1))
    tasks.predict()
    assert PredictionRun.objects.count() == 2


def test_an_erased_shopper_loses_her_prediction(crowd: Any) -> None:
    gone = crowd(5)[0]
    predictions.predict(NOW)
    Shopper.objects.get(pk=gone).delete()
    assert Prediction.objects.count() == 4


def test_refunds_lower_the_spending(crowd: Any, make_event: Any) -> None:
    buyers = crowd(40)
    predictions.predict(NOW)
    before = sum(Prediction.objects.values_list("spend_365d", flat=True))
    for pk in buyers:
        make_event(Shopper.objects.get(pk=pk), "refund", at=NOW - timedelta(days=1), amount=20)
    predictions.predict(NOW)
    assert sum(Prediction.objects.values_list("spend_365d", flat=True)) < before * 0.9


def test_what_was_said_stands_beside_what_happened(crowd: Any, make_event: Any) -> None:
    buyers = crowd(30)
    predictions.predict(NOW)
    assert PredictionTrack.objects.count() == 9
    for pk in buyers[:3]:
        make_event(Shopper.objects.get(pk=pk), at=NOW + timedelta(days=5), order_ref=f"n{pk}", amount=10)
    newcomer = Shopper.objects.create(external_id="new", pseudonym="S-NEW")
    make_event(newcomer, at=NOW + timedelta(days=5), order_ref="x", amount=99)
    predictions.predict(NOW + timedelta(days=31))
    happened = dict(PredictionTrack.objects.exclude(happened=None).values_list("target", "happened"))
    assert happened == {"orders_30d": 3, "spend_30d": 30, "order_chance": 3}


def test_lines_without_a_reference_are_one_order_a_day(make_shopper: Any, buy: Any) -> None:
    bob = make_shopper()
    buy(bob, 5.0, 10)
    buy(bob, 5.1, 7)
    buy(bob, 3.0, 1)
    book = order_reads.read_book(NOW)
    assert book.money.tolist() == [17, 1]
    assert book.shoppers.tolist() == [bob.pk]


def test_the_command_answers_in_json(crowd: Any) -> None:
    crowd(20)
    out = StringIO()
    call_command("predict", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["shoppers"] == 20
    assert set(answer["chosen"]) == {"orders", "spend", "chance", "churn", "category"}


@pytest.mark.parametrize("n_orders", [0, 1])
def test_nothing_is_locked_however_thin_the_data(make_shopper: Any, make_event: Any, n_orders: int) -> None:
    shopper = make_shopper()
    for _number in range(n_orders):
        make_event(shopper, at=NOW - timedelta(days=20), order_ref="o", amount=40)
    run = predictions.predict(NOW)
    assert (run.state, run.n_shoppers, run.metrics["year"]) == ("done", n_orders, {})
    for row in Prediction.objects.all():
        assert all(holds(row))
        # One order says little: the chance to leave may be nearly anything.
        assert row.churn_chance_high - row.churn_chance_low > 0.3
