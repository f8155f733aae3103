"""Last click wins: the fast way against an obvious one, and what is written on the messages."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaviour.models import Event
from campaigns import attribution
from campaigns.core import attribution as core
from campaigns.models import Campaign, Message

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def frame(rows, *columns):
    made = pd.DataFrame(rows, columns=list(columns))
    made["at"] = pd.to_datetime(made["at"], utc=True)
    return made


def slowly(clicks, orders, days):
    """For each order look at every click."""
    found = {}
    for shopper, at, amount in orders:
        before = [(click_at, message) for who, message, click_at in clicks if who == shopper and click_at <= at]
        if not before:
            continue
        latest = max(click_at for click_at, _message in before)
        if at - latest > timedelta(days=days):
            continue
        message = [message for click_at, message in before if click_at == latest][-1]
        first, revenue = found.get(message, (at, 0))
        found[message] = (min(first, at), revenue + amount)
    return found


minutes = st.integers(0, 40).map(lambda step: START + step * timedelta(hours=6))
clicks_of = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5), minutes), min_size=1, max_size=15)
orders_of = st.lists(st.tuples(st.integers(1, 3), minutes, st.integers(-5, 50)), min_size=1, max_size=15)


@given(clicks_of, orders_of, st.integers(1, 7))
def test_it_finds_what_a_slow_search_finds(clicks, orders, days):
    found = core.attribute(
        frame(clicks, "shopper", "message", "at"), frame(orders, "shopper", "at", "amount"), days
    ).to_dict("index")
    got = {message: (row["ordered_at"].to_pydatetime(), row["revenue"]) for message, row in found.items()}
    assert got == slowly(clicks, orders, days)


@given(clicks_of, orders_of, st.integers(1, 7))
def test_no_order_is_counted_twice(clicks, orders, days):
    found = core.attribute(frame(clicks, "shopper", "message", "at"), frame(orders, "shopper", "at", "amount"), days)
    gains = [(shopper, at, max(amount, 0)) for shopper, at, amount in orders]
    assert found["revenue"].sum() <= sum(amount for _shopper, _at, amount in gains)


def test_nothing_to_attribute():
    empty = frame([], "shopper", "message", "at")
    assert core.attribute(empty, frame([(1, START, 5)], "shopper", "at", "amount"), 7).empty
    assert core.attribute(
        frame([(1, 1, START)], "shopper", "message", "at"), frame([], "shopper", "at", "amount"), 7
    ).empty


# --- on the messages


@pytest.fixture
def mail(shop, make_shopper, make_event):
    """Make a message that was clicked at a moment."""
    ann = make_shopper("ann@mail.example")

    def make(clicked_at, *, shopper=None):
        campaign = Campaign.objects.create(name="C")
        message = Message.objects.create(
            campaign=campaign, shopper=shopper or ann, state="sent", arm="A", probability=1, draw=0, due_at=START,
            clicked_at=clicked_at,
        )  # fmt: skip
        make_event(message.shopper, "email_click", at=clicked_at, message=message.uuid)
        return message

    return make


@pytest.fixture
def order(make_event):
    def make(message, at, amount="20.00"):
        return make_event(message.shopper, at=at, amount=None if amount is None else Decimal(amount))

    return make


def figures(message):
    message.refresh_from_db()
    return message.ordered_at, message.revenue


def test_the_last_click_earns_the_order(mail, order):
    first, second = mail(START), mail(START + DAY)
    order(first, START + 2 * DAY)
    assert attribution.attribute() == 1
    assert figures(first) == (None, 0)
    assert figures(second) == (START + 2 * DAY, Decimal("20.00"))


def test_several_lines_are_summed_and_the_first_gives_the_time(mail, order):
    message = mail(START)
    order(message, START + 2 * DAY, "5.50")
    order(message, START + DAY, "4.00")
    order(message, START + DAY, None)
    attribution.attribute()
    assert figures(message) == (START + DAY, Decimal("9.50"))


def test_outside_the_window_or_before_the_click_nothing_is_earned(mail, order, shop):
    message = mail(START)
    order(message, START - timedelta(seconds=1))
    order(message, START + shop.attribution_days * DAY + timedelta(seconds=1))
    assert attribution.attribute() == 0
    assert figures(message) == (None, 0)


def test_the_end_of_the_window_belongs_to_it(mail, order, shop):
    message = mail(START)
    order(message, START + shop.attribution_days * DAY)
    attribution.attribute()
    assert figures(message)[1] == Decimal("20.00")


def test_other_shoppers_orders_and_other_events_earn_nothing(mail, order, make_shopper, make_event):
    message = mail(START)
    make_event(make_shopper(), at=START + DAY, amount=Decimal("9.00"))
    make_event(message.shopper, "cart", at=START + DAY, amount=Decimal("9.00"))
    assert attribution.attribute() == 0


def test_running_again_changes_nothing_and_asks_little(mail, order, django_assert_max_num_queries):
    messages = [mail(START + number * DAY) for number in range(5)]
    for message in messages:
        order(message, START + 6 * DAY)
    assert attribution.attribute() == 1
    before = [figures(message) for message in messages]
    with django_assert_max_num_queries(5):
        assert attribution.attribute() == 0
    assert [figures(message) for message in messages] == before


def test_an_order_that_is_undone_is_taken_back(mail, order):
    message = mail(START)
    bought = order(message, START + DAY)
    attribution.attribute()
    assert figures(message)[0] is not None
    bought.delete()
    assert attribution.attribute() == 1
    assert figures(message) == (None, 0)


def test_two_clicks_at_the_same_moment_give_the_same_answer_every_time(mail, order):
    messages = [mail(START), mail(START)]
    order(messages[0], START + DAY)
    attribution.attribute()
    assert [figures(message)[1] for message in messages] == [0, Decimal("20.00")]
    assert attribution.attribute() == 0


def test_without_clicks_there_is_nothing_to_do(shop):
    assert attribution.attribute() == 0
    assert not Event.objects.exists()
