"""The model card: empty, filled, after a failure; every chart is a table too."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from segments import prediction_pages, predictions
from segments.core.features import GROUPS
from segments.models import PredictionRun, PredictionTrack
from tests.segments.conftest import NOW
from tests.segments.test_predictions import crowd  # noqa: F401 a fixture


def page(client: Any) -> str:
    answer = client.get(reverse("segments:predictions"))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_shop_without_predictions_reads_when_they_come(client_for: Any, marketer: Any) -> None:
    assert "No predictions yet" in page(client_for(marketer))


def test_a_stranger_reads_nothing(client: Any, db: None) -> None:
    assert client.get(reverse("segments:predictions")).status_code == 302


def test_the_card_says_what_serves_and_how_far_off_it_is(crowd: Any, client_for: Any, manager: Any) -> None:  # noqa: F811
    crowd(150)
    run = predictions.predict(NOW)
    text = page(client_for(manager))
    for words in ("Order rhythm", "Same as last time", "Number of orders", "Next category", "Track record", "Serves"):
        assert words in text
    card = prediction_pages.card(run)
    assert len(card["stats"]) == 4
    assert {chart.id for chart in card["charts"]} == {"calibration", "calibration-churn", "held-back", "drivers"}
    for chart in card["charts"]:
        assert chart.rows
        assert all(len(row) == len(chart.columns) for row in chart.rows)


def test_the_card_says_whether_a_year_could_be_tried(crowd: Any, client_for: Any, manager: Any) -> None:  # noqa: F811
    crowd(60)
    predictions.predict(NOW)
    assert "The next 365 days can&#x27;t be tried yet" in page(client_for(manager))
    crowd(150, days=800, seed=1)
    run = predictions.predict(NOW)
    text = page(client_for(manager))
    assert "can&#x27;t be tried yet" not in text
    year = run.metrics["year"]
    assert f"{round(year['orders_happened']):,} and " in text
    assert "The day of the next order is not tried by itself" in text


def test_a_thin_shop_reads_why_nothing_was_tried(crowd: Any, client_for: Any, manager: Any) -> None:  # noqa: F811
    crowd(2)
    predictions.predict(NOW)
    PredictionRun.objects.update(metrics={"expected": {}, "targets": {}, "coverage": {}, "window": 7})
    text = page(client_for(manager))
    assert "too few" in text


def test_a_failure_and_a_running_one_are_told(crowd: Any, client_for: Any, manager: Any) -> None:  # noqa: F811
    crowd(30)
    predictions.predict(NOW)
    run = PredictionRun.objects.create(as_of=NOW, state="failed", error="ValueError: no memory", finished_at=NOW)
    assert "no memory" in page(client_for(manager))
    PredictionRun.objects.filter(pk=run.pk).update(state="running", claimed_at=timezone.now())
    assert "New predictions are being made" in page(client_for(manager))


@pytest.mark.parametrize("target", ["orders_30d", "spend_365d", "order_chance", "churn_chance", "gone_chance"])
def test_the_track_record_says_whether_it_held(db: None, target: str) -> None:
    run = PredictionRun.objects.create(as_of=NOW, state="done")
    rows = [PredictionTrack(
        run=run, target=target, predicted=1000, predicted_low=900, predicted_high=1200, happened=happened,
        due_at=NOW + timedelta(days=30),
    ) for happened in (1000, 1300)]  # fmt: skip
    PredictionTrack.objects.bulk_create(rows)
    held = [row.inside for row in prediction_pages.track_record()]
    assert held == [True, False]


def test_every_reason_has_a_name() -> None:
    assert set(prediction_pages.REASONS) == set(GROUPS)
