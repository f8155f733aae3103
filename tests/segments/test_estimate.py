"""The first answer: an estimate from a fixed sample whose interval holds; then the exact count, or the last one."""

import random
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction

from behaviour.models import Event, Shop, Shopper
from segments import builder, counting, rules, sampling
from segments.core.intervals import hits_range
from segments.estimate import estimate, estimates
from segments.models import Prediction, PredictionRun, Profile, Sample, ShopperList
from tests.segments.conftest import NOW
from tests.segments.test_rules import OTHERS

N, SAMPLED = 4000, 1000


@pytest.fixture
def crowd(make_product: Any) -> None:
    """A few thousand shoppers of whom every second orders."""
    rng = random.Random(7)
    mugs, run = make_product(category="Mugs"), PredictionRun.objects.create(as_of=NOW)
    people = Shopper.objects.bulk_create(
        Shopper(external_id=str(n), country=rng.choice(["France", "Spain", "Italy"])) for n in range(N)
    )
    Profile.objects.bulk_create(Profile(shopper=one, n_orders=int(rng.expovariate(0.5))) for one in people)
    chances = OTHERS | {"churn_chance": 0.0}
    Prediction.objects.bulk_create(
        Prediction(shopper=one, run=run, **chances | {"churn_chance": rng.random()}) for one in people
    )
    Event.objects.bulk_create(
        Event(
            shopper=one, kind=rng.choice(["view", "purchase"]), product=mugs, dedupe_key=uuid4(),
            at=NOW - timedelta(days=rng.random() * 60),
        )
        for one in people for _turn in range(rng.randrange(4))
    )  # fmt: skip
    # As the database does by itself in a shop: without figures PostgreSQL takes a table for a handful of rows.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def random_rules(n: int) -> list[dict[str, Any]]:
    rng = random.Random(11)
    found = []
    for _turn in range(n):
        did = {
            "did": rng.choice(["view", "purchase"]), "within": {"days": rng.randint(1, 60)},
            "times": {"op": rng.choice([">=", "="]), "n": rng.randint(1, 2)}, "where": {"category": ["Mugs"]},
        }  # fmt: skip
        chance = {"field": "churn_chance", "op": rng.choice(["<", ">"]), "value": round(rng.random(), 2)}
        living = {"field": "country", "op": "in", "value": rng.sample(["France", "Spain", "Italy"], rng.randint(1, 2))}
        found.append({rng.choice(["all", "any"]): rng.sample([did, chance, living, {"not": did}], rng.randint(1, 3))})
    return found


def test_the_interval_holds_in_at_least_95_of_100_random_segments(crowd: None) -> None:
    sampling.draw(size=SAMPLED)
    asked = {str(number): rule for number, rule in enumerate(random_rules(100))}
    found = estimates(asked, NOW)
    true = {name: rules.matching(rule, NOW).count() for name, rule in asked.items()}
    assert sum(found[name].low <= true[name] <= found[name].high for name in asked) >= 95
    assert not any(one.exact for one in found.values())
    # Not by being useless: a half is known to a tenth of it.
    assert all(one.high - one.low < N * 0.08 for one in found.values())


def test_every_condition_can_be_asked_of_the_sample(crowd: None) -> None:
    members = ShopperList.objects.create(name="Fair", source="uploaded")
    asked: list[dict[str, Any]] = [
        {"mail": mail, "times": {"op": ">=", "n": n}} for mail in ("got", "ignored") for n in (1, 2)
    ]
    asked += [{"not": one} for one in asked]
    asked += [
        {"field": name, "op": "known"} for name, one in rules.FIELDS.items() if one.kind not in ("choice", "bought")
    ]
    asked += [
        {"field": "bought_category", "op": "=", "value": "Mugs"}, {"anniversary": "sign_up"},
        {"list": str(members.uuid)},
        {"field": "marketing", "op": "=", "value": "given"},
        {"sequence": {"first": {"did": "view"}, "then": {"did": "purchase"}, "happened": False, "days": 3}},
        {"did": "purchase", "where": {"product": ["x"], "amount": {"op": ">", "value": 1}, "country": ["France"]}},
    ]  # fmt: skip
    sampling.draw(size=SAMPLED)
    assert len(estimates({str(number): rule for number, rule in enumerate(asked)}, NOW)) == len(asked)
    everybody = estimate({"all": []}, NOW)
    assert (everybody.count, everybody.low <= N <= everybody.high) == (N, True)
    assert estimate({"not": {"all": []}}, NOW).count == 0


