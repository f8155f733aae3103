"""What the conditions of rules that are asked together share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from behaviour.models import Shop


@dataclass
class Context:
    """The moment of asking, and the segments and lists that rules name (filled by segments.rules.references)."""

    now: datetime
    # Uuid as text -> the validated rule of a segment, the row id of a list.
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    # Row ids of the few shoppers that are asked about: then no condition looks at the events of anybody else.
    only: Sequence[int] | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return Shop.current().zone

    @property
    def today(self) -> date:
        """The shop's day."""
        return self.now.astimezone(self.zone).date()
