"""Opens, clicks and unsubscribes by the real public addresses."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from behaviour import consent
from behaviour.models import Consent, Event, Shopper
from campaigns import addresses, attribution, delivery, inbox, planning, spool, tracking
from campaigns.core import tokens
from campaigns.models import InboxMail, LinkClick, Message

PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"


@pytest.fixture
def sent(shoppers, inbox, make_campaign):
    """A sent campaign and the message to its first shopper."""
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    delivery.send_due(campaign.pk)
    return Message.objects.get(shopper=shoppers[0])


def get(client, address, agent=PERSON, **headers):
    return client.get(urlsplit(address).path, headers={"User-Agent": agent, **headers})


def link_number(message, pick):
    return message.campaign.links.get(pick=pick).number


def load(message):
    loaded = tracking.load_spool(settle=0)
    message.refresh_from_db()
    return loaded


def test_an_open_is_answered_by_a_picture_and_counted_once_however_often_it_is_loaded(client, sent):
    answer = get(client, addresses.open_address(sent.uuid))
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
    assert not Event.objects.filter(kind="email_open").exists()
    assert (load(sent), load(sent)) == (1, 0)
    assert sent.opened_at is not None
    assert sent.clicked_at is None
    assert Event.objects.get(kind="email_open").message == sent.uuid


def test_a_click_leads_to_the_shoppers_own_product_and_implies_an_open(client, sent):
    address = addresses.click_address(sent.uuid, link_number(sent, 1))
    answer = get(client, address)
    product = sent.picks[0]["product"]
    assert answer.status_code == 302
    assert answer["Location"].startswith("https://shop.example/p")
    get(client, address)
    load(sent)
    assert sent.opened_at is not None
    assert sent.clicked_at is not None
    row = LinkClick.objects.get(message=sent)
    assert (row.n_clicks, row.product_id) == (2, product)
    assert Event.objects.filter(kind="email_click", product_id=product).count() == 2


def test_a_spool_file_that_is_read_twice_after_a_kill_adds_nothing(client, sent, monkeypatch):
    get(client, addresses.click_address(sent.uuid, link_number(sent, 1)))
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", lambda *_args, **_options: None)
        assert load(sent) == 1
    assert load(sent) == 0
    assert LinkClick.objects.get().n_clicks == 1
    assert Event.objects.filter(kind="email_click").count() == 1


def test_a_second_reader_leaves_the_spool_to_the_first(client, sent):
    get(client, addresses.open_address(sent.uuid))
    with spool.reading_alone() as alone:
        assert alone
        assert load(sent) == 0
    assert load(sent) == 1


def test_a_torn_line_does_not_hide_the_others(client, sent):
    get(client, addresses.open_address(sent.uuid))
    (file,) = (settings.MAILAI_DATA_DIR / "spool").glob("*.jsonl")
    file.write_text('{"kind": "op\n' + file.read_text())
    assert load(sent) == 1


@pytest.mark.parametrize(
    ("agent", "headers"),
    [
        ("Mozilla/5.0", {}),
        ("", {}),
        ("Barracuda Sentinel", {}),
        ("Googlebot/2.1", {}),
        (PERSON, {"Sec-Purpose": "prefetch"}),
    ],
)
def test_a_machine_is_remembered_as_one_and_not_as_an_open(client, sent, agent, headers):
    get(client, addresses.open_address(sent.uuid), agent, **headers)
    get(client, addresses.click_address(sent.uuid, link_number(sent, 1)), agent, **headers)
    load(sent)
    assert sent.machine_opened_at is not None
    assert sent.opened_at is None
    assert sent.clicked_at is None
    assert not Event.objects.filter(kind__in=["email_open", "email_click"]).exists()


def test_head_leaves_no_trace(client, sent):
    for address in (addresses.open_address(sent.uuid), addresses.click_address(sent.uuid, link_number(sent, 1))):
        client.head(urlsplit(address).path, headers={"User-Agent": PERSON})
    assert load(sent) == 0


def test_forged_tokens_get_the_same_as_noise_and_store_nothing(client, sent):
    forged = tokens.make("click", sent.uuid, link_number(sent, 1), b"not our key")
    for token in (forged, "x", "A" * 38):
        assert client.get(f"/c/{token}").status_code == 404
        assert client.get(f"/o/{token}.gif")["Content-Type"] == "image/gif"
        assert client.post(f"/u/{token}").status_code == 404
    assert load(sent) == 0
    assert sent.unsubscribed_at is None


def test_a_link_of_another_campaign_is_not_reached(client, sent):
    assert get(client, addresses.click_address(sent.uuid, 999)).status_code == 404


def test_a_deleted_campaign_shows_a_neutral_page(client, sent):
    address, pixel = addresses.click_address(sent.uuid, link_number(sent, 1)), addresses.open_address(sent.uuid)
    uuid, campaign = sent.uuid, sent.campaign
    InboxMail.objects.all().delete()
    Message.objects.filter(campaign=campaign).delete()
    campaign.delete()
    assert get(client, address).status_code == 404
    assert get(client, pixel)["Content-Type"] == "image/gif"
    assert client.post(urlsplit(addresses.unsubscribe_address(uuid)).path).status_code == 404
    tracking.load_spool(settle=0)
    assert not Event.objects.filter(message=uuid).exists()


def test_looking_at_the_unsubscribe_page_changes_nothing(client, sent):
    path = urlsplit(addresses.unsubscribe_address(sent.uuid)).path
    assert client.get(path).status_code == client.head(path).status_code == 200
    assert Shopper.objects.get(pk=sent.shopper_id).marketing == "given"


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click", ""])
def test_one_click_unsubscribes_at_once_without_cookie_or_token(sent, body, client):
    client.handler.enforce_csrf_checks = True
    path = urlsplit(addresses.unsubscribe_address(sent.uuid)).path
    for _again in range(3):
        answer = client.post(path, body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 200
    sent.refresh_from_db()
    assert sent.unsubscribed_at is not None
    assert Shopper.objects.get(pk=sent.shopper_id).marketing == "withdrawn"
    assert Event.objects.filter(kind="unsubscribe").count() == 1


def test_whoever_came_back_can_leave_again_by_the_same_mail(client, sent):
    path = urlsplit(addresses.unsubscribe_address(sent.uuid)).path
    client.post(path)
    consent.give([sent.shopper_id], Consent.Purpose.MARKETING, source="test", at=datetime.now(UTC))
    assert Shopper.objects.get(pk=sent.shopper_id).marketing == "given"
    client.post(path)
    assert Shopper.objects.get(pk=sent.shopper_id).marketing == "withdrawn"


def test_the_addresses_of_a_mail_are_those_that_work(client, sent):
    html = inbox.part(inbox.parsed(InboxMail.objects.get(message=sent)), "html")
    assert addresses.open_address(sent.uuid) in html
    assert addresses.unsubscribe_address(sent.uuid) in html
    assert settings.MAILAI_PUBLIC_URL in html
    assert str(sent.shopper.pk) not in addresses.open_address(sent.uuid).rsplit("/", 1)[0]


def test_an_order_belongs_to_the_last_click_within_the_window_and_again(client, sent, make_event, shop):
    Event.objects.filter(kind="purchase").delete()
    click = Event(
        shopper=sent.shopper, kind="email_click", at=datetime.now(UTC) - timedelta(days=3), message=sent.uuid,
        dedupe_key=sent.uuid,
    )  # fmt: skip
    click.save()
    Message.objects.filter(pk=sent.pk).update(clicked_at=click.at)
    within = click.at + timedelta(days=1)
    make_event(sent.shopper, at=within, amount=Decimal("12.50"))
    make_event(sent.shopper, at=within + timedelta(hours=1), amount=Decimal("7.50"))
    make_event(sent.shopper, at=click.at + timedelta(days=shop.attribution_days, minutes=1), amount=Decimal("99"))
    make_event(sent.shopper, at=click.at - timedelta(minutes=1), amount=Decimal("99"))
    assert (attribution.attribute(), attribution.attribute()) == (1, 0)
    sent.refresh_from_db()
    assert (sent.ordered_at, sent.revenue) == (within, Decimal("20.00"))
    Event.objects.filter(amount__in=[Decimal("12.50"), Decimal("7.50")]).delete()
    attribution.attribute()
    sent.refresh_from_db()
    assert (sent.ordered_at, sent.revenue) == (None, 0)


def test_the_spool_keeps_no_address_and_no_name(client, sent):
    get(client, addresses.open_address(sent.uuid))
    (file,) = (settings.MAILAI_DATA_DIR / "spool").glob("*.jsonl")
    assert set(json.loads(file.read_text())) == {"kind", "message", "number", "at", "m", "id"}
