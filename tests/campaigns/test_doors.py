"""The doors of the house: commands answer in JSON and refuse in a sentence; each task can run twice."""

import json
import socket
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult
from django.core.management import call_command

from behaviour.models import Event, Shop
from campaigns import addresses, delivery, planning, senders, tasks, tracking
from campaigns.models import Campaign, InboxMail, Message, Sender, TrackedLink
from campaigns.state import campaign_state

SPEC = {
    "name": "Spring",
    "rule": {"all": []},
    "control_share": 0,
    "variants": [{"subject": "Hi", "template": "we_miss_you"}],
}
COUNTS = ("control", "queued", "sending", "sent", "failed", "in_doubt")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def run(*words):
    """Return (exit code, answer) of a command."""
    out = StringIO()
    try:
        call_command(*map(str, words), "--json", stdout=out)
    except SystemExit as end:
        return end.code, json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


@pytest.fixture
def spec_file(tmp_path):
    def make(given):
        file = tmp_path / "spec.json"
        file.write_text(given if isinstance(given, str) else json.dumps(given))
        return file

    return make


# --- commands


def test_a_campaign_goes_through_the_commands_from_the_file_to_the_inbox(shoppers, inbox, spec_file):
    code, answer = run("create_campaign", spec_file(SPEC))
    assert code == 0
    number = answer["campaign"]
    _code, planned = run("plan_campaign", number)
    assert (planned["planned"], planned["queued"], planned["state"]) == (8, 8, "running")
    assert run("campaign_state", number) == (0, planned)
    code, sent = run("send_campaign", Campaign.objects.get().uuid)
    assert (code, sent["sent"], sent["state"]) == (0, 8, "finished")
    assert run("send_campaign", number) == (0, sent)
    assert run("plan_campaign", number) == (0, sent)
    assert InboxMail.objects.count() == 8


@pytest.mark.parametrize(
    ("given", "words"),
    [("{", "is not JSON"), ("[]", "one JSON object"), ('{"name": "x"}', "either"), ("\ufeff{}", "JSON")],
)
def test_a_bad_specification_is_one_sentence_and_exit_1(inbox, spec_file, given, words):
    code, answer = run("create_campaign", spec_file(given))
    assert code == 1
    assert words in answer["error"]
    assert not Campaign.objects.exists()


def test_a_missing_file_is_one_sentence(inbox, tmp_path):
    code, answer = run("create_campaign", tmp_path / "none.json")
    assert code == 1
    assert "can't be read" in answer["error"]


@pytest.mark.parametrize("command", ["campaign_state", "plan_campaign", "send_campaign"])
@pytest.mark.parametrize("word", ["99", "x", "9" * 30, "00000000-0000-0000-0000-000000000000", "٣"])
def test_a_campaign_that_is_none_is_refused(db, command, word):
    code, answer = run(command, word)
    assert code == 1
    assert answer["error"] == f"There is no campaign {word}."


@pytest.mark.parametrize("now", ["soon", "2026-05-01", "2026-05-01T09:00:00", "2026-99-01T09:00:00Z"])
def test_a_time_without_zone_is_refused(ready, now):
    code, answer = run("plan_campaign", ready.pk, "--now", now)
    assert code == 1
    assert "--now must be a time" in answer["error"]


def test_a_cancelled_campaign_can_not_be_planned(ready):
    planning.cancel(ready)
    code, answer = run("plan_campaign", ready.pk)
    assert code == 1
    assert "can't be planned" in answer["error"]


def test_an_unreachable_server_ends_the_command_with_what_to_check(shoppers, make_campaign, monkeypatch):
    monkeypatch.setattr(delivery, "CONNECT_TRIES", 1)
    sender = Sender.objects.create(name="R", kind="smtp", from_email="a@b.example", host="127.0.0.1", port=1)
    campaign = make_campaign(sender)
    code, answer = run("send_campaign", campaign.pk)
    assert code == 1
    assert "127.0.0.1:1 does not answer" in answer["error"]
    assert run("campaign_state", campaign.pk)[1]["queued"] == 8


# --- senders


@pytest.fixture
def refusing_server():
    """A mail server that knows nobody's password."""

    def refuse(*_login):
        return AuthResult(success=False, handled=False)

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(
        Sink(), hostname="127.0.0.1", port=port, authenticator=refuse, auth_require_tls=False, auth_required=True
    )
    controller.start()
    yield controller
    controller.stop()


@pytest.mark.parametrize(
    ("security", "words"),
    [("none", "refuses the login"), ("tls", "offers no safe connection"), ("starttls", "offers no safe connection")],
)
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_refused_connection_says_what_to_check(db, refusing_server, security, words):
    sender = Sender.objects.create(
        name="R", kind="smtp", from_email="a@b.example", host="127.0.0.1", port=refusing_server.port,
        username="me", password="wrong", security=security,
    )  # fmt: skip
    assert words in senders.check_sender(sender)
    sender.refresh_from_db()
    assert words in sender.last_error
    assert sender.checked_at is not None
    assert "wrong" not in sender.last_error


# --- the state


def test_the_numbers_of_a_state_sum_to_the_plan(ready, make_shopper):
    make_shopper()
    make_shopper("w@mail.example", marketing="withdrawn")
    planning.plan_campaign(ready.pk)
    rows = list(Message.objects.exclude(state="skipped").order_by("pk"))
    for row, state in zip(rows, ["control", "claimed", "sending", "sent", "failed", "in_doubt"], strict=False):
        Message.objects.filter(pk=row.pk).update(state=state)
    found = campaign_state(ready)
    assert found["planned"] == 10 == sum(found[name] for name in COUNTS) + sum(found["skipped"].values())
    assert found["skipped"] == {"no_address": 1, "no_consent": 1}
    assert [found[name] for name in COUNTS] == [1, 3, 1, 1, 1, 1]
    assert found["in_doubt_messages"] == [str(rows[5].uuid)]


