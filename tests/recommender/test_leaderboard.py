"""The leaderboard of models and the history of trainings, on the recommender page."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from recommender.models import TrainingRun
from tests.recommender.test_training import train_all
from tests.recommender.test_views import page_of


def test_each_model_stands_beside_the_live_one_with_its_paired_range(client_for, manager, shop, tastes):
    popular, personal = train_all()
    told = personal.metrics["against"]["popular"]
    page = page_of(client_for(manager))
    # Most popular was examined before the live model was there: what the live one stored counts, turned round.
    assert f"−{told['high']:.3f} to −{told['low']:.3f}" in page
    assert "against Shoppers like you for the same shoppers" in page
    # Without having met it nothing is claimed.
    TrainingRun.objects.filter(pk=popular.pk).update(created_at=datetime.now(UTC) - timedelta(days=9))
    assert f"−{told['high']:.3f} to" not in page_of(client_for(manager))


def test_where_a_model_beats_the_live_one_is_named(client_for, manager, shop, tastes, train):
    train_all()
    (bm25,) = train("item_bm25")
    group = {"by": "orders", "group": "new", "least": 1, "most": 1, "shoppers": 40}
    bm25.metrics["group_differences"] = [
        group | {"over": {"user_based": [0.041, 0.012, 0.07], "popular": [0.3, 0.2, 0.4]}},
        group | {"group": "heavy", "most": 9, "over": {"user_based": [-0.2, -0.3, -0.1]}},
        group | {"by": "country", "group": "France", "over": {"popular": [0.3, 0.2, 0.4]}},
    ]
    bm25.save()
    page = page_of(client_for(manager))
    assert "Wins here:</span> New: one day with an order (+0.041)" in page
    assert "France" not in page
    assert "(−0.200)" not in page


def test_a_group_lost_by_the_live_model_is_won_by_who_was_examined_with_it(client_for, manager, shop, tastes):
    _popular, personal = train_all()
    group = {"by": "country", "group": "France", "least": None, "most": None, "shoppers": 40}
    personal.metrics["group_differences"] = [group | {"over": {"popular": [-0.05, -0.08, -0.02]}}]
    personal.save()
    assert "Wins here:</span> France (+0.050)" in page_of(client_for(manager))


def test_a_model_of_models_is_set_beside_the_best_single_one(client_for, manager, shop, tastes, train):
    train_all()
    (blend,) = train("blend")
    blend.metrics["against"]["user_based"] = {"value": 0.004, "low": 0.001, "high": 0.008}
    blend.save()
    assert "Best single model: +0.004 against Shoppers like you" in page_of(client_for(manager))


def test_the_history_of_trainings_is_charted_with_who_went_live(client_for, manager, shop, tastes):
    for _night in range(2):
        _popular, personal = train_all()
    page = page_of(client_for(manager))
    value = f"{personal.metrics['ndcg']['value']:.3f}"
    assert f"The newest training of Shoppers like you ranks at {value}, no different for sure from the {value}" in page
    figure = json.loads(page.split('id="training-history" type="application/json">')[1].split("</script>")[0])
    names = [trace.get("name") for trace in figure["data"]]
    assert names[-3:] == ["Most popular", "Shoppers like you", "Went live"]
    assert len(figure["data"][-2]["x"]) == 2
    assert figure["data"][-2]["y"][-1] == pytest.approx(personal.metrics["ndcg"]["value"])
    # The first most popular, and both of the better one.
    assert len(figure["data"][-1]["text"]) == 3
    assert f"Went live: Shoppers like you v{personal.pk}" in figure["data"][-1]["text"]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        # value, low, high of the training before; the newest one ranks at 0.30, 0.25 to 0.35.
        (None, "The first training of Shoppers like you ranks at 0.300"),
        ((0.36, 0.32, 0.40), "ranks at 0.300, no different for sure from the 0.360 before"),
        ((0.24, 0.20, 0.28), "ranks at 0.300, no different for sure from the 0.240 before"),
        (
            (0.42, 0.37, 0.47),
            "The newest training of Shoppers like you ranks at 0.300, after 0.420: look at what changed",
        ),
        ((0.20, 0.16, 0.24), "The newest training of Shoppers like you ranks at 0.300, better than the 0.200 before"),
    ],
)
def test_trainings_differ_only_where_their_ranges_lie_apart(client_for, manager, shop, tastes, before, said):
    train_all()
    if before:
        train_all()
    runs = TrainingRun.objects.filter(algorithm="user_based").order_by("-pk")
    for run, ends in zip(runs, [(0.30, 0.25, 0.35), before], strict=False):
        run.metrics["ndcg"] = dict(zip(("value", "low", "high"), ends, strict=True))
        run.save()
    page = page_of(client_for(manager))
    assert said in page
    assert "The live model ranks" not in page
