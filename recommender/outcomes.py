"""What became of picks in mails that were sent, known here by a registry: the app that sends them stands above."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.core.cache import cache
from django.utils.translation import gettext as _

from recommender.core.intervals import Interval
from recommender.core.shares import Sums, share
from recommender.picks import CATEGORY, NEWEST, POPULAR, SIMILAR, TRENDING
from recommender.words import name_of

WINDOW = timedelta(days=28)
KEPT_SECONDS = 600
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


def outcomes() -> list[Outcome]:
    """Return what became of the picks of the last 28 days, most shown first; kept for ten minutes."""
    if not _sources:
        return []
    told = cache.get_or_set("picks-in-real-emails", lambda: _sources[0](WINDOW), KEPT_SECONDS) or []
    rows = [_outcome(one) for one in told]
    return sorted(rows, key=lambda row: -row.n_shown)


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