def test_a_state_costs_the_same_for_many_messages(ready, django_assert_num_queries):
    planning.plan_campaign(ready.pk)
    with django_assert_num_queries(2):
        campaign_state(ready)


# --- tasks, each twice


@pytest.fixture
def queued(monkeypatch):
    """What tasks would put into the queue; nothing runs by itself."""
    calls = []
    monkeypatch.setattr(tasks.send, "delay", calls.append)
    return calls


def test_sweeping_twice_plans_once_and_queues_the_sending_each_time(ready, queued):
    planning.schedule(ready, send_at=datetime.now(UTC) - timedelta(seconds=1))
    tasks.sweep()
    tasks.sweep()
    assert queued == [ready.pk, ready.pk]
    assert Message.objects.count() == 8
    assert not InboxMail.objects.exists()


def test_what_became_wrong_since_the_schedule_sends_the_campaign_back_to_draft(ready, queued):
    planning.schedule(ready, send_at=datetime.now(UTC) - timedelta(seconds=1))
    Shop.objects.update(postal_address="")
    tasks.sweep()
    tasks.sweep()
    ready.refresh_from_db()
    assert ready.state == "draft"
    assert "postal address" in ready.pause_reason
    assert not Message.objects.exists()


def test_a_plan_that_was_killed_half_way_goes_on_with_the_same_decisions(ready, queued):
    Campaign.objects.update(control_share=0.4)
    planning.plan_campaign(ready.pk)
    whole = dict(Message.objects.values_list("shopper", "draw"))
    Message.objects.filter(pk__in=Message.objects.order_by("pk").values("pk")[4:]).delete()
    kept = set(Message.objects.values_list("uuid", flat=True))
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    Campaign.objects.update(state="planning", planned_at=None, updated_at=datetime.now(UTC))
    tasks.sweep()
    assert Message.objects.count() == 4
    Campaign.objects.update(updated_at=long_ago)
    tasks.sweep()
    assert dict(Message.objects.values_list("shopper", "draw")) == whole
    assert kept <= set(Message.objects.values_list("uuid", flat=True))
    assert TrackedLink.objects.count() == len(set(TrackedLink.objects.values_list("number")))
    ready.refresh_from_db()
    assert ready.state == "running"


def test_planning_twice_plans_and_queues_once(ready, queued):
    tasks.plan(ready.pk)
    first = list(Message.objects.order_by("pk").values())
    tasks.plan(ready.pk)
    assert list(Message.objects.order_by("pk").values()) == first
    assert queued == [ready.pk]


def test_sending_twice_sends_once_and_finishes(ready, queued):
    planning.plan_campaign(ready.pk)
    tasks.send(ready.pk)
    tasks.send(ready.pk)
    ready.refresh_from_db()
    assert (InboxMail.objects.count(), ready.state) == (8, "finished")


def test_tasks_for_a_campaign_that_is_gone_do_nothing(db, queued):
    tasks.plan(77)
    tasks.send(77)
    assert queued == []


def test_loading_and_attributing_twice_counts_once(ready, make_event, monkeypatch):
    monkeypatch.setattr(tracking.load_spool, "__defaults__", (0.0,))
    planning.plan_campaign(ready.pk)
    tasks.send(ready.pk)
    message = Message.objects.first()
    link = TrackedLink.objects.filter(campaign=ready, pick=1).get()
    tracking.note(tracking.CLICK, message.uuid, number=link.number, user_agent=BROWSER)
    tasks.load_tracking()
    tasks.load_tracking()
    assert Event.objects.filter(kind="email_click").count() == 1
    make_event(message.shopper, amount=12)
    for _again in range(2):
        tasks.attribute()
        message.refresh_from_db()
        assert message.revenue == 12


@pytest.mark.django_db(transaction=True)  # a request of its own closes the connection that a test would hold open
def test_demo_shoppers_answer_twice_as_once(ready, shoppers):
    Shop.objects.update(demo_reacts=True)
    for shopper in shoppers:
        shopper.demo = True
        shopper.save()
    planning.plan_campaign(ready.pk)
    tasks.send(ready.pk)
    hour = timedelta(minutes=20)
    Message.objects.update(sent_at=datetime.now(UTC) - hour)
    InboxMail.objects.update(received_at=datetime.now(UTC) - hour)
    tasks.react_as_demo_shoppers()
    tracking.load_spool(settle=0)
    first = list(Event.objects.order_by("pk").values_list("pk", "kind"))
    tasks.react_as_demo_shoppers()
    tracking.load_spool(settle=0)
    assert list(Event.objects.order_by("pk").values_list("pk", "kind")) == first


def test_an_address_in_a_mail_is_below_the_public_address(settings):
    settings.MAILAI_PUBLIC_URL = "https://mail.shop.example"
    uuid = Message().uuid
    for address in (
        addresses.open_address(uuid),
        addresses.click_address(uuid, 1),
        addresses.unsubscribe_address(uuid),
    ):
        assert address.startswith("https://mail.shop.example/")
        assert uuid.hex not in address
    assert addresses.absolute("https://cdn.example/a.png") == "https://cdn.example/a.png"
    assert addresses.absolute("products/a.png") == "https://mail.shop.example/media/products/a.png"
    assert addresses.absolute("") == ""
