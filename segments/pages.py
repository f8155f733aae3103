"""What the pages of segments show, put together from queries and words."""

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from behaviour.models import Shop, Shopper
from mailai.errors import InputError
from mailai.ui import numbers
from mailai.ui.charts import Chart, Series, lines
from segments import builder, queries, rules
from segments.models import Segment
from segments.rules.facts import facts
from segments.rules.names import Names, names_in

logger = logging.getLogger(__name__)
REASONS = {
    "no_consent": gettext_lazy("No marketing consent"),
    "no_address": gettext_lazy("No email address"),
    "suppressed": gettext_lazy("Address bounced or complained"),
}


@dataclass(frozen=True)
class Panel:
    """The live count: how many, who can be emailed, six of them, the sentence; or why not."""

    state: str  # exact, counting, failed, incomplete
    sentence: str = ""
    problem: str = ""
    reach: queries.Reach | None = None
    n_shoppers: int = 0
    reasons: list[tuple[Any, int]] | None = None
    sample: list[dict[str, Any]] | None = None

    @property
    def share(self) -> float:
        """Which share of all shoppers fits."""
        return self.reach.count / self.n_shoppers if self.reach and self.n_shoppers else 0.0

    @property
    def n_excluded(self) -> int:
        """How many fit but can't be emailed."""
        return self.reach.count - self.reach.mailable if self.reach else 0


def counted(draft: builder.Node) -> tuple[Panel, dict[str, int]]:
    """Count a draft, and each of its conditions alone; what can't be counted says why."""
    try:
        rule = rules.check(builder.to_rule(draft))
    except InputError as error:
        return Panel("incomplete", problem=str(error)), builder.counts_of(draft)
    try:
        with transaction.atomic():
            return _panel(rule), builder.counts_of(draft)
    except DatabaseError:
        logger.exception("a segment could not be counted")
        return Panel("failed", sentence=rules.describe(rule)), {}


def _panel(rule: dict[str, Any]) -> Panel:
    reach = queries.reach(rule)
    return Panel(
        "exact",
        sentence=rules.describe(rule),
        reach=reach,
        n_shoppers=Shopper.objects.count(),
        reasons=[(REASONS.get(key, key), n) for key, n in sorted(reach.excluded.items(), key=lambda item: -item[1])],
        sample=_sample(rule),
    )


def _sample(rule: dict[str, Any]) -> list[dict[str, Any]]:
    now = timezone.now()
    found = queries.sample(rule, draw=secrets.randbelow(queries.SHUFFLE), now=now)
    why = facts(rule, found, now=now, currency=Shop.current().currency)
    return [
        {"shopper": shopper, "why": why.get(shopper.pk, ""), "profile": getattr(shopper, "profile", None)}
        for shopper in found
    ]


def rows(segments: list[Segment]) -> list[dict[str, Any]]:
    """Return the rows of the list; all sizes come from one query."""
    sizes = queries.sizes(segments)
    valid = [rule for one in segments if (rule := _readable(one)) is not None]
    names = names_in(valid)
    return [{"segment": one, "size": sizes.get(one.pk), "sentence": sentence(one, names)} for one in segments]


def _readable(segment: Segment) -> dict[str, Any] | None:
    try:
        return rules.validate(segment.rule)
    except InputError:
        return None


def sentence(segment: Segment, names: Names | None = None) -> str:
    """Return the rule of a segment in words, also when it can't be read any more."""
    try:
        return rules.describe(rules.validate(segment.rule), names)
    except InputError as error:
        return _("This rule can't be used any more: %(why)s") % {"why": error}


def size_chart(segment: Segment) -> Chart | None:
    """Return the size over the last 90 days; None until there are two days."""
    history = queries.size_history(segment)
    if len(history) < 2:
        return None
    first, last = history[0], history[-1]
    days = (last.on - first.on).days
    size = Series(str(segment), [one.on.isoformat() for one in history], [one.size for one in history], fill=True)
    figure = lines([size], dates=True)
    figure["layout"].update({"annotations": [], "margin": {"l": 8, "r": 12, "t": 10, "b": 8}})
    return Chart(
        id="segment-size",
        finding=ngettext("Size over %(n)s day", "Size over %(n)s days", days) % {"n": days},
        explanation="",
        figure=figure,
        label=_("The segment had %(first)s shoppers on %(day)s and has %(last)s now.")
        % {"first": numbers.count(first.size), "day": numbers.day(first.on), "last": numbers.count(last.size)},
        columns=[_("Day"), _("Shoppers")],
        rows=[(numbers.day(one.on), numbers.count(one.size)) for one in history],
        height=120,
    )
