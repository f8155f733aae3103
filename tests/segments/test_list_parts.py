"""Lists are written and removed in short parts, whoever is killed between them; no saved rule names what is gone."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from behaviour.models import Shopper
from campaigns import spec
from campaigns.models import Campaign
from mailai.errors import InputError, StateError
from segments import list_members, list_queries, list_writing, lists, rules, services, tasks
from segments.models import Segment, ShopperList, ShopperListMember

N = 23


@pytest.fixture
def everybody(db: None, monkeypatch: pytest.MonkeyPatch) -> Segment:
    """Everybody, in parts of five."""
    monkeypatch.setattr(list_writing, "BATCH", 5)
    Shopper.objects.bulk_create(Shopper(external_id=f"id-{n}") for n in range(N))
    return Segment.objects.create(name="Everybody", rule={"all": []})


def killed_after(n_parts: int, work: Callable[[], Any], *, at: str) -> None:
    """Do it, and be killed when so many parts are committed."""
    calls, before = [], getattr(list_writing, at)

    def once_more(*given: Any) -> Any:
        calls.append(given)
        if len(calls) > n_parts:
            raise KeyboardInterrupt
        return before(*given)

    with patch.object(list_writing, at, once_more), pytest.raises(KeyboardInterrupt):
        work()


def dead() -> None:
    """Let a minute pass in which nobody said anything."""
    ShopperList.everything.update(heartbeat_at=timezone.now() - timedelta(minutes=2))


def on(made: ShopperList) -> set[int]:
    return set(rules.matching({"list": str(made.uuid)}).values_list("pk", flat=True))


# ---------- freezing


def test_a_killed_freeze_is_no_list_and_ends_with_who_was_there(everybody: Segment, make_shopper: Any) -> None:
    whom = set(Shopper.objects.values_list("pk", flat=True))
    killed_after(2, lambda: lists.freeze(everybody, name="Frozen"), at="_put")
    made = ShopperList.objects.get()
    assert (made.state, made.members.count()) == ("writing", 10)
    with pytest.raises(InputError, match="no list with the id"):
        on(made)
    with pytest.raises(StateError, match="not ready"):
        lists.make_segment(made, by=None)
    assert made not in ShopperList.ready()
    # Who comes later was not there at that moment; who went is nobody.
    make_shopper(external_id="late")
    gone = max(whom)
    Shopper.objects.filter(pk=gone).delete()
    # A worker that may still live is left alone, a dead one is followed.
    tasks.sweep_lists()
    assert ShopperList.objects.get().state == "writing"
    dead()
    tasks.sweep_lists()
    for _turn in range(2):
        list_writing.go_on(made.pk)
    made.refresh_from_db()
    assert (made.state, made.waiting, made.n_members, on(made)) == ("ready", None, N - 1, whom - {gone})
    assert list_writing.sweep() == []


def test_asked_again_a_cell_of_the_migration_is_kept_to_its_end(everybody: Segment) -> None:
    ids = np.array(Shopper.objects.order_by("pk").values_list("pk", flat=True))
    killed_after(1, lambda: lists.freeze_shoppers(ids, name="New to loyal", by=None), at="_put")
    made = lists.freeze_shoppers(ids, name="New to loyal", by=None)
    assert (made.state, made.n_members) == ("ready", N)
    assert ShopperList.objects.count() == 1


def test_shoppers_who_are_all_gone_make_no_list(everybody: Segment) -> None:
    with pytest.raises(StateError, match="None of these"):
        lists.freeze_shoppers(np.array([10_000_001]), name="Nobody", by=None)
    assert not ShopperList.everything.exists()


def test_who_begins_a_list_that_somebody_else_just_began_goes_on_with_it(
    everybody: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = np.array(Shopper.objects.order_by("pk").values_list("pk", flat=True))
    there = lists.freeze_shoppers(ids, name="New to loyal", by=None)
    look, too_early = ShopperList.objects.filter, iter([True])
    # It is not there yet when it is looked for, and there when it is written.
    nothing = ShopperList.objects.none()
    monkeypatch.setattr(
        ShopperList.objects, "filter", lambda **asked: nothing if next(too_early, False) else look(**asked)
    )
    assert lists.freeze_shoppers(ids, name="New to loyal", by=None) == there
    assert ShopperList.objects.count() == 1


def test_no_transaction_writes_more_than_a_part(everybody: Segment) -> None:
    sizes: list[int] = []
    before = list_writing._put

    def put(chosen: ShopperList, ids: Any) -> None:
        sizes.append(len(ids))
        before(chosen, ids)

    with patch.object(list_writing, "_put", put):
        lists.freeze(everybody)
    assert sizes == [5, 5, 5, 5, 3]


def test_a_large_segment_is_left_to_a_worker(
    everybody: Segment, client_for: Any, marketer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_writing, "AT_ONCE", 3)
    client = client_for(marketer)
    page = client.post(reverse("segments:freeze", args=[everybody.uuid]), follow=True).content.decode()
    made = ShopperList.objects.get()
    assert made.state == "writing"
    assert "The list is being made" in page
    assert "23 shoppers are put on it." in page
    assert "Being made" in client.get(reverse("segments:lists")).content.decode()
    detail = reverse("segments:list_detail", args=[made.uuid])
    assert client.get(detail, headers={"HX-Request": "true"}).status_code == 200
    tasks.finish_list(made.pk)
    assert client.get(detail, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    client.post(reverse("segments:list_delete", args=[made.uuid]))
    assert not ShopperList.objects.exists()
    assert ShopperListMember.objects.count() == N
    tasks.finish_list(made.pk)
    assert not ShopperListMember.objects.exists()


# ---------- deleting


def test_a_list_that_is_going_is_seen_by_nobody_and_goes_after_a_kill(
    everybody: Segment, client_for: Any, marketer: Any
) -> None:
    made = lists.freeze(everybody, name="Frozen")
    shopper = Shopper.objects.order_by("-pk")[0]
    with patch.object(list_writing, "_clear", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        lists.delete(made, by=None)
    assert ShopperListMember.objects.count() == N
    assert list_members.lists_of(shopper) == []
    assert not list_queries.listed().exists()
    with pytest.raises(InputError, match="no list with the id"):
        on(made)
    with pytest.raises(InputError, match="no list “Frozen”"):
        list_queries.list_named("Frozen")
    assert client_for(marketer).get(reverse("segments:list_detail", args=[made.uuid])).status_code == 404
    # Its name is free at once.
    again = lists.freeze(everybody, name="Frozen")
    dead()
    tasks.sweep_lists()
    assert list(ShopperList.everything.all()) == [again]
    assert on(again) == set(Shopper.objects.values_list("pk", flat=True))


def test_a_removal_that_is_killed_between_parts_goes_on(everybody: Segment) -> None:
    made, kept = lists.freeze(everybody, name="Frozen"), lists.freeze(everybody, name="Kept")
    lists.begin_delete(made, by=None)
    parts = []

    def once_more(*given: Any) -> None:
        parts.append(given)
        if len(parts) == 3:
            raise KeyboardInterrupt

    with patch.object(list_writing, "_beat", once_more), pytest.raises(KeyboardInterrupt):
        list_writing.go_on(made.pk)
    assert made.members.count() == N - 10
    for _turn in range(2):
        list_writing.go_on(made.pk)
    assert list(ShopperList.everything.values_list("pk", flat=True)) == [kept.pk]
    assert ShopperListMember.objects.count() == N


def test_a_list_that_is_deleted_while_it_is_written_stays_deleted(everybody: Segment) -> None:
    made = lists.begin_freeze(everybody, name="Frozen")
    lists.begin_delete(made, by=None)
    # The writer that was there before finds it gone.
    assert not list_writing.put_all(made, np.array(Shopper.objects.values_list("pk", flat=True)))
    list_writing.go_on(made.pk)
    assert not ShopperList.everything.exists()
    assert not ShopperListMember.objects.exists()


def test_nobody_is_put_on_a_list_that_is_going(everybody: Segment, make_shopper: Any) -> None:
    shopper = make_shopper()
    made = list_members.add_to_new_list(shopper, "Fair", by=None)
    lists.begin_delete(made, by=None)
    with pytest.raises(StateError, match="deleted meanwhile"):
        list_members.add_member(Shopper.objects.exclude(pk=shopper.pk)[0], made, by=None)
    lists.rename(made, "Again", by=None)
    assert ShopperList.everything.get().name == str(made.uuid)


# ---------- no saved rule names what is gone


def meanwhile(work: Callable[[], Any]) -> Any:
    """Let somebody else do this while one waits for the turn; where one is refused, it is taken back with the rest."""
    waits: list[int] = []

    def wait() -> None:
        waits.append(1)
        if len(waits) == 1:
            work()

    return patch.object(rules.turns, "wait", wait)


@pytest.fixture
def fair(make_shopper: Any) -> ShopperList:
    return list_members.add_to_new_list(make_shopper(), "Fair", by=None)


def naming(fair: ShopperList, name: str = "Guests") -> Segment:
    return services.save_segment(Segment(), name=name, rule={"list": str(fair.uuid)}, by=None)


def test_a_rule_that_waited_for_a_deletion_is_refused(fair: ShopperList) -> None:
    with meanwhile(lambda: lists.delete(fair, by=None)), pytest.raises(InputError, match="no list with the id"):
        naming(fair)
    assert not Segment.objects.exists()


def test_a_deletion_that_waited_for_a_rule_is_refused(fair: ShopperList) -> None:
    with meanwhile(lambda: naming(fair)), pytest.raises(StateError, match="used by the rule of “Guests”"):
        lists.delete(fair, by=None)
    assert ShopperList.ready().get() == fair


def test_a_campaign_that_waited_for_a_deletion_is_refused(fair: ShopperList) -> None:
    given = {"name": "To guests", "rule": {"list": str(fair.uuid)}, "variants": []}
    with meanwhile(lambda: lists.delete(fair, by=None)), pytest.raises(InputError, match="no list with the id"):
        spec.create_campaign(given)
    assert not Campaign.objects.exists()


def test_segments_that_name_segments_take_turns_too(fair: ShopperList) -> None:
    guests = naming(fair)
    rule = {"segment": str(guests.uuid)}
    with meanwhile(lambda: services.delete_segment(guests, by=None)), pytest.raises(InputError, match="no segment"):
        services.save_segment(Segment(), name="Outer", rule=rule, by=None)

    def outer() -> Segment:
        return services.save_segment(Segment(), name="Outer", rule=rule, by=None)

    with meanwhile(outer), pytest.raises(StateError, match="used by the rule of “Outer”"):
        services.delete_segment(guests, by=None)


def test_two_who_save_at_once_make_no_circle(fair: ShopperList) -> None:
    one, two = naming(fair, "One"), naming(fair, "Two")

    def save(segment: Segment, other: Segment) -> None:
        services.save_segment(segment, name=segment.name, rule={"segment": str(other.uuid)}, by=None)

    with meanwhile(lambda: save(two, one)), pytest.raises(InputError, match="circle"):
        save(one, two)


def test_a_segment_that_was_deleted_meanwhile_does_not_come_back(fair: ShopperList) -> None:
    guests = naming(fair)
    rule: dict[str, Any] = {"all": []}
    with (
        meanwhile(lambda: services.delete_segment(guests, by=None)),
        pytest.raises(StateError, match="deleted meanwhile"),
    ):
        services.save_segment(guests, name="Guests", rule=rule, by=None)


@pytest.mark.django_db(transaction=True)
def test_two_connections_wait_for_each_other(fair: ShopperList) -> None:
    checked, errors = threading.Event(), []
    before = rules.check

    def slowly(*given: Any, **named: Any) -> Any:
        found = before(*given, **named)
        checked.set()
        # The deletion is under way by then, and waits.
        deletion.join(0.5)
        return found

    def delete() -> None:
        checked.wait(10)
        try:
            lists.delete(fair, by=None)
        except StateError as error:
            errors.append(str(error))
        finally:
            connection.close()

    deletion = threading.Thread(target=delete)
    deletion.start()
    with patch.object(rules, "check", slowly):
        naming(fair)
    deletion.join(20)
    assert "used by the rule of “Guests”" in errors[0]
    assert ShopperList.ready().get() == fair
