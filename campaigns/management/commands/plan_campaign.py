"""Plan a campaign."""

from typing import Any

from django.core.management.base import CommandParser

from campaigns import planning
from campaigns.lookup import campaign_by_id, moment
from campaigns.models import Campaign
from campaigns.state import campaign_state
from mailai.commands import JsonCommand
from mailai.errors import StateError


class Command(JsonCommand):
    help = "Write a message for everybody of a campaign's audience."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="number or UUID")
        parser.add_argument("--now", help="plan as if it were this time")

    def run(self, *, campaign: str, now: str | None, **options: Any) -> dict[str, Any]:
        found = campaign_by_id(campaign)
        planned = planning.plan_campaign(found.pk, now=moment(now))
        found = Campaign.objects.get(pk=found.pk)
        if not planned and found.planned_at is None:
            raise StateError(f"The campaign is {found.get_state_display()}; it can't be planned now.")
        return campaign_state(found)
