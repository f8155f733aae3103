"""manage.py evaluate, through its door: the leaderboard on files, database untouched."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from mailai.errors import InputError
from recommender.core.algorithms import ALGORITHMS, COMPOSITES
from recommender.core.popular import MostPopular

N_TASTES = 3
METRICS = {
    "ndcg", "ndcg_low", "ndcg_high", "precision", "recall", "f1", "map", "hit_rate", "coverage", "novelty", "diversity",
    "fit_s", "recommend_s", "peak_mb",
}  # fmt: skip


class Broken(MostPopular):
    """Can't learn."""

    def _fit(self, interactions, catalogue, beat):
        raise ZeroDivisionError("no shelf")


class Curious(MostPopular):
    """Wants to know what it is asked for."""

    def __init__(self, seed: int, repeats: bool) -> None:
        super().__init__()
        Curious.told = (seed, repeats)


class Refused(MostPopular):
    """Says why it can't learn."""

    def _fit(self, interactions, catalogue, beat):
        raise InputError("This needs categories.")


class Rating(MostPopular):
    """Predicts three stars whoever asks, and notes what it learnt from."""

    def _fit(self, interactions, catalogue, beat):
        super()._fit(interactions, catalogue, beat)
        Rating.learnt = sorted(set(interactions.stars.tolist()))
        Rating.texts = catalogue.texts

    def predict(self, users, items):
        return np.where(items >= 0, 3.0, np.nan)


@pytest.fixture
def only(monkeypatch):
    """Let only these algorithms exist beside the baseline."""

    def only(**algorithms):
        for kind in (ALGORITHMS, COMPOSITES):
            for name in set(kind) - {"popular"}:
                monkeypatch.delitem(kind, name)
        for name, algorithm in algorithms.items():
            monkeypatch.setitem(ALGORITHMS, name, algorithm)

    return only


@pytest.fixture
def run(capsys):
    def run(*args, refused=False):
        with pytest.raises(SystemExit) if refused else nullcontext():
            call_command("evaluate", *args, "--json")
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def shop(tmp_path):
    """Ninety shoppers of three tastes in two countries order one product of theirs a month."""
    rng, lines = np.random.default_rng(4), ["user_id,item_id,event,timestamp,price,country"]
    for shopper in range(90):
        for order in range(10):
            product = shopper % N_TASTES * 8 + rng.integers(8)
            country = "France" if shopper < 45 else "Spain"
            lines.append(
                f"s{shopper},p{product},purchase,2026-{order + 1:02d}-{shopper % 27 + 1:02d},{product},{country}"
            )
    path = tmp_path / "events.csv"
    path.write_text("\n".join(lines))
    return str(path)


def test_every_algorithm_has_a_row_and_the_best_stands_first(run, shop):
    answer = run(shop)
    rows = answer["algorithms"]
    assert {row["name"] for row in rows} == {*ALGORITHMS, *COMPOSITES}
    scored = [row for row in rows if "error" not in row]
    assert scored == rows
    assert all(row.keys() >= METRICS for row in rows)
    assert [row["ndcg"] for row in rows] == sorted((row["ndcg"] for row in rows), reverse=True)
    assert answer["split_at"].startswith("2026-08")
    assert answer["shoppers"] == answer["test_shoppers"] == 90
    assert all(row["ndcg_low"] <= row["ndcg"] <= row["ndcg_high"] for row in rows)


def test_each_is_compared_with_the_best_single_model_shopper_by_shopper(run, shop):
    answer = run(shop)
    rows = {row["name"]: row for row in answer["algorithms"]}
    single = answer["best_single"]
    assert single == next(row["name"] for row in answer["algorithms"] if row["name"] in ALGORITHMS)
    assert {name for name, row in rows.items() if "over_single" not in row} == {single}
    for name in rows.keys() - {single}:
        row = rows[name]
        assert row["over_single"] == pytest.approx(row["ndcg"] - rows[single]["ndcg"], abs=2e-5)
        assert row["over_single_low"] <= row["over_single"] <= row["over_single_high"]
    # Paired: of the same shoppers, so narrower than the ranges of the two side by side.
    row = rows["user_pearson"]
    apart = row["ndcg_high"] - row["ndcg_low"] + rows[single]["ndcg_high"] - rows[single]["ndcg_low"]
    assert row["over_single_high"] - row["over_single_low"] < apart


def test_people_get_a_table(capsys, shop, only):
    only(broken=Broken)
    call_command("evaluate", shop)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("split 2026-08")
    assert "ndcg_low" in lines[1]
    assert [line.split()[0] for line in lines[2:4]] == ["popular", "broken"]
    assert float(lines[2].split()[2]) <= float(lines[2].split()[1])


