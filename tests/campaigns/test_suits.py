"""Who an email suits best: the card, and the audience of just these."""

import sys
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from behaviour.models import Shopper
from campaigns import suits, tasks, themes
from campaigns.models import Campaign
from mailai.accounts.models import AuditEntry
from mailai.errors import InputError
from segments.models import Segment, ShopperList
from tests.campaigns.tastes import N_SHOPPERS, draft_about


def test_the_card_counts_and_one_click_makes_them_the_audience(addresses, inbox, desk):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    answer = desk.get(reverse("campaigns:suits", args=[draft.uuid]))
    found = answer.context["suits"]
    assert found.n_audience == N_SHOPPERS
    assert 0.35 < found.share < 0.65
    assert found.n_by_taste + found.n_lively == found.n_likely
    assert found.rate_likely > found.rate_all
    assert [one.name for one, _cosine, _rate in found.alike] == ["Sent 8", "Sent 6", "Sent 4"]
    assert "Emails like it" in answer.content.decode()

    answer = desk.post(reverse("campaigns:keep_likely", args=[draft.uuid]))
    assert answer.url == reverse("campaigns:review", args=[draft.uuid])
    draft.refresh_from_db()
    made = ShopperList.objects.get()
    assert (draft.segment.name, made.n_members) == ("Likely to like “Draft”", found.n_likely)
    assert draft.segment.rule == {"all": [{"list": str(made.uuid)}]}
    members = set(made.members.values_list("shopper_id", flat=True))
    mugs = {shopper.pk for shopper in addresses[::2]}
    assert len(members & mugs) > 0.9 * len(members)


