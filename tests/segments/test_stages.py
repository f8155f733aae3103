"""Stages of the past: the same definition as today's, moves between two days, one click to who they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from behaviour import turns
from behaviour.models import Event, Shopper
from segments import profiles, rules, stage_history
from segments.core import rfm_groups
from segments.models import Profile, Segment, ShopperList, StageHistory
from segments.tasks import record_stages, refresh_profiles

PAGE, PEOPLE = reverse("segments:migration"), reverse("segments:migration_people")
MAKE = reverse("segments:migration_segment")
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
MAY = {"from": "2026-04-30", "to": "2026-05-31"}


@pytest.fixture
def moved(shop: Any, make_shopper: Any, buy: Any) -> dict[str, Shopper]:
    """Fell: three orders until February, at risk in May. Back: ordered in January, then in May. Fresh: May only."""
    people = {name: make_shopper() for name in ("fell", "back", "fresh", "lead")}
    for days in (140, 130, 120):
        buy(people["fell"], days)
    for days in (160, 20):
        buy(people["back"], days)
    buy(people["fresh"], 25)
    profiles.refresh_profiles(everybody=True, now=NOW)
    stage_history.record_stages(NOW)
    return people


def who(was: str, became: str) -> dict[str, str]:
    return {**MAY, "was": was, "is": became}


def test_the_page_says_who_fell_behind_and_who_came_back(client_for: Any, manager: Any, moved: Any) -> None:
    page = client_for(manager).get(PAGE)
    text = page.content.decode()
    assert "1 loyal shopper became at risk or dormant, 1 came back" in text
    assert "From end of April 2026 to end of May 2026" in text
    cells = {(row["stage"], str(stage)): cell.n for row in page.context["rows"]
             for stage, cell in zip(page.context["stages"], row["cells"], strict=True)}  # fmt: skip
    assert {pair: n for pair, n in cells.items() if n} == {
        ("Loyal", "At risk"): 1, ("At risk", "Promising"): 1, ("No order yet", "New"): 1,
    }  # fmt: skip
    assert [card["value"] for card in page.context["cards"]] == ["1", "1", "0", "1", "0"]


def test_the_last_day_is_what_profiles_say(moved: Any) -> None:
    last = stage_history.snapshots(stage_history.newest())[-1]
    found = stage_history.pair(last, last)
    stages = dict(Profile.objects.filter(n_orders__gt=0).values_list("pk", "stage"))
    assert {pk: stages[pk] for pk in found.ids.tolist()} == stages
    for stage in stages.values():
        assert set(found.who(stage, stage)) == {pk for pk, one in stages.items() if one == stage}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400 * 24), st.booleans()), min_size=1, max_size=25))
@pytest.mark.django_db
def test_today_is_what_profiles_say_whatever_was_bought(shop: Any, orders: list[tuple[int, int, bool]]) -> None:
    Event.everything.all().delete()
    Profile.objects.all().delete()
    StageHistory.objects.all().delete()
    Shopper.everything.all().delete()
    people = [Shopper.objects.create(external_id=f"p{n}") for n in range(6)]
    Event.objects.bulk_create(
        Event(
            shopper=people[who], kind="purchase", at=NOW - timedelta(hours=hours), amount=5, dedupe_key=f"{n:032x}",
            order_ref=f"R{n}" if keyed else "",
        )
        for n, (who, hours, keyed) in enumerate(orders)
    )  # fmt: skip
    profiles.refresh_profiles(everybody=True, now=NOW)
    stage_history.record_stages(NOW)
    days = stage_history.snapshots(stage_history.newest())
    found = stage_history.pair(days[0], days[-1])
    stages = Profile.objects.exclude(stage="lead").values_list("pk", "stage")
    assert {pk: stage for stage in Profile.Stage.values for pk in found.ids[found.after == _code(stage)]} == dict(
        stages
    )
    assert found.table.sum() == len(found.ids)
    _groups_are_those_of_profiles()


def _groups_are_those_of_profiles() -> None:
    last = stage_history.snapshots(stage_history.newest(), "group")[-1]
    found = stage_history.pair(last, last)
    scores = Profile.objects.exclude(n_orders=0).values_list("pk", "recency_score", "frequency_score")
    expected = {pk: rfm_groups.GRID[r - 1][f - 1] for pk, r, f in scores}
    assert {pk: rfm_groups.GROUPS[code] for pk, code in zip(found.ids.tolist(), found.after, strict=True)} == expected


def _code(stage: str) -> int:
    return stage_history.moves.STAGES.index(stage)


def test_groups_of_the_last_day_are_the_scores_of_profiles(moved: Any) -> None:
    _groups_are_those_of_profiles()


def test_rfm_groups_are_a_choice_on_the_same_page(client_for: Any, marketer: Any, moved: dict[str, Shopper]) -> None:
    client, group = client_for(marketer), {"by": "group"}
    page = client.get(PAGE, group)
    text = page.content.decode()
    assert page.context["stages"] == [
        "Champions", "Loyal", "Potential loyalists", "New", "Promising", "Need attention", "About to sleep", "At risk",
        "Can't lose", "Hibernating",
    ]  # fmt: skip
    assert "What makes an RFM group" in text
    assert '<input type="hidden" name="by" value="group">' in text
    assert "What makes an RFM group" not in client.get(PAGE).content.decode()
    # Recent: back (20 days, two orders), fresh (25, one); long ago: fell (120, three). Fifths of three shoppers.
    cells = {(row["stage"], name): cell.n for row in page.context["rows"]
             for name, cell in zip(page.context["stages"], row["cells"], strict=True) if cell.n}  # fmt: skip
    assert cells == {("Hibernating", "Potential loyalists"): 1, ("At risk", "At risk"): 1, ("No order yet", "New"): 1}
    assert page.context["finding"] == "0 shoppers fell behind, 1 came back"


def test_a_cell_of_rfm_groups_leads_to_who_they_are_and_to_a_segment(
    client_for: Any, marketer: Any, moved: dict[str, Shopper]
) -> None:
    client, page = client_for(marketer), client_for(marketer).get(PAGE, {"by": "group"})
    cell = next(
        cell for row in page.context["rows"] for cell in row["cells"] if cell.n and row["stage"] == "No order yet"
    )
    people = client.get(cell.url)
    text = people.content.decode()
    assert moved["fresh"].pseudonym in text
    assert "Group now" in text
    asked = people.context["asked"]
    assert asked["by"] == "group"
    made = client.post(MAKE, asked)
    segment = Segment.objects.get()
    assert made["Location"] == reverse("segments:detail", args=[segment.uuid])
    assert list(rules.matching(segment.rule)) == [moved["fresh"]]


def test_what_is_neither_stage_nor_group_is_said(client_for: Any, manager: Any, moved: Any) -> None:
    answer = client_for(manager).get(PAGE, {"by": "mood"})
    assert answer.status_code == 422
    assert "Choose lifecycle stages or RFM groups" in answer.content.decode()
    wrong = client_for(manager).get(PEOPLE, who("loyal", "dormant") | {"by": "group"}, follow=True)
    assert "There is no such stage or group" in wrong.content.decode()


def test_a_cell_leads_to_who_they_are(client_for: Any, manager: Any, moved: dict[str, Shopper]) -> None:
    page = client_for(manager).get(PEOPLE, who("loyal", "at_risk"))
    text = page.content.decode()
    assert moved["fell"].pseudonym in text
    assert moved["back"].pseudonym not in text
    assert page.context["stages_now"] == [("At risk", 1)]
    assert "Make a segment" not in text
    assert "Nobody went this way" in client_for(manager).get(PEOPLE, who("new", "dormant")).content.decode()


def test_one_click_makes_a_segment_of_them(client_for: Any, marketer: Any, moved: dict[str, Shopper]) -> None:
    client = client_for(marketer)
    for _turn in range(2):
        answer = client.post(MAKE, who("at_risk", "promising"))
    made = Segment.objects.get()
    assert answer["Location"] == reverse("segments:detail", args=[made.uuid])
    assert made.name == "At risk → Promising, 2026-04-30 to 2026-05-31"
    assert list(rules.matching(made.rule)) == [moved["back"]]
    assert ShopperList.objects.get().n_members == 1
    answer = client.post(MAKE, who("new", "dormant"), follow=True)
    assert "None of these shoppers is there any more" in answer.content.decode()


def test_who_may_not_is_turned_away(client_for: Any, stranger: Any, manager: Any, moved: Any) -> None:
    for url in (PAGE, PEOPLE):
        assert client_for(stranger).get(url).status_code == 403
    assert client_for(manager).post(MAKE, who("at_risk", "promising")).status_code == 403


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"from": "x", "to": "2026-05-31"}, "Choose two of the days"),
        ({"from": "2026-05-31"}, "Choose two of the days"),
        ({"from": "2026-05-31", "to": "2026-04-30"}, "The first day must be before the second"),
    ],
)
def test_bad_days_are_said(client_for: Any, manager: Any, moved: Any, given: dict[str, str], says: str) -> None:
    page = client_for(manager).get(PAGE, given)
    assert page.status_code == 422
    assert says in page.content.decode()
    answer = client_for(manager).get(PEOPLE, {**given, "was": "new", "is": "new"}, follow=True)
    assert says in answer.content.decode()


def test_a_stage_that_is_none_is_said(client_for: Any, manager: Any, moved: Any) -> None:
    for was, became in (("x", "new"), ("new", "lead"), ("new", "")):
        answer = client_for(manager).get(PEOPLE, who(was, became), follow=True)
        assert "There is no such stage or group" in answer.content.decode()


def test_without_history_the_page_says_so(client_for: Any, manager: Any, shop: Any) -> None:
    assert "No history yet" in client_for(manager).get(PAGE).content.decode()
    answer = client_for(manager).get(PEOPLE, who("new", "new"), follow=True)
    assert "There are not two days to compare yet" in answer.content.decode()


def test_the_task_works_once_a_day_and_keeps_one_run(shop: Any, make_shopper: Any, make_event: Any) -> None:
    record_stages()
    assert not StageHistory.objects.exists()
    make_event(make_shopper(), at=datetime.now(UTC) - timedelta(days=40), amount=5)
    refresh_profiles()
    record_stages()
    first = StageHistory.objects.get()
    record_stages()
    assert StageHistory.objects.get() == first
    stage_history.record_stages()
    assert StageHistory.objects.get() != first


def test_removed_shoppers_are_forgotten(moved: dict[str, Shopper], client_for: Any, manager: Any) -> None:
    gone = moved["fell"]
    with transaction.atomic():
        turns.remove()
        Event.objects.filter(shopper=gone).delete()
        gone.delete()
    assert stage_history.forget_removed()
    assert not stage_history.forget_removed()
    days = stage_history.snapshots(stage_history.newest())
    assert gone.pk not in stage_history.pair(days[0], days[-1]).ids
    assert days[-1].counts["at_risk"] == 0
    assert "Nobody fell behind" not in client_for(manager).get(PAGE).content.decode()


def test_the_page_costs_the_same_for_more_shoppers(
    client_for: Any, manager: Any, moved: Any, make_shopper: Any, buy: Any
) -> None:
    client = client_for(manager)

    def n_queries(url: str, given: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url, given).status_code == 200
        return len(queries)

    n_queries(PAGE, {})
    asked = [(PAGE, {}), (PEOPLE, who("lead", "new")), (PAGE, {"by": "group"})]
    few = [n_queries(*one) for one in asked]
    for _n in range(20):
        buy(make_shopper(), 25)
    profiles.refresh_profiles(everybody=True, now=NOW)
    stage_history.record_stages(NOW)
    assert [n_queries(*one) for one in asked] == few
