"""Celery entrances of this app. Each calls one service; run twice, it does its work once."""

from contextlib import suppress

from celery import shared_task

from campaigns import attribution, delivery, demo_reactions, planning, suits, themes, tracking
from campaigns import sweep as sweeps
from mailai.errors import InputError, StateError

# One task sends for so long, then makes room for others; the sweep queues the next.
SEND_SECONDS = 20


@shared_task
def sweep() -> None:
    """Find due and stuck work, and queue the sending."""
    sweeps.plan_due()
    sweeps.recover()
    sweeps.finish()
    for campaign_id in sweeps.running():
        send.delay(campaign_id)
    for campaign_id in suits.left():
        keep_likely.delay(campaign_id)


@shared_task
def plan(campaign_id: int) -> None:
    """Plan a campaign and begin to send it."""
    if planning.plan_campaign(campaign_id):
        send.delay(campaign_id)


@shared_task
def send(campaign_id: int) -> None:
    """Send what is due of a campaign."""
    delivery.send_due(campaign_id, seconds=SEND_SECONDS)
    sweeps.finish()


@shared_task
def load_tracking() -> None:
    """Store opens and clicks."""
    tracking.load_spool()


@shared_task
def attribute() -> None:
    """Give orders to the messages that earned them."""
    attribution.attribute()


@shared_task
def learn_themes() -> None:
    """Learn who likes which mails, when there is something new to learn."""
    if themes.is_due():
        themes.learn()


@shared_task
def keep_likely(campaign_id: int, *_of_before: object) -> None:
    """Narrow a draft to those who are likely to like it, if that was wished and is not done.

    Messages of the version before said more, which stands on the draft now.
    """
    # A refusal stands on the draft.
    with suppress(InputError, StateError):
        suits.go_on(campaign_id)


@shared_task
def react_as_demo_shoppers() -> None:
    """Let the demo shoppers answer, if their switch is on."""
    demo_reactions.react()
