"""The fence, the hour's limit and the end of a cancelled campaign: what two workers and slow servers can do."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from behaviour import consent
from behaviour.models import Suppression
from campaigns import delivery, planning, sweep
from campaigns.models import Campaign, DeliveryAttempt, InboxMail, Message, Sender
from campaigns.state import campaign_state

State = Message.State


@pytest.fixture
def planned(shoppers, inbox, make_campaign):
    campaign = make_campaign(inbox)
    planning.plan_campaign(campaign.pk)
    return campaign


@pytest.mark.usefixtures("planned")
@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda shopper, _campaign: consent.suppress(shopper.identity.email_index, Suppression.Reason.COMPLAINED),
        lambda shopper, _campaign: shopper.identity.delete(),
        lambda _shopper, campaign: planning.pause(campaign),
        lambda _shopper, campaign: planning.cancel(campaign),
        lambda shopper, _campaign: Message.objects.filter(shopper=shopper).update(claim_token=uuid4()),
        lambda shopper, _campaign: Message.objects.filter(shopper=shopper).update(state=State.PLANNED),
    ],
    ids=["suppressed", "erased", "paused", "cancelled", "taken over", "given back"],
)
def test_whatever_changes_before_the_wire_stops_at_the_fence(shoppers, planned, monkeypatch, meanwhile):
    read = delivery.rendering.read_batch

    def change_meanwhile(*given):
        batch = read(*given)
        meanwhile(shoppers[0], Campaign.objects.get(pk=planned.pk))
        return batch

    with monkeypatch.context() as patch:
        patch.setattr(delivery.rendering, "read_batch", change_meanwhile)
        delivery.send_batch(planned.pk)
    assert not InboxMail.objects.filter(shopper=shoppers[0]).exists()
    assert not DeliveryAttempt.objects.filter(message__shopper=shoppers[0]).exists()


def test_the_fence_compares_state_and_token_in_the_row_itself(planned):
    """In a subselect PostgreSQL would not compare them again after waiting for another worker."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        delivery.send_batch(planned.pk)
    (fence, *_more) = [
        query["sql"] for query in queries
        if query["sql"].startswith("UPDATE") and "'sending'" in query["sql"].split("WHERE")[0]
    ]  # fmt: skip
    own_conditions = fence.split("WHERE", 1)[1]
    assert '"campaigns_message"."claim_token" =' in own_conditions
    assert '"campaigns_message"."state" =' in own_conditions
    assert '"campaigns_message"."id" IN (SELECT' not in own_conditions


def test_an_answer_that_came_late_settles_a_message_in_doubt(planned):
    message, token = Message.objects.first(), uuid4()
    Message.objects.filter(pk=message.pk).update(state=State.IN_DOUBT, claim_token=token)
    work = delivery._Work(planned, planned.sender, token, None)
    delivery._record_success(work, message)
    message.refresh_from_db()
    assert message.state == State.SENT


def test_another_workers_answer_settles_nothing(planned):
    message = Message.objects.first()
    Message.objects.filter(pk=message.pk).update(state=State.IN_DOUBT, claim_token=uuid4())
    delivery._record_success(delivery._Work(planned, planned.sender, uuid4(), None), message)
    message.refresh_from_db()
    assert message.state == State.IN_DOUBT


def test_what_a_cancelled_campaign_still_held_ends_as_skipped(planned):
    Message.objects.filter(campaign=planned).update(state=State.CLAIMED, claim_token=uuid4())
    planning.cancel(planned)
    Message.objects.filter(campaign=planned).update(state=State.PLANNED, claim_token=None)
    sweep.finish()
    state = campaign_state(Campaign.objects.get(pk=planned.pk))
    assert (state["queued"], state["skipped"]) == (0, {"cancelled": 8})


def test_what_flies_counts_against_the_hour(planned):
    Sender.objects.filter(pk=planned.sender_id).update(hourly_limit=5)
    Message.objects.filter(pk__in=Message.objects.values("pk")[:3]).update(
        state=State.CLAIMED, claim_token=uuid4(), claimed_at=datetime.now(UTC)
    )
    assert delivery.send_due(planned.pk) == 2


def test_an_hour_later_the_sender_goes_on(planned):
    Sender.objects.filter(pk=planned.sender_id).update(hourly_limit=3)
    assert delivery.send_due(planned.pk) == 3
    Message.objects.filter(state=State.SENT).update(sent_at=datetime.now(UTC) - timedelta(minutes=61))
    assert delivery.send_due(planned.pk) == 3


def test_the_command_does_not_wait_for_the_next_hour(planned, capsys):
    Sender.objects.filter(pk=planned.sender_id).update(hourly_limit=3)
    call_command("send_campaign", str(planned.pk), "--json")
    assert '"sent": 3' in capsys.readouterr().out
