"""Planning and sending: everybody ends in one state, nobody gets a mail twice, nobody without permission."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.core.management import call_command

from behaviour import consent
from behaviour.models import Consent, Product, Shopper, Suppression
from campaigns import delivery, planning, sweep, tasks
from campaigns import inbox as inbox_module
from campaigns.models import Campaign, InboxMail, Message, Sender
from campaigns.state import campaign_state
from mailai.errors import InputError

State = Message.State


def send(campaign):
    planning.plan_campaign(campaign.pk)
    delivery.send_due(campaign.pk)
    sweep.finish()
    campaign.refresh_from_db()
    return campaign_state(campaign)


def test_everybody_of_the_audience_gets_one_mail_with_name_picks_and_reasons(shoppers, inbox, make_campaign):
    state = send(make_campaign(inbox))
    assert (state["planned"], state["sent"], state["state"]) == (8, 8, "finished")
    mail = inbox_module.parsed(InboxMail.objects.get(shopper=shoppers[0]))
    assert mail["subject"] == "Name0, look"
    assert mail["to"] == "s0@mail.example"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = inbox_module.part(mail, "html")
    assert html.count("/c/") >= 6
    assert "/o/" in html
    assert "{{" not in html
    assert "Unsubscribe" in inbox_module.part(mail, "plain")


def test_the_decision_is_logged_on_every_message_and_can_be_replayed(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox, control_share=0.4)
    send(campaign)
    campaign.refresh_from_db()
    messages = list(Message.objects.filter(campaign=campaign).select_related("shopper"))
    assert {message.arm for message in messages} == {"control", "A"}
    for message in messages:
        assert message.probability == pytest.approx(0.4 if message.arm == "control" else 0.6)
        assert (message.draw < 0.4) == (message.arm == "control")
        assert message.draw == planning.stable_draw(planning.DRAW, campaign.seed, message.shopper.pseudonym)
        assert len(message.picks) == 3
        assert 0 <= message.hour < 168
    assert InboxMail.objects.count() == sum(message.arm == "A" for message in messages)


def test_each_reason_not_to_mail_is_planned_and_counted(shoppers, inbox, make_campaign, make_shopper):
    make_shopper()
    make_shopper("no@mail.example", marketing="withdrawn")
    bounced = make_shopper("bounced@mail.example")
    consent.suppress(bounced.identity.email_index, Suppression.Reason.BOUNCED)
    campaign = make_campaign(inbox)
    fall = planning.audience_fall(campaign)
    assert (fall.total, fall.recipients) == (11, 8)
    assert fall.excluded == {"no_address": 1, "no_consent": 1, "suppressed": 1}
    state = send(campaign)
    assert state["skipped"] == fall.excluded
    assert state["planned"] == 11


def test_the_frequency_cap_holds_over_campaigns(shoppers, inbox, make_campaign, shop):
    shop.frequency_cap = 2
    shop.save()
    assert [send(make_campaign(inbox))["sent"] for _n in range(3)] == [8, 8, 0]


def test_consent_withdrawn_between_plan_and_send_is_respected(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    consent.withdraw([shoppers[0].pk], Consent.Purpose.MARKETING, source="test", at=datetime.now(UTC))
    shoppers[1].identity.delete()
    delivery.send_due(campaign.pk)
    assert campaign_state(campaign)["skipped"] == {"no_consent": 1, "no_address": 1}
    assert InboxMail.objects.count() == 6


def test_consent_withdrawn_at_the_last_moment_stops_at_the_fence(shoppers, inbox, make_campaign, monkeypatch):
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    read = delivery.rendering.read_batch

    def withdraw_meanwhile(*args):
        Shopper.objects.filter(pk=shoppers[0].pk).update(marketing="withdrawn")
        return read(*args)

    monkeypatch.setattr(delivery.rendering, "read_batch", withdraw_meanwhile)
    delivery.send_due(campaign.pk)
    assert not InboxMail.objects.filter(shopper=shoppers[0]).exists()
    assert InboxMail.objects.count() == 7


def test_a_product_sold_out_since_the_plan_is_replaced(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    gone = Message.objects.first().picks[0]["product"]
    Product.objects.filter(pk=gone).update(stock=0)
    delivery.send_due(campaign.pk)
    sent = Message.objects.filter(state=State.SENT)
    assert all(gone not in [pick["product"] for pick in message.picks] for message in sent)


def test_without_enough_products_nothing_is_sent_and_it_is_said(shoppers, inbox, make_campaign):
    Product.objects.update(active=False)
    assert send(make_campaign(inbox))["skipped"] == {"no_products": 8}


def test_planning_and_sending_twice_changes_nothing(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox)
    first = send(campaign)
    for _again in range(2):
        tasks.plan(campaign.pk)
        tasks.send(campaign.pk)
        tasks.sweep()
    assert campaign_state(campaign) == first
    assert InboxMail.objects.count() == 8


def test_the_sweep_does_all_the_work_when_every_queued_task_was_lost(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox)
    planning.schedule(campaign, send_at=datetime.now(UTC) - timedelta(seconds=1))
    tasks.sweep()
    tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, InboxMail.objects.count()) == ("finished", 8)


def test_pause_resume_and_cancel(shoppers, inbox, make_campaign, monkeypatch):
    monkeypatch.setattr(delivery, "BATCH", 3)
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    delivery.send_batch(campaign.pk)
    assert planning.pause(campaign)
    assert delivery.send_due(campaign.pk) == 0
    planning.resume(campaign)
    delivery.send_batch(campaign.pk)
    planning.cancel(campaign)
    state = campaign_state(Campaign.objects.get())
    assert (state["sent"], state["skipped"]) == (6, {"cancelled": 2})


def test_a_dead_claim_goes_back_and_a_dead_send_is_settled_by_the_inbox(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    delivery.send_batch(campaign.pk)
    old = datetime.now(UTC) - timedelta(minutes=2)
    first, second = Message.objects.order_by("pk")[:2]
    Message.objects.filter(pk=first.pk).update(state=State.SENDING, claimed_at=old)
    InboxMail.objects.filter(message=second).delete()
    Message.objects.filter(pk=second.pk).update(state=State.SENDING, claimed_at=old)
    sweep.recover()
    assert Message.objects.get(pk=first.pk).state == State.SENT
    assert Message.objects.get(pk=second.pk).state == State.PLANNED


def test_a_segment_that_matches_nobody_is_refused_with_what_to_do(shop, inbox, make_campaign):
    campaign = make_campaign(inbox)
    with pytest.raises(InputError, match="Nobody would get this email"):
        planning.schedule(campaign, send_at=datetime.now(UTC))


def test_a_campaign_without_the_postal_address_is_refused(shoppers, inbox, make_campaign, shop):
    shop.postal_address = ""
    shop.save()
    with pytest.raises(InputError, match="postal address"):
        planning.schedule(make_campaign(inbox), send_at=datetime.now(UTC))


# --- a real SMTP server


class Handler:
    """Takes mail; answers as the recipient's address says."""

    def __init__(self):
        self.taken = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("s1@"):
            return "550 no such user"
        if address.startswith("s2@"):
            return "451 try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((envelope.rcpt_tos[0], envelope.content))
        if envelope.rcpt_tos[0].startswith("s3@"):
            server.transport.close()
        return "250 OK"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def smtp(shop):
    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    sender = Sender.objects.create(
        name="Relay", kind="smtp", from_name="Northlane", from_email="hi@northlane.example", host="127.0.0.1",
        port=controller.port, security="none",
    )  # fmt: skip
    yield controller, sender
    if controller.loop.is_running():
        controller.stop()


