"""The live count beside the builder: an estimate at once, the exact number behind it, and six shoppers."""

import logging
import secrets
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy

from behaviour.models import Shop, Shopper
from mailai.errors import InputError
from segments import builder, counting, queries, rules
from segments.counting import Counted, State
from segments.insights import Insights, insights
from segments.models import Sample, Segment
from segments.rules.facts import facts

logger = logging.getLogger(__name__)
REASONS = {
    "no_consent": gettext_lazy("No marketing consent"),
    "no_address": gettext_lazy("No email address"),
    "suppressed": gettext_lazy("Address bounced or complained"),
}
INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Panel:
    """How many, who can be emailed, six of them, the sentence; or why not. ``state`` is one of State, or incomplete."""

    state: str
    sentence: str = ""
    problem: str = ""
    counted: Counted | None = None
    # The exact count is still to be asked for.
    pending: bool = False
    n_shoppers: int = 0
    sample: list[dict[str, Any]] = field(default_factory=list)

    @property
    def reach(self) -> queries.Reach | None:
        """Who may be mailed, where that was counted."""
        return self.counted.reach if self.counted else None

    @property
    def share(self) -> float:
        """Which share of all shoppers fits."""
        count = self.counted.count if self.counted else None
        return min(1.0, count / self.n_shoppers) if count and self.n_shoppers else 0.0

    @property
    def n_excluded(self) -> int:
        """How many fit but can't be emailed."""
        return self.reach.count - self.reach.mailable if self.reach else 0

    @property
    def reasons(self) -> list[tuple[Any, int]]:
        """Why they can't be emailed, the commonest reason first."""
        excluded = self.reach.excluded if self.reach else {}
        return [(REASONS.get(key, key), n) for key, n in sorted(excluded.items(), key=lambda item: -item[1])]


def counted(draft: builder.Node, *, exact: bool) -> tuple[Panel, dict[str, builder.Alone]]:
    """Count a draft, and each of its parts alone; what can't be counted says why.

    Without ``exact`` the answer comes at once: an estimate, or everything where the shop is small.
    """
    try:
        rule = rules.check(builder.to_rule(draft))
    except InputError as error:
        return Panel(INCOMPLETE, problem=str(error)), builder.counts_of(draft, exact=exact)
    sentence = rules.describe(rule)
    if not exact:
        first = counting.first(rule)
        if first.state != State.EXACT:
            panel = Panel(first.state, sentence, counted=first, pending=True, n_shoppers=_about_all())
            return panel, builder.counts_of(draft, exact=False)
    found = counting.exact(rule)
    panel = Panel(found.state, sentence, counted=found, n_shoppers=Shopper.objects.count(), sample=_sample(rule))
    return panel, builder.counts_of(draft, exact=True)


def good_to_know(segment: Segment) -> Insights | None:
    """Return what is good to know of a saved segment; None where that takes too long."""
    return counting.in_time(lambda: insights(segment), counting.EDITOR_SECONDS)


def _about_all() -> int:
    """Return how many shoppers there were at the last sample: counting a million takes longer than the estimate."""
    return Sample.objects.filter(pk=1).values_list("n_shoppers", flat=True).first() or Shopper.objects.count()


def _sample(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """Return six of them with why they match; none where the database takes too long."""
    now, draw = timezone.now(), secrets.randbelow(queries.SHUFFLE)
    found = counting.in_time(lambda: queries.sample(rule, draw=draw, now=now), counting.EDITOR_SECONDS)
    if not found:
        return []
    currency = Shop.current().currency
    why = counting.in_time(lambda: facts(rule, found, now=now, currency=currency), counting.EDITOR_SECONDS) or {}
    return [
        {
            "shopper": shopper,
            "why": why.get(shopper.pk, ""),
            "profile": getattr(shopper, "profile", None),
            "prediction": getattr(shopper, "prediction", None),
        }
        for shopper in found
    ]
