"""Trainings that were asked for together, and what they learn from."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from behaviour.models import Event, Product, Shopper
from recommender import services, tasks
from recommender.core.algorithms import ALGORITHMS, AUTOMATIC, COMPOSITES
from recommender.models import Champion, TrainingRun
from tests.recommender.conftest import NOW


def train_waiting() -> list[TrainingRun]:
    return [services.train(run_id) for run_id in services.waiting_runs()]


def readings(captured: CaptureQueriesContext) -> int:
    """Count the queries that bring a row for each event."""
    return sum('"behaviour_event"."product_id" AS' in one["sql"] for one in captured)


def test_runs_of_one_request_read_the_shop_once_and_the_next_request_reads_it_anew(tastes, make_event):
    services.request_training()
    with CaptureQueriesContext(connection) as together:
        first = train_waiting()
    assert [run.state for run in first] == ["done", "done"]
    assert readings(together) == 1
    make_event(tastes["shoppers"][0], "cart", product=tastes["products"][3], at=NOW)
    services.request_training()
    with CaptureQueriesContext(connection) as again:
        second = train_waiting()
    assert readings(again) == 1
    assert {run.n_events["cart"] for run in second} == {1}


def test_what_waits_learns_what_happened_before_the_newer_request(tastes, make_event):
    services.request_training()
    services.train(services.waiting_runs()[0])
    make_event(tastes["shoppers"][0], "cart", product=tastes["products"][3], at=NOW)
    services.request_training("user_based")
    (run,) = train_waiting()
    assert run.n_events == {"purchase": 800, "cart": 1}


def test_one_task_trains_all_that_was_asked_for_together_and_nothing_else(tastes):
    other = TrainingRun.objects.create(algorithm="trending", created_at=NOW - timedelta(days=1))
    first = services.request_training("popular")
    TrainingRun.objects.create(algorithm="item_bm25", created_at=first.created_at)
    TrainingRun.objects.filter(pk=other.pk).update(created_at=NOW - timedelta(days=1))
    tasks.train(first.pk)
    assert dict(TrainingRun.objects.values_list("algorithm", "state")) == {
        "popular": "done", "item_bm25": "done", "trending": "queued",
    }  # fmt: skip


def test_a_model_that_fails_takes_no_other_with_it(tastes):
    """The live one is of an algorithm that this version does not know, and one that waits is too."""
    gone = TrainingRun.objects.create(algorithm="gone", state="done")
    Champion.objects.create(run=gone)
    asked = services.request_training()
    TrainingRun.objects.create(algorithm="gone", created_at=asked.created_at)
    states = {run.algorithm: run.state for run in train_waiting()}
    assert states == {"popular": "done", "user_based": "done", "gone": "failed"}


def test_a_night_trains_what_is_cheap_and_the_live_algorithm(tastes, monkeypatch):
    monkeypatch.setattr(services, "AUTOMATIC", AUTOMATIC)
    Champion.objects.create(run=TrainingRun.objects.create(algorithm="als", state="done"))
    tasks.services.request_training()
    queued = list(TrainingRun.objects.filter(state="queued").order_by("id").values_list("algorithm", flat=True))
    assert queued == [*AUTOMATIC, "als"]
    assert queued[0] == "popular"
    services.request_training("all")
    assert set(TrainingRun.objects.filter(state="queued").values_list("algorithm", flat=True)) == {
        *ALGORITHMS,
        *COMPOSITES,
    }


def test_a_model_of_models_is_trained_from_the_database_and_serves(tastes, train):
    (run,) = train("blend")
    assert run.state == "done", run.error
    shopper = tastes["shoppers"][0].pk
    assert len(services.top_products([shopper], 3, run=run)[shopper]) == 3


def test_content_reads_names_and_finds_what_nobody_bought(tastes, train, make_product, make_shopper, make_event):
    lamp = make_product(
        name="Brass reading lamp", category="Light", image="a.png", attributes={"style": ["old", "warm"]}
    )
    fresh = make_product(name="Brass floor lamp", category="Light", image="a.png", attributes={"style": "warm"})
    shopper = make_shopper()
    make_event(shopper, product=lamp, at=NOW - timedelta(days=2))
    (run,) = train("content")
    assert run.n_products == len(tastes["products"]) + 2
    assert services.top_products([shopper.pk], 1, run=run)[shopper.pk][0].product_id == fresh.pk


def test_stars_are_learnt_from_and_their_errors_told(tastes, train, make_event):
    """Even shoppers give five stars to the first half of the products and one to the others, odd ones the opposite."""
    for number, shopper in enumerate(tastes["shoppers"][:30]):
        for step in range(6):
            place = (number * 7 + step * 5) % 40
            stars = 5 if (place < 20) == (number % 2 == 0) else 1
            at = NOW - timedelta(days=90 - 15 * step)
            make_event(shopper, "rating", product=tastes["products"][place], amount=stars, at=at)
    regression, popular = train("rating_regression", "popular")
    assert regression.n_events["rating"] == 180
    stars = regression.metrics["stars"]
    assert stars["n"] > 0
    assert 0 < stars["mae"] <= stars["rmse"] < 2.5
    assert round(stars["rmse"] ** 2, 2) == round(stars["mse"], 2)
    assert "stars" not in popular.metrics


def test_a_run_says_whom_it_serves_worse_and_what_it_shows(tastes, train, make_event):
    tested = [shopper.pk for shopper in tastes["shoppers"]]
    for shopper in tested:
        bought = set(Event.objects.filter(shopper=shopper).values_list("product", flat=True))
        fresh = next(product for product in tastes["products"] if product.pk not in bought)
        make_event(Shopper(pk=shopper), product=fresh, at=NOW - timedelta(days=1))
    Shopper.objects.filter(pk__in=tested[:40]).update(country="France")
    Shopper.objects.filter(pk__in=tested[40:]).update(country="Japan")
    (run,) = train("user_based")
    countries = {row["group"]: row["shoppers"] for row in run.metrics["groups"] if row["by"] == "country"}
    assert set(countries) == {"France", "Japan"}
    assert sum(countries.values()) == run.metrics["n_test_shoppers"]
    assert [row["part"] for row in run.metrics["bias"]] == ["head", "middle", "tail"]
    assert abs(sum(row["exposure"] for row in run.metrics["bias"]) - 1) < 1e-3


def test_models_are_judged_on_what_is_new_to_a_shopper_as_emails_show_it(train, make_shopper, make_product, make_event):
    """Everybody orders her one product again: nothing new is ordered, so nobody can be tested for an email."""
    products = [make_product() for _ in range(4)]
    for number in range(8):
        shopper = make_shopper()
        for day in (60, 50, 40, 2):
            make_event(shopper, product=products[number % 4], at=timezone.now() - timedelta(days=day))
            make_event(shopper, "view", product=products[(number + 1) % 4], at=timezone.now() - timedelta(days=day))
    (run,) = train("bought_again")
    assert run.metrics["repeats"] is False
    assert run.metrics["n_test_shoppers"] == 0
    assert run.metrics["with_repeats"]["value"] > 0.5
    assert Product.objects.count() == run.n_products