def test_a_mail_server_decides_each_fate(shoppers, smtp, make_campaign):
    controller, sender = smtp
    campaign = make_campaign(sender)
    planning.plan_campaign(campaign.pk)
    for _round in range(4):
        delivery.send_due(campaign.pk)
    states = dict(Message.objects.values_list("shopper__external_id", "state"))
    assert states["s1"] == State.FAILED
    assert states["s2"] == State.PLANNED
    assert states["s3"] == State.IN_DOUBT
    assert sum(state == State.SENT for state in states.values()) == 5
    recipients = [recipient for recipient, _content in controller.handler.taken]
    assert len(recipients) == len(set(recipients)) == 6
    later = Message.objects.get(shopper__external_id="s2")
    assert later.due_at > datetime.now(UTC)
    assert later.error.startswith("451")


def test_lines_on_the_wire_keep_the_limits(shoppers, smtp, make_campaign):
    controller, sender = smtp
    campaign = make_campaign(sender)
    send(campaign)
    for _recipient, body in controller.handler.taken:
        assert max(map(len, body.split(b"\r\n"))) <= 998
        assert b"\n" not in body.replace(b"\r\n", b"")


def test_header_injection_by_a_name_reaches_nobody_else(make_shopper, products, smtp, make_campaign):
    controller, sender = smtp
    make_shopper("x@mail.example", first_name="Eve\r\nBcc: evil@x.example\r\n\r\nhi")
    send(make_campaign(sender))
    ((recipient, body),) = controller.handler.taken
    assert recipient == "x@mail.example"
    assert b"\r\nBcc" not in body


def test_an_address_that_is_two_is_refused(make_shopper, products, smtp, make_campaign):
    controller, sender = smtp
    make_shopper("a@x.example, b@evil.example")
    assert send(make_campaign(sender))["failed"] == 1
    assert controller.handler.taken == []


