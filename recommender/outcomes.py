"""What became of picks in mails that were sent, known here by a registry: the app that sends them stands above."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.utils.timezone import now
from django.utils.translation import gettext as _

from recommender.core.intervals import Interval
from recommender.core.shares import Sums, share
from recommender.picks import CATEGORY, NEWEST, POPULAR, SIMILAR, TRENDING
from recommender.words import name_of

WINDOW = timedelta(days=28)
COUNTED, ASKED = "picks-counted", "picks-counting"
# Counted at most so often; what was counted is shown meanwhile, for a day.
FRESH, KEPT = timedelta(minutes=10), timedelta(days=1)
# A worker that was asked and says nothing is asked again after this time; a million shoppers take about 90 seconds.
PATIENCE = timedelta(minutes=5)
# Below so many picks shown nothing is said of a rate.
MIN_SHOWN = 100


@dataclass(frozen=True)
class Told:
    """Picks that one way of choosing put into mails, counted by shopper.

    source : the algorithm of the model, or the rung of the ladder that was not the model.
    clicked, bought : of those in mails that were sent; ``held_back``: bought of those that the control group would have
        seen, None where nobody was held back.
    demo : all of these mails went to invented shoppers.
    """

    source: str
    clicked: Sums
    bought: Sums
    held_back: Sums | None
    demo: bool


@dataclass(frozen=True)
class Outcome:
    """A row of the card; intervals are None below MIN_SHOWN picks."""

    label: str
    n_shown: int
    n_shoppers: int
    clicked: Interval | None
    bought: Interval | None
    held_back: Interval | None
    demo: bool


Source = Callable[[timedelta], list[Told]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Make the one source known; called when the app that sends mails is ready."""
    _sources[:] = [source]


def due() -> bool:
    """Say whether a worker should count now; who is told so asks one, and nobody else does for a while."""
    return not _is_fresh() and cache.add(ASKED, True, PATIENCE.total_seconds())


def _is_fresh() -> bool:
    found = cache.get(COUNTED)
    return bool(found) and now() - found[0] < FRESH


def count() -> None:
    """Count what became of the picks of the last 28 days and keep it; asked again meanwhile, it is not done again."""
    if _is_fresh():
        return
    told = _sources[0](WINDOW) if _sources else []
    cache.set(COUNTED, (now(), told), KEPT.total_seconds())
    cache.delete(ASKED)


def outcomes() -> tuple[datetime, list[Outcome]] | None:
    """Return when it was counted and what became of the picks, most shown first; None until a worker has counted."""
    found = cache.get(COUNTED)
    if found is None:
        return None
    at, told = found
    return at, sorted((_outcome(one) for one in told), key=lambda row: -row.n_shown)


def _outcome(told: Told) -> Outcome:
    enough = told.clicked.n >= MIN_SHOWN
    held = told.held_back if told.held_back and told.held_back.n >= MIN_SHOWN else None
    return Outcome(
        label_of(told.source), int(told.clicked.n), told.clicked.groups, share(told.clicked) if enough else None,
        share(told.bought) if enough else None, share(held) if held else None, told.demo,
    )  # fmt: skip


def label_of(source: str) -> str:
    """Name what chose a pick: a model, or what stood in where it had nothing."""
    rungs = {
        SIMILAR: _("Goes with what she looked at"), CATEGORY: _("Popular in her category"), TRENDING: _("What trends"),
        POPULAR: _("Best-sellers"), NEWEST: _("Newest products"),
    }  # fmt: skip
    return rungs.get(source) or name_of(source)
