from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.db.models import Q

from analytics.exports import figures
from analytics.queries import campaign_report
from campaigns.models import Campaign
from mailai.commands import JsonCommand
from mailai.errors import InputError


class Command(JsonCommand):
    help = "Print every figure of a campaign's report; rates with low and high (95 %)."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="number or UUID of the campaign")

    def run(self, **options: Any) -> dict[str, Any]:
        return figures(campaign_report(_campaign(options["campaign"])))


def _campaign(key: str) -> Campaign:
    wanted = Q(pk=int(key)) if key.isdecimal() else None
    if wanted is None:
        try:
            wanted = Q(uuid=UUID(key))
        except ValueError:
            raise InputError(f"{key!r} is neither a number nor a UUID of a campaign.") from None
    campaign = Campaign.objects.filter(wanted).first()
    if campaign is None:
        raise InputError(f"There is no campaign {key}. The page Campaigns lists them.")
    return campaign
