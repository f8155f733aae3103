"""Figures of a profile: examples worked out by hand, and random shops against plain Python."""

import itertools
import json
import math
import statistics
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from segments.core import affinity, attention, deeds, figures, hours, orders, prices

DAY = deeds.DAY
LONDON = "Europe/London"
TODAY = datetime(2026, 6, 15, tzinfo=ZoneInfo(LONDON))


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


WHEN = figures.Since(
    us(TODAY), *(us(TODAY - timedelta(days=days)) for days in (30, 90, 365)), zone=LONDON
)  # fmt: skip


def rows_of(*rows: dict[str, Any]) -> pl.DataFrame:
    packed = np.zeros(len(rows), dtype=deeds.PACKED)
    for place, row in enumerate(rows):
        given = {"quantity": 1, "cents": deeds.MISSING, "product": 0, "ref": 0, "shopper": 0, **row}
        given["kind"] = deeds.CODES[given["kind"]]
        for name, value in given.items():
            packed[name][place] = value
    return deeds.unpacked(packed)


# ---------- favourites


def lines(*rows: tuple[int, str, float, int]) -> pl.DataFrame:
    made = [(shopper, name, round(days * DAY), cents) for shopper, name, days, cents in rows]
    schema = {"shopper": pl.Int32, "name": pl.String, "at": pl.Int64, "cents": pl.Int64}
    return pl.DataFrame(made, schema=schema, orient="row")


def test_a_purchase_90_days_older_counts_half() -> None:
    # 10 against 5: two thirds and one third.
    best = affinity.favourites(lines((1, "Mugs", 190, 1000), (1, "Lamps", 100, 1000)))
    assert best.rows() == [(1, "Mugs", 6667), (1, "Lamps", 3333)]


def test_shares_do_not_depend_on_the_day() -> None:
    one = affinity.favourites(lines((1, "Mugs", 0, 10), (1, "Lamps", 33, 7), (2, "Mugs", 5, 3)))
    assert one.equals(affinity.favourites(lines((1, "Mugs", 1000, 10), (1, "Lamps", 1033, 7), (2, "Mugs", 1005, 3))))


def test_only_five_names_are_kept_and_equal_ones_stand_by_name() -> None:
    best = affinity.favourites(lines(*[(1, name, 0, 1) for name in "fbdcea"]))
    assert best["name"].to_list() == list("abcde")
    assert best["share"].to_list() == [1667] * 5


def test_lines_without_money_give_no_favourite() -> None:
    assert affinity.favourites(lines((1, "Mugs", 0, 0), (1, "Mugs", 0, -3))).is_empty()


def test_the_order_of_lines_changes_no_digit() -> None:
    rng = np.random.default_rng(5)
    made = lines(*[(int(rng.integers(3)), "abcdefgh"[rng.integers(8)], rng.random() * 3000, int(rng.integers(1, 10**7)))
                   for _ in range(500)])  # fmt: skip
    assert affinity.favourites(made).equals(affinity.favourites(made.reverse()))


# ---------- orders


def test_lines_become_orders_and_orders_become_figures() -> None:
    rows = [(0, 11, 1000), (5, 11, 500), (10, 12, 2000), (40, 13, 2500)]
    bought = deeds.purchases(
        rows_of(*({"kind": "purchase", "at": day * DAY, "ref": ref, "cents": cents} for day, ref, cents in rows))
    )
    made = orders.orders_of(bought, LONDON)
    assert made["cents"].to_list() == [1500, 2000, 2500]
    figures_of = orders.order_figures(made, since_30d=40 * DAY, since_90d=10 * DAY, since_365d=1).row(0, named=True)
    assert [figures_of[f"n_orders{name}"] for name in ("", "_30d", "_90d", "_365d")] == [3, 1, 2, 2]
    assert (figures_of["spent"], figures_of["spent_365d"], figures_of["basket"]) == (6000, 4500, 2000)
    # Gaps of 10 and 30 days: their median is 20.
    assert figures_of["order_gap_days"] == 20