def test_an_unreachable_server_pauses_with_a_sentence_and_loses_nothing(shoppers, smtp, make_campaign, monkeypatch):
    controller, sender = smtp
    monkeypatch.setattr(delivery, "CONNECT_TRIES", 1)
    campaign = make_campaign(sender)
    planning.plan_campaign(campaign.pk)
    controller.stop()
    delivery.send_due(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == "paused"
    assert f"127.0.0.1:{sender.port} does not answer" in campaign.pause_reason
    assert campaign_state(campaign)["queued"] == 8
    again = Controller(Handler(), hostname="127.0.0.1", port=sender.port)
    again.start()
    planning.resume(campaign)
    delivery.send_due(campaign.pk)
    again.stop()
    assert again.handler.taken[0][0] == "s0@mail.example"


def test_the_hourly_limit_of_a_sender_holds(shoppers, inbox, make_campaign):
    Sender.objects.filter(pk=inbox.pk).update(hourly_limit=3)
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    assert delivery.send_due(campaign.pk) == 3


# --- kill -9

KILLS = 4
A_SHOP = """
from django.core.management import call_command
from behaviour import identity
from behaviour.models import Product, Shop, Shopper
from campaigns import senders
call_command("prepare")
shop = Shop.current()
shop.name, shop.postal_address = "Northlane", "1 Test Street, London"
shop.save()
pieces = (Product(sku=f"p{n}", name=f"Piece {n}", price=10, image="products/a.png") for n in range(8))
Product.objects.bulk_create(pieces)
made = Shopper.objects.bulk_create(Shopper(external_id=f"s{n}", marketing="given") for n in range(250))
identity.save_identities([{"shopper_id": one.pk, "email": f"{one.external_id}@mail.example"} for one in made])
senders.ensure_demo_inbox()
print(0)
"""


@pytest.mark.slow
def test_workers_killed_in_the_middle_leave_everybody_in_one_state_and_nobody_twice(tmp_path):
    """Real processes on a database of their own: killed, started again, to the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "DJANGO"))}
    environment |= {"MAILAI_DATA_DIR": str(tmp_path), "CELERY_BROKER_URL": "memory://"}

    def manage(*words):
        return subprocess.Popen(
            [sys.executable, "manage.py", *words, *([] if words[0] == "shell" else ["--json"])],
            cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def answer(*words):
        process = manage(*words)
        output, _nothing = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return json.loads(output.splitlines()[-1])

    answer("shell", "-c", A_SHOP)
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({
        "name": "Kill test", "rule": {"all": []}, "sender": "Demo inbox", "control_share": 0.1,
        "variants": [{"subject": "Hello", "template": "picked_for_you"}],
    }))  # fmt: skip
    campaign = str(answer("create_campaign", str(spec))["campaign"])
    planned = answer("plan_campaign", campaign)
    for kill in range(KILLS):
        worker = manage("send_campaign", campaign)
        enough = 40 * (kill + 1)
        _wait_until(lambda enough=enough: _in_the_inbox(tmp_path) > enough)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    assert _in_the_inbox(tmp_path) < planned["queued"]
    _outlive_the_lease(tmp_path)
    state = answer("send_campaign", campaign)
    assert state["state"] == "finished"
    assert state["planned"] == planned["planned"]
    parts = ("control", "queued", "sending", "sent", "failed", "in_doubt")
    assert sum(state[part] for part in parts) + sum(state["skipped"].values()) == state["planned"]
    assert (state["queued"], state["sending"], state["failed"], state["in_doubt"]) == (0, 0, 0, 0)
    assert _in_the_inbox(tmp_path) == state["sent"]
    assert _in_the_inbox(tmp_path, "DISTINCT shopper_id") == state["sent"]


def _in_the_inbox(folder, what="*"):
    with closing(sqlite3.connect(folder / "mailai.sqlite3")) as database:
        return database.execute(f"SELECT count({what}) FROM campaigns_inboxmail").fetchone()[0]


def _outlive_the_lease(folder):
    """Move what the dead still hold into the past, as if the last worker came half a minute after them."""
    with closing(sqlite3.connect(folder / "mailai.sqlite3", timeout=20)) as database, database:
        held = database.execute(
            "UPDATE campaigns_message SET claimed_at = datetime(claimed_at, ?) WHERE state IN ('claimed', 'sending')",
            [f"-{sweep.LEASE.seconds} seconds"],
        )
        assert held.rowcount, "nobody was killed in the middle"


def _wait_until(question, seconds=120):
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_the_commands_refuse_with_a_sentence(db, tmp_path, capsys):
    for words in (["campaign_state", "99"], ["campaign_state", "x"], ["create_campaign", str(tmp_path / "no.json")]):
        with pytest.raises(SystemExit) as left:
            call_command(*words, "--json")
        assert left.value.code == 1
        assert "error" in json.loads(capsys.readouterr().out)
