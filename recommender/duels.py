"""Two models on the same shoppers: how much better the one ranks, for sure or not, and in which groups it wins."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from recommender import fairness
from recommender.core.algorithms import COMPOSITES
from recommender.models import TrainingRun
from recommender.words import name_of

N_WINS = 3


@dataclass(frozen=True)
class Duel:
    """The paired difference in NDCG of a model to another one, with its 95 % range."""

    other: str
    value: float
    low: float
    high: float

    @property
    def kind(self) -> str:
        """Better or worse for sure, or "" where the range contains zero."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else ""

    @property
    def text(self) -> str:
        """The range as it stands below the interval bar."""
        return _("%(low)s to %(high)s") % {"low": _signed(self.low), "high": _signed(self.high)}

    @property
    def sentence(self) -> str:
        """The difference in words."""
        figures = {"model": name_of(self.other), "value": _signed(self.value)}
        figures |= {"low": _signed(self.low), "high": _signed(self.high)}
        return _("%(value)s against %(model)s for the same shoppers, between %(low)s and %(high)s") % figures


def duel(run: TrainingRun, other: TrainingRun) -> Duel | None:
    """Return the difference of a run to another one, as either of them stored it; None = they never met.

    What the other one stored counts only where both were examined together: on the same days, with these settings.
    """
    if run.pk == other.pk:
        return None
    told = run.metrics.get("against", {}).get(other.algorithm)
    if told:
        return Duel(other.algorithm, told["value"], told["low"], told["high"])
    back = other.metrics.get("against", {}).get(run.algorithm) if run.created_at == other.created_at else None
    return Duel(other.algorithm, -back["value"], -back["high"], -back["low"]) if back else None


def best_single(run: TrainingRun, board: list[TrainingRun]) -> Duel | None:
    """Return the difference of a model of models to the best single model of the leaderboard."""
    singles = [one for one in board if one.algorithm not in COMPOSITES]
    return duel(run, singles[0]) if run.algorithm in COMPOSITES and singles else None


def wins(run: TrainingRun, live: TrainingRun) -> list[str]:
    """Return the groups of shoppers for whom a run ranks better than the live model for sure, the clearest first."""
    if run.pk == live.pk:
        return []
    won = [(group, group["over"].get(live.algorithm)) for group in run.metrics.get("group_differences", [])]
    if run.created_at == live.created_at and live.algorithm not in run.metrics.get("against", {}):
        told = [(group, group["over"].get(run.algorithm)) for group in live.metrics.get("group_differences", [])]
        won = [(group, [-ends[0], -ends[2], -ends[1]]) for group, ends in told if ends]
    sure = sorted(((group, ends) for group, ends in won if ends and ends[1] > 0), key=lambda one: -one[1][1])
    return [_told(group, ends[0]) for group, ends in sure[:N_WINS]]


def _told(group: dict[str, Any], value: float) -> str:
    return _("%(group)s (%(value)s)") % {"group": fairness.group_name(group), "value": _signed(value)}


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
