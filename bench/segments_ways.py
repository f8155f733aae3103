"""What bench.segments does in processes of their own: fill a shop, and ask it."""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Max

from behaviour.models import Event, Product, Shopper
from segments import counting, rules, sampling
from segments.estimate import estimate, estimates
from segments.models import Prediction, PredictionRun
from segments.profiles import refresh_profiles

PATIENT_SECONDS = 120
COUNTRIES = ("United Kingdom", "Germany", "France", "Spain")


def fill(_options: dict[str, int]) -> dict[str, Any]:
    """Give the shop profiles, chances drawn at random instead of predictions, and the sample."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE behaviour_shopper SET country = CASE id % 20 WHEN 0 THEN 'France' WHEN 1 THEN 'Spain'"
            " WHEN 2 THEN 'Germany' ELSE country END"
        )
        _predict(cursor)
    refreshed = refresh_profiles(everybody=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    drawing = time.perf_counter()
    sampling.draw()
    return {"sample_seconds": time.perf_counter() - drawing, "profile_seconds": refreshed.seconds}


def _predict(cursor: Any) -> None:
    run = PredictionRun.objects.create(as_of=datetime.now().astimezone())
    chance = "random()" if connection.vendor == "postgresql" else "(abs(random()) % 100000) / 100000.0"
    values = {"shopper_id": "id", "run_id": str(run.pk), "churn_chance": chance, "order_chance": chance,
              "next_category": "''", "reasons": "'[]'"}  # fmt: skip
    needed = [one for one in Prediction._meta.concrete_fields if not one.null]
    named = ", ".join(one.column for one in needed)
    filled = ", ".join(values.get(one.column, "0") for one in needed)
    cursor.execute(f"INSERT INTO segments_prediction ({named}) SELECT {filled} FROM behaviour_shopper")


# ---------- the questions


def measure(options: dict[str, int]) -> dict[str, Any]:
    """Ask each question as an estimate, exactly, and by hand; then estimate random segments."""
    now = Event.objects.aggregate(at=Max("at"))["at"]
    categories = Product.objects.exclude(category="").values_list("category").annotate(n=Count("pk")).order_by("-n")
    five, seven = (name for name, _n in categories[:2])
    asked = []
    for name, narrow, rule, sql in questions(now, five, seven):
        found = estimate(rule, now)
        exact = lambda rule=rule: counting.number(rule, now, seconds=PATIENT_SECONDS)  # noqa: E731
        by_hand = lambda sql=sql: _one(sql)  # noqa: E731
        asked.append(
            {
                "name": name, "narrow": narrow, "low": found.low, "high": found.high, "count": exact(),
                "by_hand": by_hand(),
                "estimate_ms": _median(lambda rule=rule: estimate(rule, now), options["repeats"]),
                "exact_ms": _median(exact, options["repeats"]), "by_hand_ms": _median(by_hand, options["repeats"]),
            }
        )  # fmt: skip
    return {"questions": asked, **held(options["random"], now, [name for name, _n in categories])}


def questions(now: datetime, five: str, seven: str) -> list[tuple[str, bool, dict[str, Any], str]]:
    """Return (name, whether it is narrow, rule, SQL by hand) of part 7 of the measurements, and one of six parts."""
    since = {n: f"'{now - timedelta(days=n):%Y-%m-%d %H:%M:%S.%f}{_zone()}'" for n in (30, 90, 180, 365)}
    leaving: dict[str, Any] = {"field": "churn_chance", "op": ">", "value": 0.5}
    french = {"field": "country", "op": "=", "value": "France"}
    bought = {n: {"did": "purchase", "within": {"days": n}} for n in (90, 365)}
    twice = bought[90] | {"times": {"op": ">=", "n": 2}, "where": {"category": [five]}}
    opened = {"did": "email_open", "within": {"days": 30}}
    looked = {"did": "view", "times": {"op": ">=", "n": 3}, "within": {"days": 30}, "where": {"category": [five]}}
    lapsed = {"not": {"field": "days_since_last_event", "op": "<", "value": 180}}
    likely = "SELECT shopper_id FROM segments_prediction WHERE churn_chance > 0.5"
    twice_sql = _grouped("purchase", since[90], five, "count(DISTINCT order_ref) >= 2")
    looked_sql = _grouped("view", since[30], five, "count(*) >= 3")
    opened_sql, ordered_sql = (_once(kind, since[n]) for kind, n in (("email_open", 30), ("purchase", 90)))
    seven_sql = _grouped("purchase", since[365], seven, "count(*) >= 1")
    return [
        ("C1 likely to leave", False, leaving, f"SELECT count(*) FROM ({likely}) x"),
        ("C2 country, likely to leave, bought in 90 d", False, {"all": [french, leaving, bought[90]]},
         _count(f"s.country = 'France' AND s.id IN ({likely}) AND {ordered_sql}")),
        ("C3 bought a category twice in 90 d", True, twice, f"SELECT count(*) FROM ({twice_sql}) x"),
        ("C4 bought in 365 d", False, bought[365], _count(_once("purchase", since[365]))),
        ("C5 C3, opened in 30 d, likely to leave", True, {"all": [twice, opened, leaving]},
         _count(f"s.id IN ({twice_sql}) AND {opened_sql} AND s.id IN ({likely})")),
        ("C6 viewed 3 times, bought another", True,
         {"all": [looked, bought[365] | {"where": {"category": [seven]}}]},
         _count(f"s.id IN ({looked_sql}) AND s.id IN ({seven_sql})")),
        ("C7 viewed 3 times in 30 d, not bought in 90 d", True, {"all": [looked, {"not": bought[90]}]},
         _count(f"s.id IN ({looked_sql}) AND NOT {ordered_sql}")),
        ("C8 no event in 180 d", False, lapsed,
         _count(f"NOT EXISTS (SELECT 1 FROM behaviour_event e WHERE e.shopper_id = s.id AND e.at > {since[180]})")),
        ("C9 five conditions and an exclusion", False,
         {"all": [leaving, twice, opened, {"any": [looked, french]}, bought[365], {"not": bought[90] | {
             "where": {"category": [seven]}}}]},
         _count(f"s.id IN ({likely}) AND s.id IN ({twice_sql}) AND {opened_sql} AND (s.id IN ({looked_sql}) OR"
                f" s.country = 'France') AND {_once('purchase', since[365])} AND NOT EXISTS (SELECT 1 FROM"
                f" behaviour_event e JOIN behaviour_product p ON p.id = e.product_id WHERE e.shopper_id = s.id AND"
                f" e.kind = 'purchase' AND e.at >= {since[90]} AND p.category = '{seven}')")),
    ]  # fmt: skip


def _grouped(kind: str, since: str, category: str, having: str) -> str:
    """Group the events of a kind and category; on SQLite in words that let it use its best index."""
    sqlite = connection.vendor == "sqlite"
    traded = " AND e.kind IN ('purchase', 'refund')" if sqlite and kind == "purchase" else ""
    return (
        "SELECT e.shopper_id FROM behaviour_event e JOIN behaviour_product p ON p.id = e.product_id"
        f" WHERE e.kind = '{kind}'{traded} AND e.at >= {since} AND p.category = '{category}'"
        f" GROUP BY {'+' if sqlite else ''}e.shopper_id HAVING {having}"
    )


def _once(kind: str, since: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM behaviour_event e WHERE e.shopper_id = s.id AND e.kind = '{kind}' AND e.at >= {since})"
    )


def _count(where: str) -> str:
    return f"SELECT count(*) FROM behaviour_shopper s WHERE {where}"


def _zone() -> str:
    return "+00" if connection.vendor == "postgresql" else ""


def _one(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def _median(act: Callable[[], object], repeats: int) -> float:
    times = []
    for _round in range(repeats):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def held(n: int, now: datetime, categories: list[str]) -> dict[str, int]:
    """Return in how many of so many random segments the interval of the estimate holds."""
    rng = random.Random(5)
    asked = {str(number): random_rule(rng, categories) for number in range(n)}
    right = 0
    for name, found in (estimates(asked, now) if asked else {}).items():
        right += found.low <= rules.matching(asked[name], now).order_by().count() <= found.high
    return {"random": n, "held": right, "shoppers": Shopper.objects.count()}


def random_rule(rng: random.Random, categories: list[str]) -> dict[str, Any]:
    """Return a random rule of one to three parts."""
    parts: list[dict[str, Any]] = [
        {"field": "churn_chance", "op": rng.choice(["<", ">"]), "value": round(rng.random(), 2)},
        {"field": "country", "op": "in", "value": rng.sample(COUNTRIES, rng.randint(1, 2))},
        {"field": "n_orders", "op": ">=", "value": rng.randint(1, 8)},
        {"field": "days_since_last_order", "op": "<", "value": rng.randint(5, 300)},
        {"did": rng.choice(["view", "purchase"]), "within": {"days": rng.randint(5, 90)},
         "where": {"category": rng.sample(categories, rng.randint(1, 5))}},
    ]  # fmt: skip
    chosen = [{"not": one} if rng.random() < 0.2 else one for one in rng.sample(parts, rng.randint(1, 3))]
    return {rng.choice(["all", "any"]): chosen}


WAYS = {"fill": fill, "measure": measure}


def main() -> None:
    """Go one way and print what came out as the last line: WAY OPTIONS."""
    way, options = sys.argv[1:]
    print(json.dumps(WAYS[way](json.loads(options))), flush=True)


if __name__ == "__main__":
    main()
