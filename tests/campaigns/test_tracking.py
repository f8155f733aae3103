"""What became of a mail: loaded from the spool once, people and machines apart."""

from datetime import UTC, datetime, timedelta

import pytest

from behaviour.models import Consent, Event, Product
from campaigns import delivery, planning, spool, tracking
from campaigns.models import LinkClick, Message, TrackedLink

BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15"
Kind = Event.Kind


@pytest.fixture
def message(ready):
    """One message of a campaign that was sent."""
    planning.plan_campaign(ready.pk)
    delivery.send_due(ready.pk)
    Event.objects.exclude(kind=Kind.PURCHASE).delete()
    return Message.objects.select_related("shopper").order_by("pk").first()


@pytest.fixture
def pick_link(message):
    return TrackedLink.objects.get(campaign=message.campaign_id, pick=2)


def did(message, kind, number=0, agent=BROWSER):
    tracking.note(kind, message.uuid, number=number, user_agent=agent)


def loaded(message):
    tracking.load_spool(settle=0)
    message.refresh_from_db()
    return list(Event.objects.exclude(kind=Kind.PURCHASE).order_by("pk").values_list("kind", flat=True))


def test_an_open_is_stamped_and_becomes_an_event(message):
    before = datetime.now(UTC)
    did(message, tracking.OPEN)
    assert loaded(message) == [Kind.EMAIL_OPEN]
    assert before <= message.opened_at <= datetime.now(UTC)
    assert (message.clicked_at, message.machine_opened_at) == (None, None)
    event = Event.objects.get(kind=Kind.EMAIL_OPEN)
    assert (event.shopper_id, event.message, event.product_id) == (message.shopper_id, message.uuid, None)


def test_a_click_knows_its_product_and_means_that_she_opened(message, pick_link):
    did(message, tracking.CLICK, pick_link.number)
    assert loaded(message) == [Kind.EMAIL_CLICK]
    assert message.clicked_at == message.opened_at is not None
    product = message.picks[1]["product"]
    assert Event.objects.get(kind=Kind.EMAIL_CLICK).product_id == product
    row = LinkClick.objects.get()
    assert (row.message_id, row.link_id, row.product_id, row.n_clicks) == (message.pk, pick_link.pk, product, 1)


def test_first_times_stay_and_clicks_are_counted(message, pick_link):
    did(message, tracking.CLICK, pick_link.number)
    loaded(message)
    first = message.clicked_at
    did(message, tracking.CLICK, pick_link.number)
    did(message, tracking.CLICK, pick_link.number)
    assert len(loaded(message)) == 3
    assert message.clicked_at == first
    assert LinkClick.objects.get().n_clicks == 3


def test_loading_the_same_file_twice_counts_once(message, pick_link):
    did(message, tracking.OPEN)
    did(message, tracking.CLICK, pick_link.number)
    (file,) = spool._folder().glob("*.jsonl")
    copy = file.read_text()
    assert tracking.load_spool(settle=0) == 2
    assert tracking.load_spool(settle=0) == 0
    # As if the process had been killed between the commit and the removal of the file.
    file.write_text(copy + copy)
    assert tracking.load_spool(settle=0) == 0
    assert len(loaded(message)) == 2
    assert LinkClick.objects.get().n_clicks == 1


@pytest.mark.parametrize("agent", ["", "Mozilla/5.0", "GoogleImageProxy bot", "Barracuda Sentinel", "LinkPreview/1.0"])
def test_a_machine_is_marked_and_no_person(message, pick_link, agent):
    did(message, tracking.OPEN, agent=agent)
    did(message, tracking.CLICK, pick_link.number, agent=agent)
    assert loaded(message) == []
    assert message.machine_opened_at is not None
    assert (message.opened_at, message.clicked_at) == (None, None)
    assert not LinkClick.objects.exists()


def test_a_person_after_a_machine_counts(message):
    did(message, tracking.OPEN, agent="")
    did(message, tracking.OPEN)
    assert loaded(message) == [Kind.EMAIL_OPEN]
    assert message.machine_opened_at < message.opened_at


