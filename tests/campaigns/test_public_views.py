"""The addresses in mails: they answer whatever happens, change nothing by a look, lead only where the mail leads."""

import re
from urllib.parse import urlsplit

import pytest
from django.test import Client

from behaviour.models import Consent, Event, Product, Shop
from campaigns import addresses, delivery, inbox, planning, spool
from campaigns.models import InboxMail, Message, TrackedLink
from campaigns.state import campaign_state

AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


@pytest.fixture
def sent(ready):
    Shop.objects.update(url="https://shop.example")
    planning.plan_campaign(ready.pk)
    delivery.send_due(ready.pk)
    return ready


@pytest.fixture
def message(sent):
    return Message.objects.select_related("shopper").order_by("pk").first()


@pytest.fixture
def reader():
    """Somebody without login, whose posts are checked as in production."""
    return Client(enforce_csrf_checks=True, headers=AGENT)


def path(address):
    return urlsplit(address).path


def noted():
    return [entry for _file, found in spool.take(settle=0) for entry in found]


def test_every_address_of_a_real_mail_works(message, reader):
    mail = inbox.parsed(InboxMail.objects.get(message=message))
    html = inbox.part(mail, "html")
    clicks = set(re.findall(r'href="http[^"]*(/c/[^"]+)"', html))
    assert len(clicks) == 4
    targets = {reader.get(click).headers["Location"] for click in clicks}
    urls = {Product.objects.get(pk=pick["product"]).url for pick in message.picks}
    assert targets == urls | {"https://shop.example"}
    (pixel,) = re.findall(r'src="http[^"]*(/o/[^"]+)"', html)
    assert reader.get(pixel).headers["Content-Type"] == "image/gif"
    assert reader.get(path(mail["List-Unsubscribe"].strip(" <>"))).status_code == 200
    assert sorted(entry["kind"] for entry in noted()) == ["click"] * 4 + ["open"]


def test_the_pixel_is_a_gif_that_nobody_keeps(message, reader):
    answer = reader.get(path(addresses.open_address(message.uuid)))
    assert answer.content.startswith(b"GIF89a")
    assert "no-store" in answer.headers["Cache-Control"]
    assert [(entry["kind"], entry["message"], entry["m"]) for entry in noted()] == [("open", message.uuid.hex, False)]


def test_a_prefetch_is_noted_as_a_machine(message, reader):
    reader.get(path(addresses.open_address(message.uuid)), headers={"Sec-Purpose": "prefetch"})
    assert [entry["m"] for entry in noted()] == [True]


def test_a_head_leaves_no_trace(message, reader):
    link = TrackedLink.objects.filter(campaign=message.campaign_id).first()
    assert reader.head(path(addresses.open_address(message.uuid))).status_code == 200
    assert reader.head(path(addresses.click_address(message.uuid, link.number))).status_code == 302
    assert reader.head(path(addresses.unsubscribe_address(message.uuid))).status_code == 200
    assert noted() == []
    message.shopper.refresh_from_db()
    assert message.shopper.marketing == "given"


@pytest.mark.parametrize("token", ["x", "A" * 38, "..", "%00", "é"])
def test_a_forged_token_gets_a_picture_or_a_page_and_no_record(token, sent, reader):
    assert reader.get(f"/o/{token}.gif").content.startswith(b"GIF89a")
    for address in (f"/c/{token}", f"/u/{token}"):
        answer = reader.get(address)
        assert answer.status_code == 404
        assert b"<h1>" in answer.content
    assert reader.post(f"/u/{token}").status_code == 404
    assert noted() == []
    assert not Consent.objects.exists()


def test_a_token_of_one_purpose_opens_no_other_door(message, reader):
    token = path(addresses.open_address(message.uuid)).removeprefix("/o/").removesuffix(".gif")
    assert reader.get(f"/c/{token}").status_code == 404
    assert reader.post(f"/u/{token}").status_code == 404
    assert noted() == []


