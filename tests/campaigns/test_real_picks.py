"""What became of picks in sent mails, up to the card of the recommender page."""

import tracemalloc
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from behaviour.models import Shopper
from campaigns import real_picks
from campaigns.models import LinkClick, Message, TrackedLink
from recommender import outcomes
from recommender.core.shares import Sums, share
from recommender.models import TrainingRun

NOW = timezone.now()


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.delete(outcomes.COUNTED)


@pytest.fixture
def campaign(inbox, make_campaign):
    campaign = make_campaign(inbox, run=TrainingRun.objects.create(algorithm="sequence", state="done"))
    TrackedLink.objects.create(campaign=campaign, number=1, pick=1)
    return campaign


def sent(campaign, shopper, picks, *, state=Message.State.SENT, days=3, clicked=None):
    """Send a mail that shows (product, level) pairs; ``clicked`` is one of the products."""
    at = NOW - timedelta(days=days)
    control = state == Message.State.CONTROL
    message = Message.objects.create(
        campaign=campaign, shopper=shopper, state=state, arm="A", probability=1, draw=0.5, due_at=at, run=campaign.run,
        sent_at=None if control else at,
        picks=[{"product": p.pk, "score": 1.0, "level": level, "because": {}} for p, level in picks],
    )  # fmt: skip
    if clicked:
        LinkClick.objects.create(message=message, link=campaign.links.get(), product=clicked, first_at=at)
    return message


def told_by_source():
    return {one.source: one for one in real_picks.told(timedelta(days=28))}


def test_each_pick_counts_for_what_chose_it(campaign, shoppers, products, make_event):
    one, other, held, old = shoppers[:4]
    personal, rung = [(products[3], "personal"), (products[4], "personal")], [(products[5], "trending")]
    sent(campaign, one, personal + rung, clicked=products[3])
    sent(campaign, other, personal)
    sent(campaign, held, personal, state=Message.State.CONTROL)
    sent(campaign, old, personal, days=29)
    day = timedelta(days=1)
    make_event(one, at=NOW - 2 * day, product=products[4])
    # Before the mail, after the seven days, another's, and a product that was not shown: none counts.
    make_event(other, at=NOW - 4 * day, product=products[3])
    make_event(other, at=NOW - 2 * day, product=products[0])
    make_event(held, at=NOW - 1 * day, product=products[3])
    found = told_by_source()
    assert set(found) == {"sequence", "trending"}
    model = found["sequence"]
    assert model.clicked == Sums(groups=2, k=1, n=4, kk=1, kn=2, nn=8)
    assert model.bought == Sums(groups=2, k=1, n=4, kk=1, kn=2, nn=8)
    assert model.held_back == Sums(groups=1, k=1, n=2, kk=1, kn=2, nn=4)
    assert (found["trending"].clicked.n, found["trending"].held_back) == (1, None)


def test_an_order_after_the_window_of_the_shop_is_none(campaign, shoppers, products, make_event, shop):
    sent(campaign, shoppers[0], [(products[3], "personal")], days=20)
    make_event(shoppers[0], at=NOW - timedelta(days=12, hours=23), product=products[3])
    assert told_by_source()["sequence"].bought.k == 0
    make_event(shoppers[0], at=NOW - timedelta(days=13, hours=1), product=products[3])
    assert told_by_source()["sequence"].bought.k == 1


def test_demo_mails_are_said_to_be_and_one_real_one_makes_them_real(campaign, shoppers, products):
    type(shoppers[0]).objects.update(demo=True)
    sent(campaign, shoppers[0], [(products[3], "personal")])
    assert told_by_source()["sequence"].demo
    type(shoppers[0]).objects.filter(pk=shoppers[1].pk).update(demo=False)
    sent(campaign, shoppers[1], [(products[3], "personal")])
    assert not told_by_source()["sequence"].demo


def test_the_card_names_algorithms_and_keeps_silent_of_few(
    client_for, manager, campaign, shoppers, products, monkeypatch
):
    door = reverse("recommender:outcomes")
    client = client_for(manager)
    assert "No email with picks was sent" in client.get(door).content.decode()
    cache.delete(outcomes.COUNTED)
    for n, shopper in enumerate(shoppers):
        row = [(products[3], "personal"), (products[4], "popular")]
        sent(campaign, shopper, row, clicked=products[3] if n < 2 else None)
    page = client.get(door).content.decode()
    assert "What comes next" in page
    assert "Best-sellers" in page
    assert "Too early" in page
    assert "Clicked" not in page
    monkeypatch.setattr(outcomes, "MIN_SHOWN", 8)
    page = client.get(door).content.decode()
    assert '25.0% <span class="mx-ci">' in page
    assert "invented" not in page


