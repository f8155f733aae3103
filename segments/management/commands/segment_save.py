"""Makes or changes a segment."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from mailai.commands import JsonCommand
from mailai.errors import InputError
from segments import api_bodies, queries, rule_files, services
from segments.models import Segment


class Command(JsonCommand):
    help = "Make a segment, or give one that is there another rule or name; the answer says what changed with it."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the segment")
        parser.add_argument("--rule", default="", help="file with its rule as JSON (docs/segments.md)")
        parser.add_argument("--rename", default="", help="another name for a segment that is there")

    def run(self, *, name: str, rule: str, rename: str, **options: Any) -> dict[str, Any]:
        if not rule and not rename:
            raise InputError(_("Say what is to change: --rule FILE, --rename NAME or both."))
        there = Segment.objects.filter(name=name).first() if rule and not rename else queries.segment_named(name)
        segment = there or Segment()
        asked = rule_files.read(rule) if rule else segment.rule
        saved = services.save_segment(segment, name=rename or name, rule=asked, by=None)
        return {
            "segment": str(saved.uuid), "name": saved.name, "made": there is None,
            "also_changed": api_bodies.used_by(saved),
        }  # fmt: skip