def test_a_removed_campaign_leaves_a_neutral_page(message, sent, reader):
    click, leave = addresses.click_address(message.uuid, 1), addresses.unsubscribe_address(message.uuid)
    Message.objects.filter(campaign=sent).delete()
    sent.delete()
    assert reader.get(path(click)).status_code == 404
    assert reader.get(path(addresses.open_address(message.uuid))).status_code == 200
    answer = reader.post(path(leave))
    assert answer.status_code == 404
    assert not Consent.objects.exists()


def test_a_link_leads_only_where_its_own_campaign_leads(message, make_campaign, inbox, reader):
    other = make_campaign(inbox, name="Other")
    TrackedLink.objects.create(campaign=other, number=77, url="https://other.example/")
    assert reader.get(path(addresses.click_address(message.uuid, 77))).status_code == 404
    assert noted() == []


def test_no_part_of_the_request_chooses_the_target(message, reader):
    link = TrackedLink.objects.get(campaign=message.campaign_id, pick=None)
    address = path(addresses.click_address(message.uuid, link.number))
    answer = reader.get(f"{address}?next=https://evil.example&url=//evil.example", headers={"Host": "testserver"})
    assert answer.headers["Location"] == "https://shop.example"


def test_a_product_that_is_gone_leads_to_the_shop(message, reader):
    link = TrackedLink.objects.filter(campaign=message.campaign_id, pick=1).get()
    Product.objects.filter(pk=message.picks[0]["product"]).delete()
    answer = reader.get(path(addresses.click_address(message.uuid, link.number)))
    assert answer.headers["Location"] == "https://shop.example"


def test_looking_at_the_unsubscribe_page_changes_nothing(message, reader):
    answer = reader.get(path(addresses.unsubscribe_address(message.uuid)))
    assert b'<form method="post">' in answer.content
    message.refresh_from_db()
    assert message.unsubscribed_at is None
    assert not Consent.objects.exists()


@pytest.mark.parametrize("encoding", ["multipart/form-data; boundary=XX", "application/x-www-form-urlencoded", ""])
def test_one_click_unsubscribes_in_each_encoding_without_a_cookie(encoding, message, reader):
    form = b'--XX\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--XX--\r\n'
    body = form if "XX" in encoding else b"List-Unsubscribe=One-Click"
    address = path(addresses.unsubscribe_address(message.uuid))
    for _again in range(2):
        answer = reader.post(address, body, content_type=encoding)
        assert answer.status_code == 200
        assert b"You are unsubscribed" in answer.content
    message.shopper.refresh_from_db()
    assert message.shopper.marketing == "withdrawn"
    assert Consent.objects.count() == Event.objects.filter(kind="unsubscribe").count() == 1


def test_who_unsubscribed_gets_no_later_campaign(message, reader, make_campaign, inbox):
    reader.post(path(addresses.unsubscribe_address(message.uuid)))
    later = make_campaign(inbox, name="Later")
    planning.plan_campaign(later.pk)
    delivery.send_due(later.pk)
    assert campaign_state(later)["skipped"] == {"no_consent": 1}
    assert not InboxMail.objects.filter(message__campaign=later, shopper=message.shopper).exists()


def test_the_unsubscribe_page_takes_no_other_method(message, reader):
    assert reader.put(path(addresses.unsubscribe_address(message.uuid))).status_code == 405


def test_a_full_disk_still_leads_on(message, reader, monkeypatch):
    def full(_entry):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "append", full)
    link = TrackedLink.objects.get(campaign=message.campaign_id, pick=None)
    assert reader.get(path(addresses.click_address(message.uuid, link.number))).status_code == 302
    assert reader.get(path(addresses.open_address(message.uuid))).status_code == 200


def test_the_pixel_asks_the_database_nothing(message, reader, django_assert_num_queries):
    address = path(addresses.open_address(message.uuid))
    with django_assert_num_queries(0):
        reader.get(address)


def test_pixel_and_redirect_set_no_cookie(message, reader):
    for address in (addresses.open_address(message.uuid), addresses.click_address(message.uuid, 1)):
        assert not reader.get(path(address)).cookies


def test_hostile_shop_names_stay_text_on_the_public_pages(message, reader):
    Shop.objects.update(name="<script>alert(1)</script>")
    for address in ("/c/x", path(addresses.unsubscribe_address(message.uuid))):
        assert b"<script>alert" not in reader.get(address).content