def test_a_small_shop_is_counted_exactly(make_shopper: Any) -> None:
    make_shopper(country="France")
    rule = {"field": "country", "op": "=", "value": "France"}
    assert estimate(rule).exact
    sampling.draw()
    assert (estimate(rule).count, estimate(rule).exact) == (1, True)
    assert counting.first(rule).state == "exact"
    assert estimate({"not": {"all": []}}).count == 0


def test_the_same_shoppers_are_drawn_and_who_was_removed_goes_at_once(crowd: None) -> None:
    assert sampling.keep_fresh(NOW)
    sampling.draw(NOW, size=SAMPLED)
    first = members()
    sampling.draw(NOW, size=SAMPLED)
    assert members() == first
    assert len(first) == SAMPLED
    assert not sampling.keep_fresh(NOW + timedelta(hours=9))
    shop = Shop.current()
    shop.n_removals += 1
    shop.save()
    assert sampling.keep_fresh(NOW)
    assert Sample.objects.get().n_sampled == 0
    assert "sample_behaviour_event" not in connection.introspection.table_names()


def members() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM sample_behaviour_shopper")
        return {pk for (pk,) in cursor.fetchall()}


def test_a_rough_estimate_is_still_counting_a_good_one_is_shown(crowd: None) -> None:
    sampling.draw(size=SAMPLED)
    few = {"field": "churn_chance", "op": ">", "value": 0.99}
    assert (counting.first(few, NOW).state, counting.first({"not": few}, NOW).state) == ("counting", "estimate")
    counted = counting.exact(few, NOW)
    assert counted.state == "exact"
    assert counted.reach is not None
    assert counted.count == counted.reach.count == rules.matching(few).count()


def test_a_change_asks_only_of_what_changed(crowd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sampling.draw(size=SAMPLED)
    asked: list[dict[str, Any]] = []

    def listening(parts: Any) -> Any:
        asked.append(dict(parts))
        return estimates(parts)

    monkeypatch.setattr("segments.builder.counting.estimates", listening)
    orders: dict[str, Any] = {"field": "n_orders", "op": ">=", "value": 2}

    def counts(country: str) -> dict[str, Any]:
        rule = {"all": [orders, {"field": "country", "op": "=", "value": country}]}
        return builder.counts_of(builder.from_rule(rules.validate(rule)), exact=False)

    first, second = counts("France"), counts("Spain")
    assert [len(one) for one in asked] == [2, 1]
    assert second.keys() == first.keys()
    same, other = sorted(first)
    assert second[same] == first[same]
    assert second[other].about
    sampling.draw(NOW + timedelta(hours=2), size=SAMPLED)
    counts("Spain")
    assert len(asked[-1]) == 2, "another sample is asked anew"


def test_when_the_database_is_late_the_last_count_is_shown_with_its_time(crowd: None, monkeypatch: Any) -> None:
    rule = {"field": "churn_chance", "op": ">", "value": 0.5}
    before = counting.exact(rule, NOW)

    def late(*_args: Any) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr("segments.rules.matching", late)
    old = counting.exact(rule, NOW + timedelta(hours=1))
    assert (old.state, old.count, old.at) == ("old", before.count, NOW)
    other = {"field": "churn_chance", "op": ">", "value": 0.4}
    assert counting.exact(other, NOW).state == "failed"
    sampling.draw(size=SAMPLED)
    assert counting.exact(other, NOW).state == "estimate"


def test_a_statement_is_stopped_and_the_connection_goes_on(crowd: None) -> None:
    started = time.perf_counter()
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
    )
    limit = counting.time_limit(0.2)
    with pytest.raises(counting.OutOfTimeError), transaction.atomic(), limit, connection.cursor() as cursor:
        cursor.execute(endless)
    assert time.perf_counter() - started < 5
    assert Shopper.objects.count() == N


def test_intervals_are_known_at_their_ends() -> None:
    assert hits_range(5, 10, 10) == (5, 5)
    low, high = hits_range(0, 1000, 100_000)
    assert (low, 500 < high < 900) == (0, True)
    assert hits_range(1000, 1000, 100_000)[1] == 100_000
    low, high = hits_range(500, 1000, 1_000_000)
    assert (round(low, -3), round(high, -3)) == (459_000, 541_000)
    with pytest.raises(ValueError, match="must hold"):
        hits_range(2, 1, 10)