@pytest.mark.parametrize(
    ("agent", "purpose", "machine"),
    [(BROWSER, "", False), (BROWSER, "prefetch", True), ("Mozilla/5.0", "", True), ("curlbot", "", True)],
)
def test_who_is_a_machine(agent, purpose, machine):
    assert tracking.is_machine(agent, purpose) is machine


def test_a_product_that_was_removed_since_then_holds_up_nothing(message, pick_link):
    did(message, tracking.CLICK, pick_link.number)
    did(message, tracking.OPEN)
    Product.objects.filter(pk=message.picks[1]["product"]).delete()
    assert loaded(message) == [Kind.EMAIL_CLICK, Kind.EMAIL_OPEN]
    assert Event.objects.get(kind=Kind.EMAIL_CLICK).product_id is None
    assert LinkClick.objects.get().product_id is None


def test_a_link_that_is_none_is_a_click_without_a_link(message):
    did(message, tracking.CLICK, 999)
    assert loaded(message) == [Kind.EMAIL_CLICK]
    assert not LinkClick.objects.exists()


def test_an_entry_of_a_message_that_is_gone_is_passed_over(message):
    did(message, tracking.OPEN)
    Message.objects.filter(pk=message.pk).delete()
    assert tracking.load_spool(settle=0) == 0
    assert list(spool.take(settle=0)) == []


def test_a_full_disk_stops_no_answer(message, monkeypatch):
    def full(_entry):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "append", full)
    did(message, tracking.OPEN)
    assert loaded(message) == []


def test_a_second_reader_leaves_the_spool_to_the_first(message):
    did(message, tracking.OPEN)
    with spool.reading_alone() as alone:
        assert alone
        assert tracking.load_spool(settle=0) == 0
    assert tracking.load_spool(settle=0) == 1


def test_the_spool_holds_nothing_personal(message):
    did(message, tracking.OPEN)
    ((_file, (entry,)),) = spool.take(settle=0)
    assert set(entry) == {"kind", "message", "number", "at", "m", "id"}


def test_many_entries_are_loaded_in_chunks(message, monkeypatch):
    monkeypatch.setattr(tracking, "CHUNK", 4)
    for other in Message.objects.all():
        did(other, tracking.OPEN)
        did(other, tracking.OPEN)
    assert tracking.load_spool(settle=0) == 16
    assert Message.objects.filter(opened_at__isnull=False).count() == 8


def test_loading_costs_the_same_queries_for_one_and_for_many(message, django_assert_max_num_queries):
    for other in Message.objects.all():
        did(other, tracking.OPEN)
    with django_assert_max_num_queries(13):
        tracking.load_spool(settle=0)


def test_unsubscribing_withdraws_at_once_and_again_is_the_same(message):
    assert tracking.unsubscribe(message.uuid)
    assert tracking.unsubscribe(message.uuid)
    message.refresh_from_db()
    message.shopper.refresh_from_db()
    assert message.shopper.marketing == "withdrawn"
    assert message.unsubscribed_at is not None
    statement = Consent.objects.get()
    assert (statement.state, statement.source) == ("withdrawn", "unsubscribe link")
    assert str(message.uuid) in statement.proof
    assert loaded(message) == [Kind.UNSUBSCRIBE]


def test_who_came_back_can_leave_by_an_old_mail(message):
    tracking.unsubscribe(message.uuid)
    message.shopper.marketing = "given"
    message.shopper.save()
    Consent.objects.update(at=datetime.now(UTC) - timedelta(days=1))
    assert tracking.unsubscribe(message.uuid)
    message.shopper.refresh_from_db()
    assert message.shopper.marketing == "withdrawn"


def test_unsubscribing_from_a_mail_that_is_gone_says_so(message):
    uuid = message.uuid
    message.delete()
    assert not tracking.unsubscribe(uuid)
