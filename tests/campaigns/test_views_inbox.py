"""The demo inbox, and who may open which page of this room."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import delivery, planning
from campaigns.models import Campaign, InboxMail, Message
from mailai.accounts.models import AuditEntry

MAIL = "Subject: Hello %s\nFrom: Northlane <hello@shop.example>\nTo: Nora Quist <nora@mail.example>\n\nText\n"


@pytest.fixture
def sent(ready):
    """A campaign whose mails lie in the inbox."""
    planning.plan_campaign(ready.pk)
    delivery.send_due(ready.pk)
    return ready


def _queries(client, url):
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def _mails(number, make_shopper, campaign):
    for _n in range(number):
        shopper = make_shopper()
        message = Message.objects.create(
            campaign=campaign, shopper=shopper, arm="A", probability=1, draw=0.5, due_at=datetime.now(UTC),
            state="sent", clicked_at=datetime.now(UTC), revenue=Decimal("3.50"),
        )  # fmt: skip
        InboxMail.objects.create(message=message, shopper=shopper, raw=MAIL % shopper.pk)


def test_thirty_mails_cost_as_many_queries_as_three_and_the_rest_is_a_page_away(desk, ready, make_shopper):
    url = reverse("campaigns:inbox")
    _mails(3, make_shopper, ready)
    three = _queries(desk, url)
    _mails(27, make_shopper, ready)
    assert _queries(desk, url) == three
    first, second = desk.get(url), desk.get(url, {"page": 2})
    assert (len(first.context["lines"]), len(second.context["lines"])) == (25, 5)
    assert desk.get(url, {"page": "-1"}).status_code == 200


def test_thirty_campaigns_cost_as_many_queries_as_three_in_every_state(desk, inbox, make_campaign, make_shopper):
    url = reverse("campaigns:list")

    def make(number):
        for n, state in zip(range(number), list(Campaign.State) * 5, strict=False):
            _mails(2, make_shopper, make_campaign(inbox, name=f"{state} {n}", state=state))

    make(7)
    few = _queries(desk, url)
    make(23)
    assert _queries(desk, url) == few


def test_the_list_counts_each_message_once(desk, inbox, make_campaign, make_shopper):
    campaign = make_campaign(inbox, state="finished")
    _mails(3, make_shopper, campaign)
    Message.objects.update(delivered_at=datetime.now(UTC))
    row = next(iter(desk.get(reverse("campaigns:list")).context["page"]))
    assert (row.n_sent, row.n_delivered, row.n_clicked, row.revenue) == (3, 3, 3, Decimal("10.50"))


def test_a_mail_is_bold_until_it_is_read_and_addresses_are_masked(desk, sent):
    mail = InboxMail.objects.first()
    assert desk.get(reverse("campaigns:inbox")).content.decode().count("fw-normal") == 0
    page = desk.get(reverse("campaigns:inbox_mail", args=[mail.uuid])).content.decode()
    assert "@mail.example" in page
    assert mail.shopper.pseudonym in page
    assert "One-click unsubscribe in the header" in page
    assert "s7@mail.example" not in page
    assert desk.get(reverse("campaigns:inbox")).content.decode().count("fw-normal") == 1


def test_a_test_mail_says_that_it_is_one(desk, ready):
    desk.post(reverse("campaigns:test", args=[ready.uuid]), {"to": "me@shop.example"})
    mail = InboxMail.objects.get()
    page = desk.get(reverse("campaigns:inbox_mail", args=[mail.uuid])).content.decode()
    assert "A test: no unsubscribe header, nothing is counted" in page
    assert "/c/" not in desk.get(reverse("campaigns:inbox_frame", args=[mail.uuid])).content.decode()


def test_an_empty_inbox_says_how_it_fills(desk, shop):
    assert "mx-empty" in desk.get(reverse("campaigns:inbox")).content.decode()


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_the_switch_never_leads_to_another_house(desk, shop, make_shopper, back):
    make_shopper(demo=True)
    assert desk.post(reverse("campaigns:demo_switch"), {"on": "1", "back": back}).url == reverse("campaigns:inbox")


def test_the_switch_leads_back_and_is_written_down(desk, shop, make_shopper):
    make_shopper(demo=True)
    for on in ("1", "0"):
        assert desk.post(reverse("campaigns:demo_switch"), {"on": on, "back": "/inbox/?page=2"}).url == "/inbox/?page=2"
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["demo.react", "demo.stop_reacting"]


M, A, BOTH, ALL = {"marketer"}, {"admin"}, {"marketer", "admin"}, {"marketer", "admin", "manager"}
# What a page is, who may open it (by GET) and what its address needs.
PAGES = {
    "list": (ALL, ""), "new": (M, ""), "count": (M, ""), "audience": (M, "campaign"), "content": (M, "campaign"),
    "subject": (M, "campaign"), "timing": (M, "campaign"), "review": (M, "campaign"), "preview": (M, "preview"),
    "senders": (A, ""), "sender_new": (A, ""), "inbox": (ALL, ""), "inbox_mail": (ALL, "mail"),
    "inbox_frame": (ALL, "mail"),
}  # fmt: skip
WRITES = {
    "test": (M, "campaign"), "release": (M, "campaign"), "duplicate": (M, "campaign"), "delete": (M, "campaign"),
    "check_sender": (A, "sender"), "default_sender": (A, "sender"), "add_inbox": (A, ""), "demo_switch": (BOTH, ""),
}  # fmt: skip


@pytest.fixture
def url_of(ready):
    mail = InboxMail.objects.create(raw=MAIL % 1)
    needs = {
        "": [], "campaign": [ready.uuid], "preview": [ready.uuid, 0], "mail": [mail.uuid],
        "sender": [ready.sender.uuid],
    }  # fmt: skip
    return lambda name, kind: reverse(f"campaigns:{name}", args=needs[kind])


@pytest.mark.parametrize("who", ["marketer", "admin", "manager", "stranger"])
@pytest.mark.parametrize("name", PAGES)
def test_each_page_opens_for_its_roles_only(request, client_for, url_of, name, who):
    allowed, kind = PAGES[name]
    answer = client_for(request.getfixturevalue(who)).get(url_of(name, kind))
    assert answer.status_code == (200 if who in allowed else 403)


@pytest.mark.parametrize("who", ["marketer", "admin", "manager", "stranger"])
@pytest.mark.parametrize("name", WRITES)
def test_each_button_works_for_its_roles_only(request, client_for, url_of, name, who):
    allowed, kind = WRITES[name]
    answer = client_for(request.getfixturevalue(who)).post(url_of(name, kind), {"to": "me@shop.example"})
    assert answer.status_code == (302 if who in allowed else 403)


@pytest.mark.parametrize("name", [*PAGES, *WRITES])
def test_visitors_are_asked_to_log_in(url_of, name):
    kind = (PAGES | WRITES)[name][1]
    for answer in (Client().get(url_of(name, kind)), Client().post(url_of(name, kind))):
        assert (answer.status_code, answer.url.partition("?")[0]) == (302, reverse("account_login"))