def test_the_audience_of_before_still_holds(addresses, inbox):
    themes.learn()
    few = Segment.objects.create(name="Few", rule={"field": "country", "op": "=", "value": "FR"})
    Shopper.objects.filter(pk__in=[one.pk for one in addresses[:20]]).update(country="FR")
    draft = draft_about(inbox, "Mugs", segment=few)
    made = suits.keep_likely(draft, by=None)
    assert made.rule["all"][0] == {"segment": str(few.uuid)}
    assert 0 < ShopperList.objects.get().n_members <= 12
    Shopper.objects.all().update(country="GB")
    nobody = draft_about(inbox, "Mugs", segment=few)
    with pytest.raises(InputError):
        suits.keep_likely(nobody, by=None)


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen while those who are likely to like a mail are looked for."""

    def set_to(happens):
        find = themes.likely

        def likely(*asked):
            found = find(*asked)
            happens()
            return found

        monkeypatch.setattr(themes, "likely", likely)

    return set_to


def test_what_the_marketer_changed_while_they_were_looked_for_stays(addresses, inbox, desk, meanwhile):
    themes.learn()
    draft, door = draft_about(inbox, "Mugs"), "campaigns:audience"
    changed = {"name": "Autumn", "segment": "", "control_share": "0.2"}
    meanwhile(lambda: desk.post(reverse(door, args=[draft.uuid]), changed))
    desk.post(reverse("campaigns:keep_likely", args=[draft.uuid]))
    draft.refresh_from_db()
    assert (draft.name, draft.control_share) == ("Autumn", 0.2)
    assert draft.segment.name == "Likely to like “Draft”"


def test_an_audience_that_was_changed_while_they_were_looked_for_stays_as_it_is(addresses, inbox, desk, meanwhile):
    themes.learn()
    draft, few = draft_about(inbox, "Mugs"), Segment.objects.create(name="Few", rule={"all": []})
    changed = {"name": "Draft", "segment": few.pk, "control_share": "0.0"}
    meanwhile(lambda: desk.post(reverse("campaigns:audience", args=[draft.uuid]), changed))
    page = desk.post(reverse("campaigns:keep_likely", args=[draft.uuid]), follow=True).content.decode()
    assert "The audience was changed meanwhile, so it stays as it is." in page
    draft.refresh_from_db()
    assert draft.segment == few


def click(desk, draft, audience):
    return desk.post(reverse("campaigns:keep_likely", args=[draft.uuid]), {"audience": audience}, follow=True)


def left_to_a_worker(desk, draft, monkeypatch, *, clicks):
    """Click so often, and return what a worker was told."""
    messages = []
    monkeypatch.setattr(suits, "AT_ONCE", 10)
    monkeypatch.setattr(tasks.keep_likely, "delay_on_commit", lambda *message: messages.append(message))
    audience = card_of(desk, draft).context["audience"]
    for _click in range(clicks):
        click(desk, draft, audience)
    return messages


def card_of(desk, draft):
    return desk.get(reverse("campaigns:suits", args=[draft.uuid]))


def made_of(draft):
    """Return how many lists there are, and what the audience is but for the list."""
    draft.refresh_from_db()
    *before, last = draft.segment.rule["all"]
    assert last == {"list": str(ShopperList.objects.first().uuid)}
    return ShopperList.objects.count(), before


def test_a_second_click_makes_no_second_list(addresses, inbox, desk):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    card = card_of(desk, draft)
    assert f'name="audience" value="{card.context["audience"]}"' in card.content.decode()
    click(desk, draft, card.context["audience"])
    page = click(desk, draft, card.context["audience"]).content.decode()
    assert "The audience was changed meanwhile, so it stays as it is." in page
    assert (made_of(draft), Segment.objects.count()) == ((1, []), 1)


def test_two_clicks_and_a_message_that_comes_twice_make_one_list(addresses, inbox, desk, monkeypatch, meanwhile):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    messages = left_to_a_worker(desk, draft, monkeypatch, clicks=2)
    assert "They are being looked for" in card_of(desk, draft).content.decode()
    twice = iter([messages[1]])
    # The second runs while the first does.
    meanwhile(lambda: [tasks.keep_likely(*message) for message in twice])
    for message in messages * 2:
        tasks.keep_likely(*message)
    assert (made_of(draft), Segment.objects.count()) == ((1, []), 1)
    draft.refresh_from_db()
    assert (draft.narrowing_to, draft.narrowing_refused) == ("", "")


def test_a_run_that_was_killed_goes_on_with_its_list(addresses, inbox, desk, monkeypatch):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    (message,) = left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    with monkeypatch.context() as patch:
        patch.setattr(suits.segment_services, "segment_of", lambda *asked, **more: sys.exit())
        with pytest.raises(SystemExit):
            tasks.keep_likely(*message)
    assert (ShopperList.objects.count(), Segment.objects.count()) == (1, 0)
    tasks.keep_likely(*message)
    assert (made_of(draft), Segment.objects.count()) == ((1, []), 1)


def test_a_message_about_another_audience_does_nothing(addresses, inbox, desk, monkeypatch):
    themes.learn()
    draft, few = draft_about(inbox, "Mugs"), Segment.objects.create(name="Few", rule={"all": []})
    (message,) = left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    changed = {"name": "Draft", "segment": few.pk, "control_share": "0.0"}
    desk.post(reverse("campaigns:audience", args=[draft.uuid]), changed)
    tasks.keep_likely(*message)
    draft.refresh_from_db()
    assert (draft.segment, ShopperList.objects.count()) == (few, 0)


def test_a_lost_message_is_sent_again_by_the_sweep(addresses, inbox, desk, monkeypatch, marketer):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    assert left_to_a_worker(desk, draft, monkeypatch, clicks=1) == [(draft.pk,)]
    tasks.sweep()
    assert not ShopperList.objects.exists()
    Campaign.objects.update(narrowing_at=timezone.now() - suits.ASK_AGAIN - timedelta(seconds=1))
    tasks.sweep()
    assert (made_of(draft), Segment.objects.count()) == ((1, []), 1)
    assert AuditEntry.objects.get(action="campaign.audience").user == marketer
    assert suits.left() == []


def test_a_wish_of_the_version_before_is_told_again_too(addresses, inbox, desk, monkeypatch):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    Campaign.objects.update(narrowing_at=None)
    assert suits.left() == [draft.pk]
    assert suits.left() == []
    tasks.keep_likely(draft.pk, 1, "Likely to like “Draft”", None, None)
    assert (made_of(draft), Segment.objects.count()) == ((1, []), 1)


def test_an_error_that_nobody_expected_is_told_and_not_tried_for_ever(addresses, inbox, desk, monkeypatch):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    monkeypatch.setattr(themes, "likely", lambda *asked: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tasks.keep_likely(draft.pk)
    assert "error that nobody expected" in card_of(desk, draft).content.decode()
    draft.refresh_from_db()
    assert draft.narrowing_to == ""


def test_a_search_for_another_audience_neither_makes_its_list_nor_refuses_the_new_wish(
    addresses, inbox, desk, monkeypatch, meanwhile
):
    themes.learn()
    draft, few = draft_about(inbox, "Mugs"), Segment.objects.create(name="Few", rule={"all": []})
    (message,) = left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    changed = {"name": "Draft", "segment": few.pk, "control_share": "0.0"}

    def choose_another_and_wish_again():
        desk.post(reverse("campaigns:audience", args=[draft.uuid]), changed)
        click(desk, draft, card_of(desk, draft).context["audience"])

    meanwhile(choose_another_and_wish_again)
    tasks.keep_likely(*message)
    draft.refresh_from_db()
    assert (draft.narrowing_to, draft.narrowing_refused) == ("Likely to like “Draft”", "")
    assert (draft.segment, ShopperList.objects.count()) == (few, 0)


def test_what_a_worker_refused_stands_on_the_card(addresses, inbox, desk, monkeypatch):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    (message,) = left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    with monkeypatch.context() as patch:
        patch.setattr(themes, "likely", lambda *asked: np.empty(0, np.int64))
        tasks.keep_likely(*message)
    assert "Nobody of this audience is likely" in card_of(desk, draft).content.decode()
    desk.cookies["django_language"] = "zh-hans"
    assert "这些受众中没有人" in card_of(desk, draft).content.decode()
    del desk.cookies["django_language"]
    # Until something else is written.
    desk.post(reverse("campaigns:content", args=[draft.uuid]), {"mjml": "<mjml></mjml>"})
    assert "Nobody of this audience is likely" not in card_of(desk, draft).content.decode()


def test_of_a_large_audience_a_sample_is_asked_and_a_worker_does_the_rest(
    addresses, inbox, desk, monkeypatch, settings
):
    themes.learn()
    draft = draft_about(inbox, "Mugs")
    exact = suits.suits(draft).n_likely
    monkeypatch.setattr(suits, "SAMPLE", 100)
    found = suits.suits(draft)
    assert found.is_sample
    assert found.low <= exact <= found.high
    assert "from a sample" in desk.get(reverse("campaigns:suits", args=[draft.uuid])).content.decode()
    (message,) = left_to_a_worker(desk, draft, monkeypatch, clicks=1)
    tasks.keep_likely(*message)
    assert ShopperList.objects.get(name="Likely to like “Draft”").n_members == exact


def test_no_stranger_sees_or_narrows_an_audience(client, client_for, manager, shop_of_tastes, inbox):
    draft = draft_about(inbox, "Mugs")
    for door, method in (("suits", "get"), ("keep_likely", "post")):
        url = reverse(f"campaigns:{door}", args=[draft.uuid])
        assert getattr(client, method)(url).status_code == 302
        assert getattr(client_for(manager), method)(url).status_code == 403
