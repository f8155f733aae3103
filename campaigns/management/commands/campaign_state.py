"""Tell where a campaign stands."""

from typing import Any

from django.core.management.base import CommandParser

from campaigns.lookup import campaign_by_id
from campaigns.state import campaign_state
from mailai.commands import JsonCommand


class Command(JsonCommand):
    help = "Count a campaign's messages per state."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="number or UUID")

    def run(self, *, campaign: str, **options: Any) -> dict[str, Any]:
        return campaign_state(campaign_by_id(campaign))
