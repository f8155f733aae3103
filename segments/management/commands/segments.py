"""Shows the segments."""

from typing import Any

from mailai.commands import JsonCommand
from segments import api_bodies
from segments.models import Segment


class Command(JsonCommand):
    help = "Show all segments with their rules, in the order in which they were made."

    def run(self, **options: Any) -> dict[str, Any]:
        return {"segments": [api_bodies.plain(one) for one in Segment.objects.order_by("pk")]}