def test_lines_without_a_reference_are_one_order_a_day_of_the_shop() -> None:
    # 23:30 and 0:30 UTC are the same day in summer in London, where it is 0:30 and 1:30.
    late, early = us(datetime(2026, 6, 1, 23, 30, tzinfo=UTC)), us(datetime(2026, 6, 2, 0, 30, tzinfo=UTC))
    bought = rows_of({"kind": "purchase", "at": late, "cents": 1}, {"kind": "purchase", "at": early, "cents": 2})
    assert len(orders.orders_of(deeds.purchases(bought), LONDON)) == 1
    assert len(orders.orders_of(deeds.purchases(bought), "UTC")) == 2


# ---------- prices


def test_prices_by_the_nearest_rank_every_piece_counting() -> None:
    # Nine pieces at 1.00 and one at 9.00: the 90th percentile is still 1.00; with one more at 9.00 it is not.
    line = {"kind": "purchase", "at": 1, "product": 7}
    nine, one = line | {"quantity": 9, "cents": 900}, line | {"quantity": 1, "cents": 900}
    usual = pl.DataFrame({"product": [7], "usual": [900]})
    found = prices.price_figures(prices.priced(deeds.purchases(rows_of(nine, one))), usual).row(0, named=True)
    assert (found["price_low"], found["price_median"], found["price_high"]) == (100, 100, 100)
    # Nine of ten pieces were far below the usual 9.00.
    assert found["discount_share"] == 0.9
    found = prices.price_figures(prices.priced(deeds.purchases(rows_of(nine, one, one))), usual).row(0, named=True)
    assert found["price_high"] == 900


def test_five_per_cent_below_is_a_discount_and_four_is_not() -> None:
    bought = rows_of(*({"kind": "purchase", "at": 1, "product": 7, "cents": cents} for cents in (950, 951)))
    usual = pl.DataFrame({"product": [7], "usual": [1000]})
    assert prices.price_figures(prices.priced(deeds.purchases(bought)), usual)["discount_share"].to_list() == [0.5]


