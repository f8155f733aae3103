"""Profiles from events: hand-worked figures, and incremental equals full."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from behaviour import merging
from behaviour.models import Event, Merge, Product, Shop, Shopper, Upload
from campaigns.models import Campaign, Message
from segments import first_fill, profiles, tasks, writing
from segments.models import Profile, ProfileRefresh, Segment, SegmentSize, UsualPrice
from tests.segments.conftest import NOW


def refresh(everybody: bool = False, now: datetime = NOW) -> int:
    return profiles.refresh_profiles(everybody, now=now).shoppers


def everything() -> list[dict[str, Any]]:
    """All profiles without the moment of reading."""
    rows = list(Profile.objects.order_by("pk").values())
    for row in rows:
        del row["updated_at"]
    return rows


def test_a_profile_adds_up(make_shopper: Any, make_product: Any, make_event: Any, buy: Any) -> None:
    anna = make_shopper()
    mugs, lamps = make_product(category="Mugs"), make_product(category="Lamps")
    buy(anna, 400, 30, product=lamps, ref="1")
    buy(anna, 100, 20, product=mugs, ref="2")
    buy(anna, 100, 5, product=lamps, ref="2")
    buy(anna, 40, 25, product=mugs, ref="3")
    make_event(anna, "refund", at=NOW - timedelta(days=30), amount=Decimal("-4.50"))
    make_event(anna, "email_open", at=NOW - timedelta(days=10))
    make_event(anna, "email_open", at=NOW - timedelta(days=200))
    make_event(anna, "email_click", at=NOW - timedelta(days=9))
    assert refresh() == 1
    profile = Profile.objects.get()
    assert (profile.n_orders, profile.n_orders_90d, profile.n_orders_365d, profile.n_products) == (3, 1, 2, 2)
    assert (profile.monetary, profile.monetary_365d) == (Decimal("75.50"), Decimal("45.50"))
    # 80 in three orders; gaps of 300 and 60 days.
    assert profile.average_basket == Decimal("26.67")
    assert profile.order_gap_days == pytest.approx(180)
    assert (profile.n_opens_90d, profile.n_clicks_90d) == (1, 1)
    assert profile.last_event_at == profile.last_click_at == NOW - timedelta(days=9)
    assert profile.first_order_at == NOW - timedelta(days=400)
    # 25 + 20 * 0.5^(60/90) for mugs, 30 * 0.5^4 + 5 * 0.5^(60/90) for lamps: 37.599 and 5.025.
    assert profile.categories == [{"category": "Mugs", "share": 0.8821}, {"category": "Lamps", "share": 0.1179}]
    assert profile.favourite_category == "Mugs"
    assert profile.stage == "loyal"


def test_lines_of_one_day_without_a_reference_are_one_order(make_shopper: Any, buy: Any) -> None:
    bob = make_shopper()
    buy(bob, 5.0)
    buy(bob, 5.1)
    buy(bob, 3.0)
    refresh()
    assert Profile.objects.get().n_orders == 2


def test_a_shopper_without_events_is_a_lead(make_shopper: Any) -> None:
    make_shopper()
    refresh()
    profile = Profile.objects.get()
    assert (profile.stage, profile.recency_score, profile.monetary) == ("lead", None, Decimal(0))


def test_scores_are_quintiles_of_the_buyers(make_shopper: Any, buy: Any) -> None:
    for number in range(1, 6):
        buy(make_shopper(), days_ago=number, amount=number)
    make_shopper()
    refresh()
    scores = Profile.objects.order_by("pk").values_list("recency_score", "frequency_score", "monetary_score")
    assert list(scores) == [(5, 1, 1), (4, 1, 2), (3, 1, 3), (2, 1, 4), (1, 1, 5), (None, None, None)]


def test_nothing_new_is_nothing_read(make_shopper: Any, buy: Any, django_assert_max_num_queries: Any) -> None:
    buy(make_shopper(), 3)
    assert refresh() == 1
    with django_assert_max_num_queries(14):
        assert refresh() == 0


def test_only_shoppers_with_news_are_read_but_all_are_scored(make_shopper: Any, buy: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("segments.news.OVERLAP", 0)
    shoppers = [make_shopper() for _n in range(5)]
    for number, shopper in enumerate(shoppers):
        buy(shopper, 10 + number)
    refresh()
    buy(shoppers[4], 1, 500)
    assert refresh() == 1
    incremental = everything()
    # She moved from the last place to the first; the others moved down without an event of their own.
    assert [row["recency_score"] for row in incremental] == [4, 3, 2, 1, 5]
    refresh(everybody=True)
    assert everything() == incremental


def test_a_new_day_reads_everybody(make_shopper: Any, buy: Any) -> None:
    buy(make_shopper(), 89.9)
    refresh()
    assert Profile.objects.get().n_orders_90d == 1
    assert refresh(now=NOW + timedelta(days=2)) == 1
    assert Profile.objects.get().n_orders_90d == 0


def test_an_undone_upload_is_taken_out_again(make_shopper: Any, buy: Any) -> None:
    anna = make_shopper()
    buy(anna, 3)
    second = buy(anna, 2, 90)
    refresh()
    second.delete()
    Upload.objects.create(filename="a.csv", state=Upload.State.UNDONE, finished_at=NOW + timedelta(minutes=1))
    refresh(now=NOW + timedelta(minutes=2))
    assert Profile.objects.get().monetary == Decimal(10)


def test_removed_shoppers_leave_the_quintiles(make_shopper: Any, buy: Any) -> None:
    shoppers = [make_shopper() for _n in range(5)]
    for number, shopper in enumerate(shoppers):
        buy(shopper, 1 + number)
    refresh()
    shoppers[0].delete()
    refresh()
    incremental = everything()
    refresh(everybody=True)
    assert incremental == everything()


def test_the_number_of_queries_does_not_grow_with_shoppers(
    make_shopper: Any, buy: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        buy(make_shopper(), 1 + number % 3)
    with django_assert_max_num_queries(40):
        refresh()


def test_a_second_process_does_not_work_beside_the_first(make_shopper: Any) -> None:
    make_shopper()
    ProfileRefresh.objects.create(pk=1, claimed_at=datetime.now(NOW.tzinfo))
    assert profiles.refresh_profiles(wait=False).shoppers == 0
    # Killed long ago: another takes over.
    ProfileRefresh.objects.update(claimed_at=NOW - profiles.ABANDONED)
    assert profiles.refresh_profiles(wait=False).shoppers == 1
    assert ProfileRefresh.objects.get().claimed_at is None


def test_tasks_run_twice_do_their_work_once(make_shopper: Any, buy: Any) -> None:
    buy(make_shopper(), 3)
    segment = Segment.objects.create(name="Everybody", rule={"all": []})
    for _turn in range(2):
        tasks.refresh_profiles()
        tasks.rebuild_profiles()
    assert Profile.objects.count() == 1
    assert list(SegmentSize.objects.values_list("segment", "size")) == [(segment.pk, 1)]


def test_the_command_says_how_many(make_shopper: Any) -> None:
    make_shopper()
    out = StringIO()
    call_command("refresh_profiles", "--all", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["shoppers"] == 1
    assert answer["seconds"] >= 0


KINDS = ["purchase"] * 4 + ["refund", "email_open", "email_click", "view", "view", "cart", "search", "rating"]
event_rows = st.tuples(
    st.integers(0, 7), st.sampled_from(KINDS), st.integers(0, 500), st.integers(1, 5000),
    st.integers(0, 3), st.sampled_from(["", "", "a", "b"]), st.integers(1, 3),
)  # fmt: skip
MADE = [("Mugs", "Ada"), ("Lamps", "Bo"), ("", "Ada"), ("Mugs > Big", "")]


class IncrementalEqualsFull(TestCase):
    """Random shops, events in random batches, some of them by files that show their rows later."""

    def setUp(self) -> None:
        overlap = mock.patch("segments.news.OVERLAP", 0)
        overlap.start()
        self.addCleanup(overlap.stop)

    def shop(self) -> None:
        self.shoppers = [
            Shopper.objects.create(external_id=str(number), timezone=["", "Asia/Kolkata", "Mars"][number % 3])
            for number in range(8)
        ]
        self.products = [
            Product.objects.create(sku=str(n), category=category, attributes={"brand": brand} if brand else {})
            for n, (category, brand) in enumerate(MADE)
        ]

    def arrive(self, rows: list[Any], upload: Upload | None = None) -> list[int]:
        return [
            Event.everything.create(
                shopper=self.shoppers[shopper], kind=kind, at=NOW - timedelta(days=days, seconds=7 * pence),
                amount=Decimal(pence) / 100 if pence % 9 else None, product=self.products[product], order_ref=ref,
                quantity=quantity, dedupe_key=uuid4(), upload=upload,
            ).pk
            for shopper, kind, days, pence, product, ref, quantity in rows
        ]  # fmt: skip

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.booleans(), st.lists(event_rows, max_size=12)), min_size=1, max_size=4), st.booleans())
    def test_any_order_of_arrivals_gives_the_same_profiles(self, arrivals: list[Any], merge: bool) -> None:
        self.shop()
        later: list[tuple[Upload, list[int]]] = []
        for by_file, rows in arrivals:
            hidden = {"state": Upload.State.IMPORTING, "hidden": True}
            upload = Upload.objects.create(filename="a.csv", **hidden) if by_file else None
            ids = self.arrive(rows, upload)
            if upload:
                later.append((upload, ids))
            refresh()
        for upload, ids in later:
            done = {"state": Upload.State.DONE, "hidden": False, "finished_at": NOW}
            ends = {"first_event": min(ids, default=None), "last_event": max(ids, default=None)}
            Upload.objects.filter(pk=upload.pk).update(**done, **ends)
            refresh()
        if merge:
            merging.merge_by_hand(self.shoppers[0], self.shoppers[1], by=None)
            Merge.objects.update(at=NOW)
            refresh()
        incremental = everything()
        refresh(everybody=True)
        assert everything() == incremental
        for model in (Profile, UsualPrice, ProfileRefresh):
            model.objects.all().delete()
        Event.everything.all().delete()
        for _by_file, rows in reversed(arrivals):
            self.arrive(rows[::-1])
        if merge:
            Event.objects.filter(shopper=self.shoppers[0]).update(shopper=self.shoppers[1])
        refresh()
        assert everything() == incremental


def test_a_new_usual_price_reaches_who_bought_before(
    make_shopper: Any, make_product: Any, buy: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("segments.news.OVERLAP", 0)
    anna, ben, mug = make_shopper(), make_shopper(), make_product()
    buy(anna, 30, 10, product=mug, ref="1")
    refresh()
    assert Profile.objects.get(pk=anna.pk).discount_share == 0
    for number in range(2):
        buy(ben, 20, 12, product=mug, ref=f"2{number}")
    # Ben brought the news, and the mug usually costs 12 now: Anna is read, too.
    assert refresh() == 2
    assert UsualPrice.objects.get().price == 12
    assert Profile.objects.get(pk=anna.pk).discount_share == 1
    assert Profile.objects.get(pk=ben.pk).discount_share == 0


def test_who_was_removed_takes_her_prices_along(make_shopper: Any, make_product: Any, buy: Any) -> None:
    anna, ben, mug = make_shopper(), make_shopper(), make_product()
    buy(anna, 30, 10, product=mug, ref="1")
    buy(ben, 20, 12, product=mug, ref="2")
    refresh()
    Event.objects.filter(shopper=anna).delete()
    anna.delete()
    Shop.objects.update(n_removals=1)
    refresh()
    incremental = everything()
    assert UsualPrice.objects.get().price == 12
    refresh(everybody=True)
    assert everything() == incremental


def test_mails_that_she_got_and_opened(make_shopper: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("segments.news.OVERLAP", 0)
    anna, ben = make_shopper(), make_shopper()
    refresh()

    def send(days: float, **fields: Any) -> None:
        campaign = Campaign.objects.create(name="Autumn")
        sent = {"state": "sent", "sent_at": NOW - timedelta(days=days), "due_at": NOW, "arm": "A"}
        Message.objects.create(campaign=campaign, shopper=anna, probability=1, draw=0, **sent | fields)

    send(0)
    # Only she has news.
    assert refresh() == 1
    profile = Profile.objects.get(pk=anna.pk)
    assert (profile.n_received_30d, profile.engagement, profile.fatigue) == (1, 0, None)
    for days in (40, 50, 60, 100):
        send(days, opened_at=NOW)
    send(50, machine_opened_at=NOW)
    send(5, state="control", sent_at=None)
    refresh(everybody=True)
    profile = Profile.objects.get(pk=anna.pk)
    assert (profile.n_received_30d, profile.n_received_90d) == (1, 5)
    # Before, 4 of 5 were opened; of the one since, none: 2 / 3 of that share are left.
    assert profile.fatigue == 0.3333
    assert Profile.objects.get(pk=ben.pk).engagement is None


def test_rows_without_a_change_are_not_written(make_shopper: Any, buy: Any) -> None:
    for number in range(5):
        buy(make_shopper(), 200 + number)
    refresh(everybody=True)
    refresh(everybody=True, now=NOW + timedelta(days=1))
    assert set(Profile.objects.values_list("updated_at", flat=True)) == {NOW}


def test_the_cluster_stays(make_shopper: Any, buy: Any) -> None:
    anna = make_shopper()
    refresh()
    Profile.objects.update(cluster=3)
    buy(anna, 3)
    refresh(everybody=True)
    assert Profile.objects.get().cluster == 3


def test_an_upload_counts_from_the_moment_it_is_done_and_then_whole(
    make_shopper: Any, make_event: Any, buy: Any
) -> None:
    anna, ben = make_shopper(), make_shopper()
    buy(anna, 30, 10, ref="1")
    running = Upload.objects.create(filename="a.csv", state=Upload.State.IMPORTING, hidden=True)
    half = buy(anna, 20, 10, ref="2")
    Event.everything.filter(pk=half.pk).update(upload=running)
    carla = make_shopper()
    Shopper.everything.filter(pk=carla.pk).update(upload=running)
    # What comes in beside the import has younger ids.
    buy(ben, 10, 10, ref="3")
    assert refresh() == 2
    assert dict(Profile.objects.values_list("shopper", "n_orders")) == {anna.pk: 1, ben.pk: 1}
    done = {"state": Upload.State.DONE, "hidden": False, "first_event": half.pk, "last_event": half.pk}
    Upload.objects.update(**done, finished_at=NOW)
    refresh()
    found = everything()
    assert {row["shopper_id"]: row["n_orders"] for row in found} == {anna.pk: 2, ben.pk: 1, carla.pk: 0}
    refresh(everybody=True)
    assert everything() == found


def standing() -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Profile._meta.db_table)
    return {index.name for index in first_fill.INDEXES} & set(found)


def test_the_first_profiles_come_without_indexes_which_stand_afterwards(make_shopper: Any, buy: Any) -> None:
    buy(make_shopper(), 10, 5)
    everywhere = {index.name for index in first_fill.INDEXES}
    seen: list[set[str]] = []
    write = writing.write_profiles

    def watched(*args: Any, **given: Any) -> None:
        seen.append(standing())
        write(*args, **given)

    with mock.patch.object(first_fill, "FEWEST", 1), mock.patch.object(writing, "write_profiles", watched):
        assert refresh() == 1
        assert (seen, standing()) == ([set()], everywhere)
        refresh(everybody=True)
    assert seen[1] == everywhere


def test_indexes_that_a_killed_process_left_out_are_built_by_the_next(make_shopper: Any, buy: Any) -> None:
    buy(make_shopper(), 10, 5)
    killed = mock.patch.object(writing, "write_profiles", side_effect=SystemExit)
    with mock.patch.object(first_fill, "FEWEST", 1), killed, pytest.raises(SystemExit):
        refresh()
    assert standing() == set()
    assert refresh() == 1
    assert standing() == {index.name for index in first_fill.INDEXES}
