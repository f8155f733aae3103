"""What the page of migration says of stages, and of RFM groups: their names, which are good, what is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from mailai.ui import numbers
from segments.core import lifecycle, moves, rfm_groups
from segments.core.rfm_groups import GROUPS
from segments.models import Profile, StageHistory

NOT_YET = gettext_lazy("No order yet")
GROUP_NAMES = {
    rfm_groups.NONE: NOT_YET,
    rfm_groups.CHAMPIONS: pgettext_lazy("RFM group", "Champions"),
    rfm_groups.LOYAL: pgettext_lazy("RFM group", "Loyal"),
    rfm_groups.POTENTIAL: pgettext_lazy("RFM group", "Potential loyalists"),
    rfm_groups.NEW: pgettext_lazy("RFM group", "New"),
    rfm_groups.PROMISING: pgettext_lazy("RFM group", "Promising"),
    rfm_groups.ATTENTION: pgettext_lazy("RFM group", "Need attention"),
    rfm_groups.SLEEPY: pgettext_lazy("RFM group", "About to sleep"),
    rfm_groups.AT_RISK: pgettext_lazy("RFM group", "At risk"),
    rfm_groups.CANT_LOSE: pgettext_lazy("RFM group", "Can't lose"),
    rfm_groups.HIBERNATING: pgettext_lazy("RFM group", "Hibernating"),
}


@dataclass(frozen=True)
class Kind:
    """One way to tell shoppers apart: its names, who drifts away, who is there, and the best of them."""

    key: str
    drifted: tuple[str, ...]
    present: tuple[str, ...]
    best: tuple[str, ...]
    label: Callable[[str], str]
    of_profile: Callable[[Profile], str]
    rhythm: Callable[[StageHistory], str]
    finding: Callable[[int, int, int], str]

    @property
    def names(self) -> tuple[str, ...]:
        """All names; the first is "no order yet"."""
        return moves.NAMES[self.key]

    @property
    def bought(self) -> tuple[str, ...]:
        """The names of who has ordered."""
        return self.names[1:]

    def labels(self) -> list[str]:
        """Return the names of who has ordered, in words."""
        return [self.label(name) for name in self.bought]

    def told(self, table: np.ndarray) -> str:
        """Say in a sentence how many fell behind and how many came back; a table from `moves.moves`."""
        best = self._sum(table, self.best, self.drifted)
        fell = self._sum(table, self.present, self.drifted)
        back = self._sum(table, self.drifted, self.present)
        return self.finding(best, fell, back)

    def trend(self, name: str, change: int) -> str:
        """Say whether a change is good: more of those who are here, fewer of those who drift."""
        if not change or name not in self.drifted + self.present:
            return "flat"
        return "up" if (change > 0) == (name in self.present) else "down"

    def _sum(self, table: np.ndarray, was: Sequence[str], became: Sequence[str]) -> int:
        rows, columns = ([self.names.index(one) for one in names] for names in (was, became))
        return int(table[np.ix_(rows, columns)].sum())


def stage_name(stage: str) -> str:
    """Return a stage in words; who has not ordered yet is told apart from nobody else."""
    return str(NOT_YET) if stage == lifecycle.LEAD else str(Profile.Stage(stage).label)


def group_name(group: str) -> str:
    """Return an RFM group in words."""
    return str(GROUP_NAMES[group])


def group_of(profile: Profile) -> str:
    """Return the RFM group of a profile in words."""
    if not profile.recency_score or not profile.frequency_score:
        return str(NOT_YET)
    return group_name(rfm_groups.GRID[profile.recency_score - 1][profile.frequency_score - 1])


def legend() -> list[tuple[str, str, str]]:
    """Return each RFM group in words with the recency and frequency scores that make it."""
    rows = []
    for group in GROUPS[1:]:
        pairs = rfm_groups.scores_of(group)
        recency, frequency = (_span([pair[side] for pair in pairs]) for side in (0, 1))
        rows.append((group_name(group), recency, frequency))
    return rows


def _span(scores: Sequence[int]) -> str:
    return str(min(scores)) if min(scores) == max(scores) else f"{min(scores)}–{max(scores)}"


def _stages_measured(history: StageHistory) -> str:
    limits = {name: numbers.count(round(days)) for name, days in history.thresholds.items()}
    return _(
        "Measured on all days by what is usual in your shop today: at risk from %(at_risk_days)s days after the last "
        "order, dormant from %(dormant_days)s."
    ) % limits  # fmt: skip


def _groups_measured(_history: StageHistory) -> str:
    return _(
        "Measured on all days by the fifths of today's shoppers: how long ago the last order was, and how many orders "
        "there were."
    )


def _finding(of_best: Callable[[int], str], of_all: Callable[[int], str]) -> Callable[[int, int, int], str]:
    """Return what says how many of the best, or else of all, fell behind and how many came back."""

    def said(best: int, fell: int, back: int) -> str:
        if not (best or fell or back):
            return _("Nobody fell behind and nobody came back")
        n, words = (best, of_best) if best else (fell, of_all)
        return words(n) % {"n": numbers.count(n), "back": numbers.count(back)}

    return said


_stages_found = _finding(
    lambda n: ngettext(
        "%(n)s loyal shopper became at risk or dormant, %(back)s came back",
        "%(n)s loyal shoppers became at risk or dormant, %(back)s came back",
        n,
    ),
    lambda n: ngettext(
        "%(n)s shopper became at risk or dormant, %(back)s came back",
        "%(n)s shoppers became at risk or dormant, %(back)s came back",
        n,
    ),
)
_groups_found = _finding(
    lambda n: ngettext(
        "%(n)s champion or loyal shopper fell behind, %(back)s came back",
        "%(n)s champions and loyal shoppers fell behind, %(back)s came back",
        n,
    ),
    lambda n: ngettext(
        "%(n)s shopper fell behind, %(back)s came back", "%(n)s shoppers fell behind, %(back)s came back", n
    ),
)


STAGES = Kind(
    moves.STAGE,
    drifted=(lifecycle.AT_RISK, lifecycle.DORMANT),
    present=(lifecycle.NEW, lifecycle.PROMISING, lifecycle.LOYAL),
    best=(lifecycle.LOYAL,),
    label=stage_name,
    of_profile=lambda profile: str(profile.get_stage_display()),
    rhythm=_stages_measured,
    finding=_stages_found,
)
RFM = Kind(
    moves.GROUP,
    drifted=(rfm_groups.SLEEPY, rfm_groups.AT_RISK, rfm_groups.CANT_LOSE, rfm_groups.HIBERNATING),
    present=(
        rfm_groups.CHAMPIONS, rfm_groups.LOYAL, rfm_groups.POTENTIAL, rfm_groups.NEW, rfm_groups.PROMISING,
    ),
    best=(rfm_groups.CHAMPIONS, rfm_groups.LOYAL),
    label=group_name,
    of_profile=group_of,
    rhythm=_groups_measured,
    finding=_groups_found,
)  # fmt: skip
KINDS = {kind.key: kind for kind in (STAGES, RFM)}
