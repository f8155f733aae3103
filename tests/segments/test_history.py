"""From day to day: who came, who left, what is told about it; removed shoppers are forgotten."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from behaviour import turns
from behaviour.models import Shopper
from mailai.accounts.models import AuditEntry
from segments import growth, history, services
from segments.core import members
from segments.models import Segment, SegmentAlert, SegmentMembers, SegmentSize
from segments.tasks import refresh_profiles

SPAIN = {"all": [{"field": "country", "op": "=", "value": "Spain"}]}
FRANCE = {"all": [{"field": "country", "op": "=", "value": "France"}]}


@pytest.fixture
def segment(shop: Any) -> Segment:
    return Segment.objects.create(name="Spain", rule=SPAIN)


@pytest.fixture
def people(make_shopper: Any) -> list[Shopper]:
    return [make_shopper(country="Spain") for _n in range(5)]


def records(segment: Segment) -> list[tuple[Any, ...]]:
    rows = SegmentSize.objects.filter(segment=segment).order_by("on")
    return [(one.size, one.came, one.left, one.since, one.rule_changed) for one in rows]


def day(now: datetime) -> date:
    return now.date()


def test_a_record_says_who_came_and_left(segment: Segment, people: Any, make_shopper: Any, now: datetime) -> None:
    assert history.record_sizes(now) == 1
    make_shopper(country="Spain")
    make_shopper(country="Spain")
    Shopper.objects.filter(pk=people[0].pk).update(country="Italy")
    later = now + timedelta(days=1)
    assert history.record_sizes(later) == 1
    # Asked again on the same day it writes nothing, even where somebody came meanwhile.
    make_shopper(country="Spain")
    assert history.record_sizes(later) == 0
    assert records(segment) == [(5, None, None, None, False), (6, 2, 1, day(now), False)]


def test_missed_nights_are_told(segment: Segment, people: Any) -> None:
    now = timezone.now()
    history.record_sizes(now - timedelta(days=3))
    history.record_sizes(now)
    chart = growth.size_chart(segment)
    assert chart is not None
    assert chart.rows[0][1:] == ("5", "0", "0", "since 3 days ago")


def test_a_changed_rule_is_marked(segment: Segment, people: Any, make_shopper: Any, now: datetime, admin: Any) -> None:
    outer = Segment.objects.create(name="Not Spain", rule={"all": [{"not": {"segment": str(segment.uuid)}}]})
    make_shopper(country="France")
    history.record_sizes(now)
    services.save_segment(segment, name="France", rule=FRANCE, by=admin)
    history.record_sizes(now + timedelta(days=1))
    history.record_sizes(now + timedelta(days=2))
    assert records(segment)[1:] == [
        (1, 1, 5, day(now), True), (1, 0, 0, day(now) + timedelta(days=1), False),
    ]  # fmt: skip
    # Its rule names the one that changed.
    assert [one[-1] for one in records(outer)] == [False, True, False]


def test_saving_a_rule_as_it_was_is_no_change(segment: Segment, people: Any, now: datetime, admin: Any) -> None:
    history.record_sizes(now)
    services.save_segment(segment, name="Another name", rule=SPAIN, by=admin)
    history.record_sizes(now + timedelta(days=1))
    assert records(segment)[-1][-1] is False


def test_a_rule_that_can_not_be_read_has_no_record(segment: Segment, now: datetime) -> None:
    Segment.objects.create(name="Broken", rule={"field": "gone", "op": "=", "value": 1})
    assert history.record_sizes(now) == 1


def remove(shopper: Shopper) -> None:
    with transaction.atomic():
        turns.remove()
        shopper.delete()


def test_removed_shoppers_are_forgotten_at_once_and_counted_as_left(segment: Segment, people: Any) -> None:
    now, gone = timezone.now(), people[2].pk
    refresh_profiles()
    assert gone in members.unpack(SegmentMembers.objects.get().ids)
    remove(people[2])
    refresh_profiles()
    kept = SegmentMembers.objects.get()
    assert gone not in members.unpack(kept.ids)
    assert (kept.n_members, kept.n_gone) == (5, 1)
    assert history.forget_removed() == 0
    history.record_sizes(now + timedelta(days=1))
    assert records(segment)[-1][:3] == (4, 0, 1)


# ---------- sudden changes


@pytest.fixture
def calm(segment: Segment, people: Any, make_shopper: Any) -> Segment:
    """Give a segment of thirty shoppers nine quiet days up to yesterday."""
    Shopper.objects.bulk_create(Shopper(external_id=f"x{n}", country="Spain") for n in range(25))
    now = timezone.now()
    for back in range(9, 0, -1):
        history.record_sizes(now - timedelta(days=back))
    return segment


def grow(n: int = 25) -> None:
    Shopper.objects.bulk_create(Shopper(external_id=f"y{n}", country="Spain") for n in range(n))


def test_a_sudden_change_is_told_once(calm: Segment, client_for: Any, marketer: Any, manager: Any) -> None:
    client = client_for(marketer)
    assert b"Needs your attention" not in client.get(reverse("analytics:today")).content
    grow()
    for _turn in range(2):
        refresh_profiles()
    alert = SegmentAlert.objects.get()
    assert (alert.size_before, alert.size, alert.usual, alert.spread) == (30, 55, 0.0, 1.0)
    today = client.get(reverse("analytics:today")).content.decode()
    said = "“Spain” grew by 25 to 55 on"
    assert "Needs your attention" in today
    assert "1 thing needs your attention" in today
    assert said in today
    assert "On most days it changes by −4 to +4." in today
    assert "Grew by 25 at once" in client.get(reverse("segments:list")).content.decode()
    assert said in client.get(reverse("segments:detail", args=[calm.uuid])).content.decode()
    # A manager sees it, but has no button.
    assert b"Dismiss" not in client_for(manager).get(reverse("analytics:today")).content


def test_an_alert_is_dismissed_and_that_is_in_the_audit_log(
    calm: Segment, client_for: Any, marketer: Any, admin: Any, manager: Any, stranger: Any
) -> None:
    grow()
    history.record_sizes()
    url = reverse("segments:dismiss_alert", args=[calm.uuid])
    for person in (manager, stranger):
        assert client_for(person).post(url).status_code == 403
    assert client_for(marketer).get(url).status_code == 405
    answer = client_for(admin).post(url, {"back": reverse("analytics:today")})
    assert answer["Location"] == reverse("analytics:today")
    assert [one.action for one in AuditEntry.objects.all()] == ["segment.dismiss_alert"]
    assert SegmentAlert.objects.get().dismissed_by == admin
    assert b"Needs your attention" not in client_for(marketer).get(reverse("analytics:today")).content
    # Nothing is left to dismiss, and nobody is sent away from the house.
    answer = client_for(marketer).post(url, {"back": "https://elsewhere.example/"})
    assert answer["Location"] == reverse("segments:detail", args=[calm.uuid])
    assert AuditEntry.objects.filter(action="segment.dismiss_alert").count() == 1


def test_no_alert_where_the_rule_was_edited_or_little_changed(calm: Segment, admin: Any) -> None:
    grow(19)
    services.save_segment(Segment(), name="Other", rule=FRANCE, by=admin)
    history.record_sizes()
    assert not SegmentAlert.objects.exists()
    services.save_segment(calm, name="Spain", rule={"all": []}, by=admin)
    grow_more = [Shopper(external_id=f"z{n}", country="Spain") for n in range(60)]
    Shopper.objects.bulk_create(grow_more)
    history.record_sizes(timezone.now() + timedelta(days=1))
    assert SegmentSize.objects.filter(segment=calm, rule_changed=True).count() == 1
    assert not SegmentAlert.objects.exists()


def test_no_alert_below_seven_changes(segment: Segment, people: Any) -> None:
    now = timezone.now()
    for back in range(7, 0, -1):
        history.record_sizes(now - timedelta(days=back))
    grow(200)
    history.record_sizes(now)
    assert not SegmentAlert.objects.exists()


def test_old_alerts_are_no_news(calm: Segment) -> None:
    grow()
    history.record_sizes()
    assert len(history.open_alerts()) == 1
    assert history.open_alerts(timezone.now() + timedelta(days=7)) == []


# ---------- the card


def size(segment: Segment, back: int, n: int, came: int | None = None, left: int | None = None, **more: Any) -> None:
    on = timezone.localdate() - timedelta(days=back)
    since = on - timedelta(days=more.pop("nights", 1)) if came is not None else None
    SegmentSize.objects.create(segment=segment, on=on, size=n, came=came, left=left, since=since, **more)


@pytest.mark.parametrize(
    ("days", "says"),
    [
        ([(3, 100, None, None), (2, 110, 30, 20), (1, 220, 310, 200)], "Grew by 120 in 2 days: 340 came, 220 left"),
        ([(1, 100, None, None), (0, 90, 5, 15)], "Shrank by 10 in 1 day: 5 came, 15 left"),
        ([(1, 100, None, None), (0, 100, 5, 5)], "As large as 1 day ago: 5 came, 5 left"),
        # What was before the week is on the chart, but not in its title.
        ([(9, 100, None, None), (8, 50, 0, 50), (0, 51, 1, 0)], "Grew by 1 in 1 day: 1 came, 0 left"),
        ([(1, 100, None, None), (0, 90, None, None)], "Size over 1 day"),
    ],
)
def test_the_title_is_the_finding(segment: Segment, days: list[tuple[Any, ...]], says: str) -> None:
    for row in days:
        size(segment, *row)
    chart = growth.size_chart(segment)
    assert chart is not None
    assert chart.finding == says
    assert len(chart.rows) == len(days)


def test_growth_by_an_edit_is_not_sold_as_growth(client_for: Any, marketer: Any, segment: Segment) -> None:
    size(segment, 3, 100)
    size(segment, 2, 900, 800, 0, rule_changed=True)
    size(segment, 0, 910, 20, 10, nights=2)
    page = client_for(marketer).get(reverse("segments:detail", args=[segment.uuid])).content.decode()
    assert "Grew by 10 in 2 days: 20 came, 10 left" in page
    assert "what that did is not counted" in page
    assert "rule changed" in page
    assert "since 2 days ago" in page
    chart = growth.size_chart(segment)
    assert chart is not None
    assert [list(one["y"]) for one in chart.figure["data"][1:]] == [[20], [-10]]


def test_an_edit_writes_the_record_of_the_day_again_and_marks_it(
    segment: Segment, people: Any, make_shopper: Any, admin: Any
) -> None:
    now = timezone.now()
    make_shopper(country="France")
    history.record_sizes(now - timedelta(days=1))
    history.record_sizes(now)
    services.save_segment(segment, name="Spain", rule=FRANCE, by=admin)
    history.record_sizes(now)
    assert [one[:3] + one[4:] for one in records(segment)] == [(5, None, None, False), (1, 1, 5, True)]
    # Who can be emailed is counted beside it.
    assert set(SegmentSize.objects.values_list("mailable", flat=True)) == {0}