def test_groups_and_bias_of_the_best_are_told(run, shop, only):
    only(user_based=ALGORITHMS["user_based"])
    answer = run(shop)
    assert (
        answer["algorithms"][0]["name"] == answer["groups"]["algorithm"] == answer["bias"]["algorithm"] == "user_based"
    )
    told = {(row["by"], row["group"]): row for row in answer["groups"]["rows"]}
    assert {("country", "France"), ("country", "Spain")} <= told.keys()
    assert told["country", "France"]["shoppers"] == 45
    parts = answer["bias"]["rows"]
    assert [row["part"] for row in parts] == ["head", "middle", "tail"]
    for share in ("purchases", "purchases_after", "exposure"):
        assert sum(row[share] for row in parts) == pytest.approx(1, abs=1e-4)


def test_repeats_are_told_both_ways(run, shop, only):
    only()
    keep, drop = (run(shop, "--repeats", mode)["algorithms"][0] for mode in ("keep", "drop"))
    assert (keep["ndcg"], keep["ndcg_other"]) == (drop["ndcg_other"], drop["ndcg"])
    assert keep["ndcg"] != drop["ndcg"]


def test_a_model_that_wants_to_know_is_told_the_seed_and_what_becomes_of_repeats(run, shop, only):
    only(curious=Curious)
    run(shop, "--seed", "7", "--repeats", "drop")
    assert Curious.told == (7, False)


def test_equal_seeds_give_equal_figures(run, shop, only):
    only(user_based=ALGORITHMS["user_based"])
    first, second, other = (run(shop, "--seed", seed)["algorithms"][0] for seed in ("3", "3", "4"))
    measured = {"fit_s", "recommend_s", "peak_mb"}
    assert {k: v for k, v in first.items() if k not in measured} == {
        k: v for k, v in second.items() if k not in measured
    }
    assert first["ndcg_low"] != other["ndcg_low"]


def test_windows_follow_each_other_and_give_one_leaderboard(run, shop, only):
    only()
    answer = run(shop, "--rolls", "3", "--test-share", "0.1")
    assert len(answer["splits"]) == 3
    assert answer["splits"] == sorted(answer["splits"])
    assert answer["split_at"] == answer["splits"][-1]
    assert answer["test_shoppers"] == 90
    assert "nothing to learn from" in run(shop, "--rolls", "5", refused=True)["error"]
    assert "nothing to learn from" in run(shop, "--rolls", "0", refused=True)["error"]


def test_one_that_fails_says_why_and_the_others_go_on(run, shop, only):
    only(broken=Broken, refused=Refused)
    answer = run(shop)
    assert [row["name"] for row in answer["algorithms"]] == ["popular", "broken", "refused"]
    assert "ZeroDivisionError: no shelf" in answer["algorithms"][1]["error"]
    assert answer["algorithms"][2] == {"name": "refused", "error": "This needs categories."}
    assert answer["groups"]["algorithm"] == "popular"


def test_a_file_of_ratings_gives_the_error_of_predicted_stars(run, tmp_path, only):
    only(rating=Rating)
    events, items = tmp_path / "events.csv", tmp_path / "items.csv"
    rows = ["user_id,item_id,event,timestamp,rating"]
    for shopper in range(6):
        for day, stars in enumerate((5, 4, 2, 4, 1, 5, 4, 5, 1, 4)):
            rows.append(f"s{shopper},p{(shopper + day) % 12},rating,2026-01-{day + 1:02d},{stars}")
    events.write_text("\n".join(rows))
    items.write_text("item_id,name\np3,Mug\n")
    answer = run(str(events), "--items", str(items))
    rated = next(row for row in answer["algorithms"] if row["name"] == "rating")
    # After the split, day 8.2 of 10: stars 1 and 4, against three.
    assert rated["mse"] == pytest.approx((4 + 1) / 2)
    assert rated["rmse"] == pytest.approx(2.5**0.5, abs=1e-5)
    assert rated["mae"] == pytest.approx(1.5)
    assert Rating.learnt == [1, 2, 4, 5]
    assert Rating.texts.count("Mug") == 1
    assert "rmse" not in next(row for row in answer["algorithms"] if row["name"] == "popular")


def test_a_file_without_a_clock_holds_the_last_order_back(run, tmp_path, only):
    only()
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,event,position\n" + "\n".join(f"a,p{n},purchase,{n}" for n in range(5)))
    answer = run(str(path))
    assert answer["split_at"] is None
    assert answer["test_shoppers"] == 1
    assert run(str(path), "--rolls", "3")["test_shoppers"] == 1


def test_a_seed_that_no_generator_takes_is_wrong_usage(shop):
    with pytest.raises(CommandError, match="no whole number"):
        call_command("evaluate", shop, "--seed", "-1")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no file"),
        ("", "can't be read"),
        ("a,b\n1,2\n", "no column user_id"),
        ("user_id,item_id,event,timestamp\na,x,search,2026-01-01\n", "no event that says"),
        ("user_id,item_id,event,timestamp\na,x,purchase,soon\n", "neither a time"),
        ("user_id,item_id,event,timestamp\na,x,purchase,2026-01-01\n", "No shopper has two products"),
    ],
)
def test_a_file_that_can_not_be_scored_gives_a_sentence(run, tmp_path, content, sentence):
    path = tmp_path / "events.csv"
    if content is not None:
        path.write_text(content)
    assert sentence in run(str(path), refused=True)["error"]
