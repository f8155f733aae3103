"""Training, promotion, serving, through the doors."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from behaviour import consent
from behaviour.models import Event, Product, Shopper
from mailai.accounts.models import AuditEntry
from mailai.errors import ArtefactError, InputError, StateError
from recommender import artefacts, claimed, queries, services, tasks, training
from recommender.models import Champion, TrainingRun
from recommender.picks import LEVELS, Pick
from recommender.reasons import reason_texts, reasons_for

NOW = datetime.now(UTC).replace(microsecond=0)


def train_all():
    services.request_training()
    return [services.train(run_id) for run_id in services.waiting_runs()]


def test_both_algorithms_are_trained_and_the_better_one_serves(tastes):
    popular, personal = train_all()
    assert (popular.algorithm, personal.algorithm) == ("popular", "user_based")
    assert personal.state == "done"
    assert personal.metrics["ndcg"]["value"] > popular.metrics["ndcg"]["value"]
    assert personal.metrics["against"]["popular"]["low"] > 0
    assert personal.n_events == {"purchase": 800}
    assert (personal.n_shoppers, personal.n_products) == (80, 40)
    assert services.champion() == personal
    assert [champion.run for champion in Champion.objects.all()] == [personal, popular]


def test_one_that_does_not_beat_most_popular_is_refused(db, make_shopper, make_product, make_event):
    rng = np.random.default_rng(5)
    products = [make_product() for _ in range(30)]
    for _ in range(40):
        shopper = make_shopper()
        for day in range(60, 0, -6):
            make_event(shopper, at=NOW - timedelta(days=day), product=products[int(rng.integers(30))])
    popular, personal = train_all()
    assert services.champion() == popular
    assert personal.state == "done"
    assert personal.reason.startswith("Refused")


def test_with_few_shoppers_most_popular_serves(make_shopper, make_product, make_event):
    shopper, product = make_shopper(), make_product()
    make_event(shopper, product=product, at=NOW - timedelta(days=3))
    popular, personal = train_all()
    assert services.champion() == popular
    assert "0 shoppers could be tested" in personal.reason
    other = make_shopper()
    assert [pick.product_id for pick in services.top_products([other.pk], 3)[other.pk]] == [product.pk]


def test_newer_data_replaces_the_same_model(tastes):
    train_all()
    again = train_all()[1]
    assert services.champion() == again
    assert "newer data" in again.reason


def test_picks_are_of_her_taste_new_to_her_and_sellable(tastes):
    train_all()
    shoppers, products = tastes["shoppers"], tastes["products"]
    gone = products[0]
    Product.objects.filter(pk=gone.pk).update(stock=0)
    Product.objects.filter(pk=products[1].pk).update(active=False)
    Product.objects.filter(pk=products[2].pk).update(image="")
    picks = services.top_products([s.pk for s in shoppers], 5)
    shown = {pick.product_id for row in picks.values() for pick in row}
    assert not shown & {products[0].pk, products[1].pk, products[2].pk}
    for number, shopper in enumerate(shoppers):
        bought = set(Event.objects.filter(shopper=shopper).values_list("product_id", flat=True))
        row = picks[shopper.pk]
        assert len({pick.product_id for pick in row}) == len(row) == 5
        assert not bought & {pick.product_id for pick in row}
        taste = {p.pk for p in products[number % 4 * 10 : number % 4 * 10 + 10]}
        personal = [pick for pick in row if pick.level == "personal"]
        assert {pick.product_id for pick in personal} <= taste
        assert [pick.level for pick in row] == sorted((pick.level for pick in row), key=LEVELS.index)


def test_reasons_name_a_product_that_she_bought(tastes):
    train_all()
    shopper = tastes["shoppers"][0]
    pick = services.top_products([shopper.pk], 1)[shopper.pk][0]
    because = pick.because
    assert because["kind"] == "neighbours"
    named = because["products"][0]
    assert Event.objects.filter(shopper=shopper, product=named, kind="purchase").exists()
    both = Shopper.objects.filter(events__product=named).filter(events__product=pick.product_id).exclude(pk=shopper.pk)
    assert 0 < because["counts"][0] <= both.distinct().count()
    assert because["counts"][0] <= because["n"] <= because["of"]
    name = Product.objects.get(pk=named).name
    assert reason_texts([pick])[0] == f"Shoppers who bought {name}, like you, also bought it"
    assert Pick.from_json(json.loads(json.dumps(pick.to_json()))) == pick


def test_without_the_evidence_the_pick_ranks_lower(tastes):
    train_all()
    shopper = tastes["shoppers"][0]
    before = services.top_products([shopper.pk], 40)[shopper.pk]
    pick = before[0]
    for product in pick.because["products"]:
        Event.objects.filter(shopper=shopper, product=product).delete()
    after = services.top_products([shopper.pk], 40)[shopper.pk]
    left = [other.score for other in after if other.product_id == pick.product_id]
    assert not left or left[0] < pick.score


def test_newest_events_count_without_a_new_training(tastes, make_shopper, make_event):
    train_all()
    newcomer = make_shopper()
    assert {pick.level for pick in services.top_products([newcomer.pk], 3)[newcomer.pk]} == {"trending"}
    at = timezone.now()
    make_event(newcomer, product=tastes["products"][11], at=at)
    picks = services.top_products([newcomer.pk], 3)[newcomer.pk]
    assert picks[0].level == "personal"
    assert picks[0].product_id in {p.pk for p in tastes["products"][10:20]}
    # A decision sees nothing newer than itself.
    earlier = services.top_products([newcomer.pk], 3, at=at - timedelta(hours=1))[newcomer.pk]
    assert {pick.level for pick in earlier} == {"trending"}


def test_popular_reasons_count_true_buyers_of_the_last_30_days(tastes, make_shopper):
    train_all()
    newcomer = make_shopper()
    pick = services.top_products([newcomer.pk], 1)[newcomer.pk][0]
    since = timezone.now() - timedelta(days=30)
    n = Event.objects.filter(product=pick.product_id, at__gt=since).values("shopper").distinct().count()
    assert pick.because == {"kind": "trending", "n": n, "days": 30}
    popular = Pick(pick.product_id, 1.0, "popular", pick.because | {"kind": "popular"})
    assert reason_texts([popular]) == [f"Ordered by {n} shoppers in the last 30 days"]


def test_who_refused_personal_picks_gets_popular_ones(tastes):
    train_all()
    shopper = tastes["shoppers"][0]
    consent.withdraw([shopper.pk], purpose="profiling", source="test", at=timezone.now())
    assert {pick.level for pick in services.top_products([shopper.pk], 3)[shopper.pk]} == {"trending"}


def test_without_a_model_best_sellers_serve(tastes):
    shopper = tastes["shoppers"][0]
    picks = services.top_products([shopper.pk], 3)[shopper.pk]
    assert len(picks) == 3
    assert {pick.level for pick in picks} == {"popular"}
    assert services.top_products([], 3) == {}


def test_a_batch_needs_as_many_queries_as_one_shopper(tastes, django_assert_max_num_queries):
    train_all()
    ids = [shopper.pk for shopper in tastes["shoppers"]]
    services.top_products(ids[:1], 4)
    with django_assert_max_num_queries(12):
        services.top_products(ids, 4)
    because = {"kind": "neighbours", "n": 2, "products": [1], "counts": [2]}
    with django_assert_max_num_queries(1):
        reasons_for({shopper: [Pick(1, 1.0, "personal", because)] for shopper in ids})


@pytest.mark.parametrize("damage", [lambda content: content[:-10], lambda content: b"x" + content[1:], None])
def test_a_damaged_file_is_refused_and_the_last_good_model_serves(tastes, damage):
    first = train_all()[1]
    second = train_all()[1]
    path = default_storage.path(second.artefact)
    with open(path, "rb") as file:
        content = file.read()
    default_storage.delete(second.artefact)
    if damage:
        with open(path, "wb") as file:
            file.write(damage(content))
    with pytest.raises(ArtefactError):
        artefacts.load(second)
    shopper, at = tastes["shoppers"][0].pk, timezone.now()
    assert services.top_products([shopper], 3, at=at) == services.top_products([shopper], 3, at=at, run=first)


def test_a_later_training_counts_the_clicks_in_emails(tastes, make_event):
    train_all()
    make_event(tastes["shoppers"][0], "email_click", product=tastes["products"][3], at=NOW)
    assert train_all()[1].n_events == {"purchase": 800, "email_click": 1}


def test_a_task_run_twice_trains_once(tastes):
    run = services.request_training("popular")
    tasks.train(run.pk)
    run.refresh_from_db()
    finished = run.finished_at
    tasks.train(run.pk)
    run.refresh_from_db()
    assert run.finished_at == finished
    assert run.tries == 1
    assert Champion.objects.count() == 1


def test_asking_twice_queues_once(tastes):
    first, second = services.request_training(), services.request_training()
    assert first == second
    assert len(services.waiting_runs()) == 2
    assert AuditEntry.objects.filter(action="recommender.train").count() == 2


def test_a_dead_worker_is_replaced_and_after_three_tries_given_up(tastes):
    run = services.request_training("popular")
    old = timezone.now() - timedelta(minutes=10)
    for tries in (1, 2):
        TrainingRun.objects.filter(pk=run.pk).update(state="running", heartbeat_at=old, started_at=old, tries=tries)
        assert services.sweep() == [run.pk]
    TrainingRun.objects.filter(pk=run.pk).update(state="running", heartbeat_at=old, started_at=old, tries=3)
    assert services.sweep() == []
    run.refresh_from_db()
    assert run.state == "failed"
    assert "3 times" in run.error


def test_the_sweep_trains_what_was_queued_and_runs_twice(tastes):
    services.request_training("popular")
    tasks.sweep_training()
    tasks.sweep_training()
    assert TrainingRun.objects.get().state == "done"


def test_the_night_trains_only_when_something_happened(tastes, make_event):
    tasks.request_nightly_training()
    assert TrainingRun.objects.filter(state="done").count() == 2
    tasks.request_nightly_training()
    assert TrainingRun.objects.count() == 2
    make_event(tastes["shoppers"][0], product=tastes["products"][3], at=NOW)
    tasks.request_nightly_training()
    assert TrainingRun.objects.count() == 4


def test_a_crash_leaves_a_sentence_and_the_last_model(tastes, monkeypatch):
    good = train_all()[1]
    monkeypatch.setattr(artefacts, "save", lambda *_: 1 / 0)
    runs = train_all()
    assert {run.state for run in runs} == {"failed"}
    assert "goes on serving" in runs[0].error
    assert services.champion() == good


def test_a_person_may_choose_another_model(tastes, admin):
    popular, _personal = train_all()
    services.promote(popular, admin, "to compare")
    assert services.champion() == popular
    assert AuditEntry.objects.get(action="recommender.promote").reason == "to compare"
    with pytest.raises(StateError, match="live already"):
        services.promote(popular, admin, "")


def test_nothing_to_learn_from_is_said(db):
    with pytest.raises(StateError, match="Upload orders first"):
        services.request_training()
    with pytest.raises(InputError, match="There is no algorithm"):
        services.request_training("magic")
    assert services.request_nightly_training() == []


def test_the_train_command_answers_with_the_winner(tastes, capsys):
    call_command("train", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["algorithm"] == "user_based"
    assert answer["champion"] is True
    assert answer["metrics"]["ndcg"]["low"] < answer["metrics"]["ndcg"]["high"]


@pytest.fixture
def slow(monkeypatch):
    """Let a hundred seconds pass whenever the command looks at the clock."""
    seconds = count(step=100.0)
    monkeypatch.setattr("recommender.management.commands.train.time.monotonic", lambda: next(seconds))


def test_a_spent_budget_begins_no_further_model(tastes, capsys, slow):
    call_command("train", "--budget", "60", "--json")
    assert json.loads(capsys.readouterr().out)["algorithm"] == "popular"
    assert TrainingRun.objects.get(algorithm="user_based").state == "failed"


def test_the_train_command_puts_its_own_model_first_and_ends_nobody_elses(tastes, capsys, slow):
    services.request_training()
    services.request_training("item_bm25")
    call_command("train", "--algorithm", "content", "--budget", "60", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert TrainingRun.objects.get(uuid=answer["run"]).algorithm == answer["algorithm"] == "content"
    states = dict(TrainingRun.objects.values_list("algorithm", "state"))
    assert states == {"content": "done", "popular": "queued", "user_based": "queued", "item_bm25": "queued"}
    # What somebody asked for before waits on, though it was asked for again.
    call_command("train", "--budget", "60", "--json")
    assert TrainingRun.objects.get(algorithm="user_based").state == "queued"


def test_the_train_command_answers_about_its_own_model_and_names_the_one_that_failed(tastes, capsys, monkeypatch):
    services.request_training()
    call_command("train", "--algorithm", "content", "--json")
    assert json.loads(capsys.readouterr().out)["algorithm"] == "content"
    assert set(TrainingRun.objects.values_list("state", flat=True)) == {"done"}
    monkeypatch.setattr("recommender.core.content.Content.fit", lambda *_, **__: 1 / 0)
    with pytest.raises(SystemExit):
        call_command("train", "--algorithm", "content", "--json")
    assert json.loads(capsys.readouterr().out)["error"].startswith("Similar products: Training stopped")
    services.request_training("content")
    call_command("train", "--algorithm", "item_bm25", "--json")
    assert json.loads(capsys.readouterr().out)["algorithm"] == "item_bm25"


def test_the_demo_flag_follows_the_data(tastes, make_shopper):
    assert train_all()[0].demo is False
    make_shopper(demo=True)
    assert train_all()[0].demo is True
    assert queries.behaviour_is_demo()


def test_reasons_of_one_mail_name_different_products_where_they_can(make_product):
    first, second = make_product(name="Mug"), make_product(name="Bowl")
    because = {"kind": "neighbours", "n": 9, "of": 20, "products": [first.pk, second.pk], "counts": [5, 1]}
    alone = {"kind": "neighbours", "n": 3, "of": 20, "products": [first.pk], "counts": [0]}
    unseen = {"kind": "neighbours", "n": 0, "of": 20, "products": [], "counts": []}
    picks = [Pick(1, 1.0, "personal", why) for why in (because, because, because, alone, unseen)]
    assert reason_texts(picks, "en") == [
        "Shoppers who bought Mug, like you, also bought it",
        "A shopper who bought Bowl, like you, also bought it",
        "Shoppers who bought Mug, like you, also bought it",
        "3 shoppers with a taste like yours bought it",
        "Shoppers with a taste like yours looked at it",
    ]


def test_a_short_list_ends_with_new_products_and_claims_nothing_for_them(make_shopper, make_product, make_event):
    bought, fresh = make_product(), make_product()
    make_event(make_shopper(), product=bought, at=NOW - timedelta(days=1))
    train_all()
    newcomer = make_shopper()
    picks = services.top_products([newcomer.pk], 3)[newcomer.pk]
    assert [(pick.product_id, pick.level) for pick in picks] == [(bought.pk, "popular"), (fresh.pk, "newest")]
    assert reason_texts(picks, "en") == ["Ordered by 1 shopper in the last 30 days", "From our range"]


def test_a_heartbeat_that_the_database_refuses_stops_no_training(tastes, monkeypatch):
    def locked(self, **changes):
        if not changes:
            raise OperationalError("database is locked")
        return update(self, **changes)

    update = training.Work.update
    monkeypatch.setattr(training.Work, "update", locked)
    monkeypatch.setattr(claimed, "BEAT_SECONDS", -1.0)
    assert {run.state for run in train_all()} == {"done"}
