"""Send a campaign in this process."""

import time
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from campaigns import delivery, planning, sweep
from campaigns.lookup import campaign_by_id, moment
from campaigns.models import Campaign, Message
from campaigns.state import campaign_state
from mailai.commands import JsonCommand
from mailai.errors import StateError

WAIT_SECONDS = 1.0


class Command(JsonCommand):
    help = "Do what workers would do: send all that is due of a campaign; can be killed and run again."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="number or UUID")
        parser.add_argument("--now", help="send as if it were this time")

    def run(self, *, campaign: str, now: str | None, **options: Any) -> dict[str, Any]:
        found, at = campaign_by_id(campaign), moment(now)
        planning.plan_campaign(found.pk, now=at)
        _drain(found.pk, at)
        sweep.finish()
        found = Campaign.objects.get(pk=found.pk)
        if found.state == Campaign.State.PAUSED and found.pause_reason:
            raise StateError(found.pause_reason)
        return campaign_state(found)


def _drain(campaign_id: int, now: datetime | None) -> None:
    """Send until nothing is due or the sender's hour is full, and wait for what a killed worker still holds."""
    sender = Campaign.objects.select_related("sender").get(pk=campaign_id).sender
    while True:
        delivery.send_due(campaign_id, now=now)
        sweep.recover()
        held = Message.objects.filter(campaign=campaign_id, state__in=sweep.IN_WORK)
        flying = held.exclude(state=Message.State.PLANNED).exists()
        if not flying and (campaign_id not in sweep.running(now) or not delivery.allowance(sender)):
            return
        if flying:
            time.sleep(WAIT_SECONDS)