def test_the_usual_price_is_the_lower_median_of_the_lines_however_they_are_counted() -> None:
    rng = np.random.default_rng(3)
    made = [{"kind": "purchase", "at": 1, "product": int(rng.integers(1, 6)), "cents": int(rng.integers(1, 30)) * 10,
             "quantity": 2} for _ in range(400)]  # fmt: skip
    expected = {
        product: statistics.median_low([row["cents"] // 2 for row in made if row["product"] == product])
        for product in range(1, 6)
    }
    parts = [prices.price_counts(prices.priced(deeds.purchases(rows_of(*part)))) for part in (made[:90], made[90:])]
    assert dict(prices.usual_prices(prices.added(parts)).rows()) == expected


def test_free_lines_and_lines_without_a_price_say_nothing() -> None:
    bought = rows_of({"kind": "purchase", "at": 1, "cents": 0}, {"kind": "purchase", "at": 1})
    assert prices.priced(deeds.purchases(bought)).is_empty()


# ---------- hours


def test_the_best_hour_is_by_her_own_clock_and_an_hour_counts_once() -> None:
    # Mondays at 20:xx in New York are Tuesdays at 0:xx UTC in summer.
    monday = datetime(2026, 6, 9, 0, 10, tzinfo=UTC)
    seen = [{"kind": "view", "at": us(monday - timedelta(weeks=week))} for week in range(4)]
    burst = [{"kind": "view", "at": us(datetime(2026, 6, 3, 15, minute, tzinfo=UTC))} for minute in range(1, 40)]
    people = pl.DataFrame({"shopper": [0], "zone": ["America/New_York"]}, schema_overrides={"shopper": pl.Int32})
    was_there = hours.moments(rows_of(*seen, *burst), people)
    assert sorted(was_there["hour"].to_list()) == [20, 20, 20, 20, 2 * 24 + 11]
    found = hours.hour_figures(was_there).row(0, named=True)
    assert (found["best_hour"], found["best_weekday"]) == (20, 0)
    # 4 at 20:00, half of it beside; 1 at another time: 9 * 0.25 = 2.25, half of it 1.1.
    assert found["hours"][18:23] == "05950"
    assert found["hours"][48 + 10 : 48 + 13] == "121"
    assert len(found["hours"]) == 168


def test_midnight_sharp_and_less_than_five_moments_say_nothing() -> None:
    days = [{"kind": "purchase", "at": us(datetime(2026, 1, day, tzinfo=UTC))} for day in range(1, 10)]
    people = pl.DataFrame({"shopper": [0], "zone": [LONDON]}, schema_overrides={"shopper": pl.Int32})
    assert hours.moments(rows_of(*days), people).is_empty()
    few = [{"kind": "view", "at": us(datetime(2026, 1, day, 9, 5, tzinfo=UTC))} for day in range(1, 5)]
    assert hours.hour_figures(hours.moments(rows_of(*few), people)).is_empty()


# ---------- mails


def mails(*rows: tuple[int, int]) -> pl.DataFrame:
    made = [(0, us(TODAY) - days * DAY, answered) for days, answered in rows]
    return pl.DataFrame(made, schema={"shopper": pl.Int32, "at": pl.Int64, "answered": pl.UInt8}, orient="row")


def figures_of_mails(*rows: tuple[int, int]) -> dict[str, Any]:
    windows = {"today": WHEN.today, "since_30d": WHEN.since_30d, "since_90d": WHEN.since_90d}
    return attention.mail_figures(mails(*rows), **windows).row(0, named=True)


def test_engagement_halves_the_weight_of_a_mail_90_days_old() -> None:
    # 1 answered against 0.5 not: two thirds. The other way round: one third.
    assert figures_of_mails((0, 1), (90, 0))["engagement"] == 67
    assert figures_of_mails((0, 0), (90, 1))["engagement"] == 33
    assert figures_of_mails((31, 0), (89, 0), (91, 0))["n_received_90d"] == 2


def test_fatigue_is_by_what_part_answers_fell() -> None:
    before = [(60, 1), (70, 1), (80, 1), (100, 1)]
    # None of six: (0 + 2) / (6 + 2) of what was 1 before.
    assert figures_of_mails(*before, *[(day, 0) for day in range(1, 7)])["fatigue"] == 0.75
    # One unopened mail: 2 / 3 are left.
    assert figures_of_mails(*before, (1, 0))["fatigue"] == 0.3333
    assert figures_of_mails(*before, (1, 1))["fatigue"] == 0
    assert figures_of_mails((60, 0), (70, 0), (80, 0), (100, 0), (1, 1))["fatigue"] == 0
    # Four mails, or all of one time: nothing is said.
    assert figures_of_mails(*before[:3], (1, 0))["fatigue"] is None
    assert figures_of_mails(*before, (120, 1))["fatigue"] is None


# ---------- all of it, against plain Python


KINDS = list(deeds.CODES)
NAMES = ["Mugs", 'Lamps "Äpfel"', "Toys > Bears", ""]


def random_shop(seed: int) -> tuple[list[dict[str, Any]], figures.Frames]:
    rng = np.random.default_rng(seed)
    made = []
    for _row in range(int(rng.integers(0, 700))):
        at = us(TODAY) - int(rng.integers(-DAY, 500 * DAY)) // 1000 * 1000
        row = {"shopper": int(rng.integers(0, 6)), "kind": KINDS[min(int(rng.integers(0, 18)) % 13, 12)], "at": at}
        row |= {"product": int(rng.integers(0, 7)), "quantity": int(rng.integers(1, 5)), "ref": int(rng.integers(0, 9))}
        row |= {"cents": int(rng.integers(0, 5000)) if rng.random() < 0.9 else deeds.MISSING}
        made.append(row)
    people = pl.DataFrame(
        {"shopper": range(7), "zone": [LONDON, "Asia/Kolkata", "America/New_York", "UTC", LONDON, LONDON, LONDON]},
        schema={"shopper": pl.Int32, "zone": pl.String},
    )
    products = pl.DataFrame(
        {
            "product": range(1, 7),
            "category": [NAMES[n % 4] for n in range(6)],
            "brand": [NAMES[n % 3] for n in range(6)],
        }
    )
    rows = rows_of(*made)
    usual = prices.usual_prices(prices.price_counts(prices.priced(deeds.purchases(rows))))
    none = pl.DataFrame(schema={"shopper": pl.Int32, "at": pl.Int64, "answered": pl.UInt8})
    return made, figures.Frames(people, rows, none, products, usual)


def plain_orders(bought: list[dict[str, Any]]) -> list[tuple[int, int]]:
    grouped = defaultdict(list)
    for row in bought:
        day = datetime.fromtimestamp(row["at"] / 1e6, ZoneInfo(LONDON)).date()
        grouped[row["ref"] or day].append(row)
    return sorted(
        (min(row["at"] for row in one), sum(row["cents"] for row in one if row["cents"] != deeds.MISSING))
        for one in grouped.values()
    )


def plain_percentile(pieces: list[int], share: float) -> int:
    return sorted(pieces)[math.ceil(share * len(pieces) - 1e-9) - 1]


def plain_favourites(bought: list[dict[str, Any]], names: dict[int, str], what: str) -> list[dict[str, Any]]:
    weighed = [row | {"name": names.get(row["product"], "")} for row in bought]
    weighed = [row for row in weighed if row["name"]]
    for row in weighed:
        row["cents"] = 100 * row["quantity"] if row["cents"] == deeds.MISSING else row["cents"]
    weighed = [row for row in weighed if row["cents"] > 0]
    sums: Counter[str] = Counter()
    for row in weighed:
        sums[row["name"]] += row["cents"] * 0.5 ** ((max(one["at"] for one in weighed) - row["at"]) // DAY / 90)
    total = sum(sums.values())
    shares = [(round(value / total, 4), name) for name, value in sums.items()]
    best = sorted(shares, key=lambda one: (-one[0], one[1]))[:5]
    return [{what: name, "share": share} for share, name in best if share]


@pytest.mark.parametrize("seed", range(12))
def test_figures_are_those_of_plain_python(seed: int) -> None:
    made, frames = random_shop(seed)
    usual = dict(frames.usual.rows())
    names = {name: dict(frames.products.select("product", name).rows()) for name in ("category", "brand")}
    zones = dict(frames.people.rows())
    for found in figures.figures(frames, WHEN).rows(named=True):
        own = [row for row in made if row["shopper"] == found["shopper"]]
        bought = [row for row in own if row["kind"] == "purchase"]
        done = plain_orders(bought)
        moments = [at for at, _cents in done]
        gaps = [(later - at) / DAY for at, later in itertools.pairwise(moments)]
        assert found["n_orders"] == len(done)
        assert found["n_orders_30d"] == sum(at >= WHEN.since_30d for at in moments)
        assert found["order_gap_days"] == (pytest.approx(statistics.median(gaps), abs=5e-5) if len(done) > 2 else None)
        refunded = sum(row["cents"] for row in own if row["kind"] == "refund" and row["cents"] != deeds.MISSING)
        assert found["monetary"] == sum(cents for _at, cents in done) - refunded
        assert found["last_view_at"] == max((row["at"] for row in own if row["kind"] == "view"), default=None)
        visits = {
            datetime.fromtimestamp(row["at"] / 1e6, ZoneInfo(LONDON)).date()
            for row in own
            if row["at"] >= WHEN.since_90d and row["kind"] in ("view", "favourite", "search", "cart", "purchase")
        }
        assert found["n_visit_days_90d"] == len(visits)
        priced = [row for row in bought if row["cents"] > 0]
        pieces = [
            (math.floor(row["cents"] / row["quantity"] + 0.5), row["product"])
            for row in priced
            for _piece in range(row["quantity"])
        ]
        for name, share in (("price_low", 0.1), ("price_median", 0.5), ("price_high", 0.9)):
            assert found[name] == (plain_percentile([price for price, _p in pieces], share) if pieces else None)
        cheap = [price <= 0.95 * usual[product] for price, product in pieces if product in usual]
        assert found["discount_share"] == (round(sum(cheap) / len(cheap), 4) if cheap else None)
        assert json.loads(found["categories"]) == plain_favourites(bought, names["category"], "category")
        assert json.loads(found["brands"]) == plain_favourites(bought, names["brand"], "brand")
        there = {
            datetime.fromtimestamp(row["at"] / 1e6, ZoneInfo(zones[found["shopper"]])).replace(
                minute=0, second=0, microsecond=0
            )
            for row in own
            if row["kind"] in hours.MOMENTS
        }
        weekdays = Counter(moment.weekday() for moment in there)
        best = min((day for day in weekdays if weekdays[day] == max(weekdays.values())), default=None)
        assert found["best_weekday"] == (best if len(there) >= 5 else None)