def test_the_card_waits_for_a_worker_and_asks_one_at_a_time(client_for, manager, shop, monkeypatch):
    asked = []
    monkeypatch.setattr("recommender.tasks.count_outcomes.delay", lambda: asked.append(1))
    door, client = reverse("recommender:outcomes"), client_for(manager)
    for _look in range(2):
        page = client.get(door).content.decode()
        assert 'hx-trigger="every 2s"' in page
        assert "No email with picks" not in page
    assert asked == [1]
    for _message in range(2):
        outcomes.count()
    page = client.get(door).content.decode()
    assert "every 2s" not in page
    assert "No email with picks was sent" in page
    assert asked == [1]
    monkeypatch.setattr(outcomes, "FRESH", timedelta(0))
    assert "No email with picks was sent" in client.get(door).content.decode()
    assert asked == [1, 1]


def test_a_stranger_sees_no_outcomes(client, shop):
    assert client.get(reverse("recommender:outcomes")).status_code == 302


def test_shares_of_groups_are_less_sure_than_shares_of_things():
    # Four shoppers with 0, 3, 3 and 0 of 3: p = .5, sum((k - p n)^2) = 4 * 2.25 = 9, se = sqrt(4/3 * 9) / 12 = .2887.
    together = share(Sums(groups=4, k=6, n=12, kk=18, kn=18, nn=36))
    assert together == pytest.approx({"value": 0.5, "low": 0.0, "high": 1.0}, abs=0.07)
    assert together["high"] - 0.5 == pytest.approx(min(1.959964 * 0.288675, 0.5))
    # The same clicks, spread evenly: nobody differs.
    assert share(Sums(groups=6, k=6, n=12, kk=6, kn=12, nn=24))["low"] == pytest.approx(0.5)
    assert share(Sums(groups=60, k=0, n=180, kk=0, kn=0, nn=540)) == {"value": 0.0, "low": 0.0, "high": 0.05}
    assert share(Sums(groups=60, k=180, n=180, kk=540, kn=540, nn=540))["low"] == 0.95
    assert share(Sums(groups=1, k=1, n=3, kk=1, kn=3, nn=9))["high"] == 1.0


def test_blocks_of_shoppers_count_as_all_at_once(campaign, shoppers, products, make_event, monkeypatch):
    for n, shopper in enumerate(shoppers):
        state = Message.State.CONTROL if n % 3 == 0 else Message.State.SENT
        picks = [(products[3], "personal"), (products[4], "trending"), (products[5], "nobody knows")]
        sent(
            campaign, shopper, picks, state=state, clicked=products[3 + n % 2] if state == Message.State.SENT else None
        )
        make_event(shopper, at=NOW - timedelta(days=1), product=products[2 + n % 3])
    whole = real_picks.told(timedelta(days=28))
    assert [one.source for one in whole] == ["sequence", "trending"]
    assert {one.clicked.groups for one in whole} == {5}
    assert all(one.clicked.k and one.bought.k and one.held_back.groups == 3 for one in whole)
    for size in (1, 3):
        monkeypatch.setattr(real_picks, "BLOCK", size)
        monkeypatch.setattr(real_picks, "CLICKS", size)
        assert real_picks.told(timedelta(days=28)) == whole


def test_no_more_picks_are_held_than_those_of_a_block(campaign, products, monkeypatch):
    """The picks of all 300 shoppers would be 30,000 rows of numbers; a block has a tenth."""
    monkeypatch.setattr(real_picks, "BLOCK", 30, raising=False)
    people = Shopper.objects.bulk_create(Shopper(external_id=f"many{n}") for n in range(300))
    at, picks = NOW - timedelta(days=3), [{"product": products[3].pk, "level": "personal"}] * 100
    Message.objects.bulk_create(
        Message(campaign=campaign, shopper=shopper, state=Message.State.SENT, arm="A", probability=1, draw=0.5,
                due_at=at, sent_at=at, run=campaign.run, picks=picks)
        for shopper in people
    )  # fmt: skip
    told_by_source()
    tracemalloc.start()
    found = told_by_source()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["sequence"].clicked.n == 30_000
    assert peak < 2_000_000
