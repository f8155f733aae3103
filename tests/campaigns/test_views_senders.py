"""Connections, the demo inbox and the frames that mails are shown in."""

from uuid import uuid4

import pytest
from django.urls import reverse

from campaigns import delivery, planning
from campaigns.models import InboxMail, Sender
from mailai.accounts.models import AuditEntry
from segments.models import Segment

STEPS = ("audience", "content", "subject", "timing", "review")
SCRIPT = "<script>alert(1)</script>"


def step_of(campaign, step):
    return reverse(f"campaigns:{step}", args=[campaign.uuid])


def test_the_preview_stands_in_a_frame_with_a_policy_of_its_own(desk, ready, settings):
    policy = desk.get(reverse("campaigns:preview", args=[ready.uuid, 0]))["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src 'self' data: https:")
    assert settings.MAILAI_PUBLIC_URL in policy
    assert policy.endswith("frame-ancestors 'self'; sandbox")
    assert "script-src" not in policy
    page = desk.get(step_of(ready, "content"))
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "sandbox" in page.content.decode()


def test_names_with_markup_are_text_everywhere(desk, shop, inbox, products, make_shopper, make_campaign):
    shopper = make_shopper("x@mail.example", first_name=SCRIPT)
    products[0].name = SCRIPT
    products[0].save()
    segment = Segment.objects.create(name=SCRIPT, rule={"all": []})
    campaign = make_campaign(inbox, name=SCRIPT, segment=segment, subject=f"{{{{ first_name }}}} {SCRIPT}")
    pages = [reverse("campaigns:list"), reverse("campaigns:preview", args=[campaign.uuid, 0])]
    pages += [step_of(campaign, step) for step in STEPS]
    for page in pages:
        assert SCRIPT not in desk.get(page).content.decode(), page
    planning.plan_campaign(campaign.pk)
    delivery.send_due(campaign.pk)
    mail = InboxMail.objects.get(shopper=shopper)
    for page in ("inbox_mail", "inbox_frame"):
        assert SCRIPT not in desk.get(reverse(f"campaigns:{page}", args=[mail.uuid])).content.decode()
    assert SCRIPT not in desk.get(reverse("campaigns:inbox")).content.decode()


def test_an_open_inbox_mail_is_read_and_its_links_open_outside_the_frame(desk, ready):
    planning.plan_campaign(ready.pk)
    delivery.send_due(ready.pk)
    mail = InboxMail.objects.first()
    page = desk.get(reverse("campaigns:inbox_mail", args=[mail.uuid])).content.decode()
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert reverse("analytics:report", args=[ready.uuid]) in page
    mail.refresh_from_db()
    assert mail.read_at
    frame = desk.get(reverse("campaigns:inbox_frame", args=[mail.uuid]))
    assert '<base target="_blank">' in frame.content.decode()
    assert frame["Content-Security-Policy"].endswith("sandbox allow-popups allow-popups-to-escape-sandbox")


SMTP = {
    "name": "Relay", "from_name": "Northlane", "from_email": "hello@shop.example", "reply_to": "", "host": "127.0.0.1",
    "port": "9", "security": "none", "username": "user", "password": "a secret word", "hourly_limit": "0",
}  # fmt: skip


def test_an_admin_adds_a_connection_whose_password_is_never_shown(client_for, admin):
    client = client_for(admin)
    answer = client.post(reverse("campaigns:sender_new"), SMTP, follow=True)
    sender = Sender.objects.get()
    assert "does not answer" in answer.content.decode()
    assert (sender.password, sender.is_default) == ("a secret word", True)
    assert "a secret word" not in client.get(reverse("campaigns:sender", args=[sender.uuid])).content.decode()
    client.post(reverse("campaigns:sender", args=[sender.uuid]), SMTP | {"password": "", "name": "Main relay"})
    sender.refresh_from_db()
    assert (sender.name, sender.password) == ("Main relay", "a secret word")
    assert "a secret word" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    stored = Sender.objects.filter(pk=sender.pk).values_list("password", flat=True).get()
    assert "a secret word" not in str(getattr(stored, "token", stored))


@pytest.mark.parametrize(
    "wrong",
    [{"host": ""}, {"port": "x"}, {"port": "0"}, {"port": "70000"}, {"from_email": "nobody"}, {"security": "x"}],
)
def test_a_wrong_connection_is_refused_at_the_field(client_for, admin, wrong):
    answer = client_for(admin).post(reverse("campaigns:sender_new"), SMTP | wrong)
    assert answer.status_code == 422
    assert not Sender.objects.exists()


def test_the_demo_inbox_is_added_once_and_can_be_the_default(client_for, admin):
    client = client_for(admin)
    client.post(reverse("campaigns:sender_new"), SMTP)
    for _time in range(2):
        client.post(reverse("campaigns:add_inbox"))
    inbox = Sender.objects.get(kind="demo_inbox")
    client.post(reverse("campaigns:default_sender", args=[inbox.uuid]))
    assert list(Sender.objects.filter(is_default=True)) == [inbox]
    answer = client.post(reverse("campaigns:check_sender", args=[inbox.uuid]), follow=True)
    assert answer.status_code == 200
    assert client.get(reverse("campaigns:sender", args=[inbox.uuid])).status_code == 404


@pytest.mark.parametrize("who", ["marketer", "manager", "stranger"])
def test_only_admins_see_connections(request, client_for, inbox, who):
    client = client_for(request.getfixturevalue(who))
    assert client.get(reverse("campaigns:senders")).status_code == 403
    assert client.post(reverse("campaigns:default_sender", args=[inbox.uuid])).status_code == 403


def test_the_switch_works_only_with_a_demo_shop_and_not_for_managers(client_for, marketer, manager, shop, make_shopper):
    url, client = reverse("campaigns:demo_switch"), client_for(marketer)
    assert "no demo shop" in client.post(url, {"on": "1"}, follow=True).content.decode()
    shop.refresh_from_db()
    assert not shop.demo_reacts
    make_shopper("d@mail.example", demo=True)
    answer = client.post(url, {"on": "1", "back": "https://evil.example/"})
    assert answer.url == reverse("campaigns:inbox")
    shop.refresh_from_db()
    assert shop.demo_reacts
    assert client_for(manager).post(url, {"on": "0"}).status_code == 403
    client.post(url, {"on": "0"})
    shop.refresh_from_db()
    assert not shop.demo_reacts


def test_unknown_campaigns_and_mails_are_not_found(desk):
    for name in ("audience", "inbox_mail", "inbox_frame"):
        assert desk.get(reverse(f"campaigns:{name}", args=[uuid4()])).status_code == 404
