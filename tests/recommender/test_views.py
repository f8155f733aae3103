"""The recommender page as each person sees it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from recommender import services, setting_words, tasks, tuning, tuning_pages
from recommender.core.algorithms import ALGORITHMS, COMPOSITES
from recommender.models import Champion, TrainingRun, Tuning
from tests.recommender.test_training import train_all


def test_an_empty_shop_is_told_what_to_do(client_for, manager, shop):
    page = client_for(manager).get(reverse("recommender:models")).content.decode()
    assert "Upload orders first" in page
    assert "Train now" not in page


def test_before_the_first_training_the_button_stands_ready(client_for, manager, shop, tastes):
    page = client_for(manager).get(reverse("recommender:models")).content.decode()
    assert "There are orders to learn from" in page
    assert "Train now" in page


def test_the_page_shows_the_finding_the_models_and_what_they_learnt_from(client_for, manager, shop, tastes):
    _popular, personal = train_all()
    page = client_for(manager).get(reverse("recommender:models")).content.decode()
    assert f"Shoppers like you v{personal.pk} picks the products, and beats most popular" in page
    assert "Live" in page
    assert "Baseline" in page
    assert "800" in page
    assert "The file of the live model is whole" in page


def test_a_stored_verdict_is_read_in_the_language_of_the_reader(client_for, manager, shop, tastes):
    train_all()
    client = client_for(manager)
    client.cookies["django_language"] = "zh-hans"
    page = client.get(reverse("recommender:models")).content.decode()
    assert "The first model: it serves" not in page


def test_a_marketer_reads_and_changes_nothing(client_for, marketer, shop, tastes):
    popular = train_all()[0]
    client = client_for(marketer)
    page = client.get(reverse("recommender:models")).content.decode()
    assert "Train now" not in page
    assert "use-" not in page
    assert client.post(reverse("recommender:train")).status_code == 403
    assert client.post(reverse("recommender:promote", args=[popular.uuid])).status_code == 403
    assert TrainingRun.objects.count() == 2


def test_a_stranger_sees_nothing(client_for, stranger, shop):
    for name in ("models", "progress", "try"):
        assert client_for(stranger).get(reverse(f"recommender:{name}")).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_train_now_trains_and_says_so(client_for, manager, shop, tastes):
    client = client_for(manager)
    answer = client.post(reverse("recommender:train"), follow=True)
    assert "Training has begun" in answer.content.decode()
    assert services.champion().algorithm == "user_based"
    assert {run.requested_by for run in TrainingRun.objects.all()} == {manager}


def test_train_now_without_data_gives_a_sentence(client_for, manager, shop):
    answer = client_for(manager).post(reverse("recommender:train"), follow=True)
    assert "Upload orders first" in answer.content.decode()


def test_a_manager_puts_another_model_live_and_the_better_one_is_offered(client_for, manager, shop, tastes):
    popular, personal = train_all()
    client = client_for(manager)
    answer = client.post(reverse("recommender:promote", args=[popular.uuid]), follow=True)
    page = answer.content.decode()
    assert services.champion() == popular
    assert f"Shoppers like you v{personal.pk} is better than the live model. Use it?" in page
    assert "Challenger" in page
    assert Champion.objects.first().by == manager


def test_a_model_without_its_file_can_not_go_live(client_for, manager, shop, tastes):
    popular = train_all()[0]
    TrainingRun.objects.filter(pk=popular.pk).update(artefact="")
    answer = client_for(manager).post(reverse("recommender:promote", args=[popular.uuid]), follow=True)
    assert "cleared away" in answer.content.decode()
    assert services.champion() != popular


def test_progress_polls_while_something_trains_and_then_loads_the_page_again(client_for, manager, shop, tastes):
    client = client_for(manager)
    services.request_training()
    running = client.get(reverse("recommender:progress"))
    assert "every 2s" in running.content.decode()
    assert "HX-Refresh" not in running
    TrainingRun.objects.update(state="failed")
    ended = client.get(reverse("recommender:progress"))
    assert "every 2s" not in ended.content.decode()
    assert ended["HX-Refresh"] == "true"


def test_try_it_compares_the_models_with_reasons(client_for, marketer, shop, tastes):
    train_all()
    shopper = tastes["shoppers"][3]
    client = client_for(marketer)
    page = client.get(reverse("recommender:try"), {"q": shopper.pseudonym}, headers={"HX-Request": "true"})
    text = page.content.decode()
    assert "<html" not in text
    assert shopper.pseudonym in text
    assert "like you, also bought it" in text
    assert "in the last 30 days" in text
    whole = client.get(reverse("recommender:try")).content.decode()
    assert "<html" in whole
    assert "like you, also bought it" in whole


def test_try_it_says_when_nobody_fits(client_for, marketer, shop, tastes):
    train_all()
    page = client_for(marketer).get(reverse("recommender:try"), {"q": "S-ZZZ<b>"}).content.decode()
    assert "No shopper has a pseudonym that begins with S-ZZZ&lt;b&gt;" in page


def test_the_history_costs_the_same_queries_however_long(client_for, manager, shop, tastes, django_assert_num_queries):
    train_all()
    client = client_for(manager)
    address = reverse("recommender:models")
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    old = datetime.now(UTC) - timedelta(days=1)
    TrainingRun.objects.bulk_create(
        [TrainingRun(algorithm="popular", state="failed", error="x", finished_at=old, requested_by=manager)] * 1
        + [TrainingRun(algorithm="popular", state="failed", error="x", finished_at=old) for _ in range(30)]
    )
    with django_assert_num_queries(len(few)):
        client.get(address)


def test_more_models_and_their_turns_cost_no_more_queries(client_for, manager, shop, tastes, django_assert_num_queries):
    popular, personal = train_all()
    client = client_for(manager)
    address = reverse("recommender:models")
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    done = {"state": "done", "metrics": personal.metrics, "data_to": personal.data_to, "split_at": personal.split_at}
    others = [TrainingRun.objects.create(algorithm=name, artefact="x", **done) for name in ("als", "ease", "content")]
    Champion.objects.bulk_create([Champion(run=run, by=manager) for run in [*others, popular, personal]])
    with django_assert_num_queries(len(few)):
        page = client.get(address).content.decode()
    assert "Linear model v" in page


def test_the_way_back_to_an_earlier_champion_is_one_button(client_for, manager, marketer, shop, tastes):
    old = train_all()[1]
    new = train_all()[1]
    assert services.champion() == new
    page = client_for(manager).get(reverse("recommender:models")).content.decode()
    assert f'data-mx-open="#use-{old.uuid}"' in page
    assert f'id="use-{old.uuid}"' in page
    assert f"Go back to Shoppers like you v{old.pk}" in page
    assert "by the rule" in page
    assert "Go back to" not in client_for(marketer).get(reverse("recommender:models")).content.decode()
    client_for(manager).post(reverse("recommender:promote", args=[old.uuid]))
    assert services.champion() == old
    assert f"chosen by {manager}" in client_for(manager).get(reverse("recommender:models")).content.decode()


def test_the_page_says_whom_the_live_model_serves_worse_and_what_popular_products_take(
    client_for, manager, shop, tastes
):
    personal = train_all()[1]
    group = {"by": "orders", "group": "new", "least": 1, "most": 1, "shoppers": 31, "ndcg": 0.1, "worse": True}
    group |= {"difference": -0.2, "difference_low": -0.3, "difference_high": -0.1}
    fine = group | {"group": "heavy", "most": 9, "worse": False, "difference_high": 0.1}
    personal.metrics |= {"groups": [group, fine]}
    head = next(row for row in personal.metrics["bias"] if row["part"] == "head")
    head |= {"exposure": 0.75, "purchases_after": 0.5}
    personal.save()
    page = client_for(manager).get(reverse("recommender:models")).content.decode()
    assert "Worse picks than the whole: New: one day with an order" in page
    assert "-0.200 against all shoppers, between -0.300 and -0.100" in page
    assert page.count("No sure difference") == 1
    assert "The most popular tenth takes 75.0% of the places, and has 50.0% of the orders" in page


def test_one_algorithm_or_all_of_them_can_be_asked_for(client_for, manager, shop, tastes):
    client = client_for(manager)
    client.post(reverse("recommender:train"), {"algorithm": "ease"})
    assert [run.algorithm for run in TrainingRun.objects.all()] == ["ease"]
    waiting = client.get(reverse("recommender:progress")).content.decode()
    assert "Linear model" in waiting
    client.post(reverse("recommender:train"), {"algorithm": "all"})
    assert TrainingRun.objects.count() == len({*ALGORITHMS, *COMPOSITES})
    answer = client.post(reverse("recommender:train"), {"algorithm": "magic"}, follow=True)
    assert "There is no algorithm magic" in answer.content.decode()


def test_any_trained_model_can_stand_beside_the_live_one(client_for, manager, shop, tastes, train):
    train_all()
    (bm25,) = train("item_bm25")
    shopper = tastes["shoppers"][3].pseudonym
    asked = {"q": shopper, "with": str(bm25.uuid)}
    page = client_for(manager).get(reverse("recommender:try"), asked, headers={"HX-Request": "true"}).content.decode()
    assert f'<div class="hd">Goes with what you like (BM25) v{bm25.pk}</div>' in page
    assert f'value="{bm25.uuid}" selected' in page


def test_errors_of_predicted_stars_stand_apart_from_the_rankings(client_for, manager, shop, tastes, train):
    train_all()
    client = client_for(manager)
    assert "Predicted stars" not in client.get(reverse("recommender:models")).content.decode()
    (run,) = train("rating_regression")
    run.metrics["stars"] = {"rmse": 0.912, "mse": 0.832, "mae": 0.701, "n": 1234}
    run.save()
    page = client.get(reverse("recommender:models")).content.decode()
    for figure in ("Predicted stars", "0.912", "0.832", "0.701", "1,234"):
        assert figure in page


def test_a_model_whose_newest_training_failed_is_named(client_for, manager, shop, tastes):
    train_all()
    TrainingRun.objects.create(algorithm="ease", state="failed", error="It is too large.")
    page = client_for(manager).get(reverse("recommender:models")).content.decode()
    assert "Linear model could not be trained: It is too large." in page


def page_of(client) -> str:
    return client.get(reverse("recommender:models")).content.decode()


def test_a_manager_tunes_and_the_next_training_says_what_it_used(client_for, manager, shop, tastes, monkeypatch):
    monkeypatch.setattr(tuning, "MOST_TRIALS", 6)
    train_all()
    client = client_for(manager)
    assert "Nothing was tuned yet" in page_of(client)
    client.post(reverse("recommender:tune"), {"algorithm": "user_based", "minutes": "3"})
    one = Tuning.objects.get()
    assert (one.budget, one.requested_by, one.state) == (180, manager, "queued")
    waiting = client.get(reverse("recommender:progress")).content.decode()
    assert "Tuning: Shoppers like you" in waiting
    assert "Train now" in page_of(client)
    tasks.tune(one.pk, 0)
    one.refresh_from_db()
    assert client.get(reverse("recommender:progress"), {"tunings": "1"})["HX-Refresh"] == "true"
    Tuning.objects.update(adopted=True, found={"number": 1, "value": 0.03, "low": 0.01, "high": 0.05})
    page = page_of(client)
    assert "Better than the defaults: +0.030, between +0.010 and +0.050" in page
    assert "Tuning found better settings after" in page
    assert f'id="tuning-{one.pk}"' in page
    assert "tuned settings" not in page
    train_all()
    assert page_of(client).count("tuned settings") == 2
    detail = client.get(reverse("recommender:tuning", args=[one.uuid])).content.decode()
    assert detail.count('<td class="num fw-bold">0.') == 6
    assert "The defaults</td>" in detail.replace(" </td>", "</td>")
    assert "Neighbours" in detail


def test_a_training_that_ends_while_something_is_tuned_loads_the_page_again(client_for, manager, shop, tastes):
    client = client_for(manager)
    services.request_training()
    tuning.request_tuning("user_based", 60.0)
    address = reverse("recommender:progress")
    assert "tunings=1&amp;training=1" in client.get(address).content.decode()
    assert "HX-Refresh" not in client.get(address, {"tunings": "1", "training": "1"})
    TrainingRun.objects.update(state="failed")
    assert "HX-Refresh" in client.get(address, {"tunings": "1", "training": "1"})
    assert "HX-Refresh" not in client.get(address, {"tunings": "1"})


@pytest.mark.parametrize("minutes", ["", "0", "-3", "1.5", "241", "٣", "9" * 400])
def test_minutes_that_make_no_sense_are_refused_in_words(client_for, manager, shop, tastes, minutes):
    asked = {"algorithm": "user_based", "minutes": minutes}
    answer = client_for(manager).post(reverse("recommender:tune"), asked, follow=True)
    assert "between 1 and 240 minutes" in answer.content.decode()
    assert not Tuning.objects.exists()


def test_who_may_not_train_may_not_tune_but_sees_what_was_found(client_for, marketer, stranger, shop, tastes):
    train_all()
    one = tuning.request_tuning("user_based", 60.0)
    for name, args in (("tune", []), ("end_tuning", [one.uuid])):
        assert client_for(marketer).post(reverse(f"recommender:{name}", args=args)).status_code == 403
    client = client_for(marketer)
    assert "tune-what" not in page_of(client)
    detail = client.get(reverse("recommender:tuning", args=[one.uuid])).content.decode()
    assert "Nothing was tried yet" in detail
    assert "End and judge" not in detail
    assert client_for(stranger).get(reverse("recommender:tuning", args=[one.uuid])).status_code == 403


def test_the_newest_tunings_are_listed_first_and_the_newest_with_tries_is_charted(db):
    searches = [Tuning.objects.create(algorithm="ease", budget=9, state="done") for _number in range(8)]
    for one in searches[:7]:
        for number in range(2):
            one.trials.create(number=number, ndcg=0.1, low=0.0, high=0.2)
    assert [row.tuning.pk for row in tuning_pages.listed()] == [one.pk for one in reversed(searches[2:])]
    assert tuning_pages.newest_chart()[0] == searches[6]


def test_a_manager_ends_a_tuning(client_for, manager, shop, tastes):
    one = tuning.request_tuning("user_based", 900.0)
    client = client_for(manager)
    address = reverse("recommender:tuning", args=[one.uuid])
    assert "End and judge" in client.get(address).content.decode()
    client.post(reverse("recommender:end_tuning", args=[one.uuid]))
    tasks.tune(one.pk, 0)
    one.refresh_from_db()
    assert (one.state, one.trials.count()) == ("done", 1)
    answer = client.post(reverse("recommender:end_tuning", args=[one.uuid]), follow=True)
    assert "ended already" in answer.content.decode()


def test_every_setting_has_a_name(db):
    for name, algorithm in ALGORITHMS.items():
        for setting in algorithm.space:
            assert setting_words.label(name, setting) != setting, (name, setting)


def test_settings_in_words_are_those_that_differ(db):
    told = setting_words.compared("user_based", {"k": 100, "half_life": 0.5, "shape": "best"})
    assert [(one["value"], one["default"]) for one in told] == [
        ("0.5", "0.2"), ("the strongest one counts", "add up, ever more slowly"),
    ]  # fmt: skip
    assert setting_words.in_short("user_based", {}) == "The defaults"
