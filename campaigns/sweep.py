"""Finds due and stuck work in the database. Losing every queued task loses nothing: this finds it again."""

import logging
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from campaigns import planning
from campaigns.models import Campaign, DeliveryAttempt, InboxMail, Message, Sender
from mailai.errors import InputError

logger = logging.getLogger(__name__)
# A claim that gives no sign of life for so long belongs to a dead worker; the fence stops it if it wakes up.
LEASE = timedelta(seconds=30)
State = Message.State
IN_WORK = (State.PLANNED, State.CLAIMED, State.SENDING)


def plan_due(now: datetime | None = None) -> None:
    """Plan every scheduled campaign whose time has come, and whatever a dead worker left half planned."""
    now = now or timezone.now()
    scheduled = Campaign.objects.filter(state=Campaign.State.SCHEDULED, send_at__lte=now)
    stuck = Campaign.objects.filter(
        state=Campaign.State.PLANNING, updated_at__lt=timezone.now() - planning.PLANNING_DEAD_AFTER
    )
    for pk in [*scheduled.values_list("pk", flat=True), *stuck.values_list("pk", flat=True)]:
        try:
            planning.plan_campaign(pk)
        except InputError as error:
            logger.warning("Campaign %s went back to draft: %s", pk, error)


def recover() -> None:
    """Put back what dead workers claimed; what they had on the wire is settled if that can be known, else in doubt."""
    dead = Message.objects.filter(claimed_at__lt=timezone.now() - LEASE)
    dead.filter(state=State.CLAIMED).update(state=State.PLANNED, claim_token=None, claimed_at=None)
    sending = dead.filter(state=State.SENDING)
    to_inbox = sending.filter(campaign__sender__kind=Sender.Kind.DEMO_INBOX)
    _ask_the_demo_inbox(list(to_inbox.values_list("pk", flat=True)))
    lost = list(sending.exclude(campaign__sender__kind=Sender.Kind.DEMO_INBOX).values_list("pk", flat=True))
    Message.objects.filter(pk__in=lost, state=State.SENDING).update(
        state=State.IN_DOUBT, error="The worker stopped before the answer came."
    )
    DeliveryAttempt.objects.filter(message__in=lost, outcome="").update(outcome="in_doubt", finished_at=timezone.now())


def _ask_the_demo_inbox(ids: list[int]) -> None:
    """The demo inbox can answer: what lies there was sent, what does not was not."""
    arrived = Exists(InboxMail.objects.filter(message=OuterRef("pk")))
    now = timezone.now()
    rows = Message.objects.filter(pk__in=ids, state=State.SENDING)
    rows.filter(arrived).update(state=State.SENT, sent_at=now, delivered_at=now)
    rows.exclude(arrived).update(state=State.PLANNED, claim_token=None, claimed_at=None)


def finish() -> None:
    """End running campaigns that have nothing left to do, and skip what a cancelled one still held."""
    _skip_cancelled()
    left = Message.objects.filter(campaign=OuterRef("pk"), state__in=IN_WORK)
    done = Campaign.objects.filter(~Exists(left), state=Campaign.State.RUNNING)
    done.update(state=Campaign.State.FINISHED, finished_at=timezone.now())


def _skip_cancelled() -> None:
    """A worker gives back what it had claimed, a planner writes its last batch: both may come after the cancelling."""
    cancelled = Campaign.objects.filter(pk=OuterRef("campaign_id"), state=Campaign.State.CANCELLED)
    waiting = Message.objects.filter(Exists(cancelled), state=State.PLANNED)
    waiting.update(state=State.SKIPPED, skip_reason=Message.Skip.CANCELLED)


def running(now: datetime | None = None) -> list[int]:
    """Return the campaigns that have messages due now."""
    due = Message.objects.filter(campaign=OuterRef("pk"), state=State.PLANNED, due_at__lte=now or timezone.now())
    return list(Campaign.objects.filter(Exists(due), state=Campaign.State.RUNNING).values_list("pk", flat=True))
