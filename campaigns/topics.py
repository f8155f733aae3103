"""What the mails were about that a shopper reacts to, each with its evidence."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from campaigns import content, theme_reads, themes
from campaigns.models import Campaign, ThemeRun
from recommender.core.theme_exam import LIKELY
from recommender.core.theme_text import BETWEEN_PARTS, Said

# So many of her newest mails are looked at, and so few of one topic say nothing.
N_MAILS, MIN_SENT = 100, 2
N_TOPICS, N_DRAFTS = 5, 10


@dataclass(frozen=True)
class Topic:
    """A category, or the ready-made email that mails began with.

    n_got : mails of which it can be known whether she opened them; n_sent : all.
    factor : how much more than usual she reacts, drawn towards 1 where there were few mails.
    """

    label: Any
    is_layout: bool
    n_sent: int = 0
    n_got: int = 0
    n_opened: int = 0
    n_clicked: int = 0
    did: float = 0.0
    expected: float = 0.0
    noise: float = 0.0
    factor: float = 1.0

    @property
    def leaning(self) -> str:
        """Return "more", "less" or ""."""
        return "more" if self.factor >= LIKELY else "less" if self.factor <= 1 / LIKELY else ""


def topics_of(shopper_id: int, at: datetime | None = None) -> list[Topic]:
    """Return what the shopper's mails were about, what she reacts to most first; what came only once is left out."""
    mails = list(theme_reads.of_shopper(shopper_id, at or timezone.now(), N_MAILS))
    campaigns = Campaign.objects.in_bulk({mail["campaign_id"] for mail in mails})
    about = dict(zip(campaigns, theme_reads.said(campaigns.values()), strict=True))
    run = themes.current()
    found: dict[str, Topic] = {}
    for mail in mails:
        for topic in _topics(about[mail["campaign_id"]]):
            key = f"{topic.is_layout} {topic.label}"
            found[key] = _with(found.get(key, topic), mail, _usual(run, mail["campaign_id"]))
    rows = [_judged(topic, run) for topic in found.values() if topic.n_sent >= MIN_SENT]
    rows.sort(key=lambda topic: (-topic.factor, -topic.n_clicked, -topic.n_opened, str(topic.label)))
    return rows[:N_TOPICS]


def waiting_for(shopper_id: int) -> dict[str, Any] | None:
    """Return the draft that suits her better than usual, and its factor; None where none does, or that is unproven."""
    drafts = Campaign.objects.filter(state=Campaign.State.DRAFT).exclude(variants__subject="").distinct()
    asked = list(drafts.order_by("-updated_at")[:N_DRAFTS])
    if themes.standing(themes.current(), "gain") != themes.PASSED or not asked:
        return None
    # What everybody clicks may stand first and not suit her better than usual.
    best = next((one for one in themes.themes_for([shopper_id], asked)[shopper_id] if one.factor >= LIKELY), None)
    if best is None:
        return None
    return {"campaign": next(one for one in asked if one.pk == best.campaign_id), "factor": best.factor}


def _topics(said: Said) -> list[Topic]:
    leaves = dict.fromkeys(path.rsplit(BETWEEN_PARTS, 1)[-1] for path in said.categories)
    layouts = [starter.name for starter in content.STARTERS if starter.key == said.layout]
    return [*(Topic(leaf, is_layout=False) for leaf in leaves), *(Topic(name, is_layout=True) for name in layouts)]


def _usual(run: ThemeRun | None, campaign_id: int) -> tuple[float, float, float] | None:
    """Return how often a campaign is clicked, and opened without a click, and what that is worth; None = not learnt."""
    if run is None or campaign_id not in run.model["campaigns"]:
        return None
    place = run.model["campaigns"].index(campaign_id)
    return run.model["clicks"][place], run.model["opens"][place], run.model["open_worth"]


def _with(topic: Topic, mail: dict[str, Any], usual: tuple[float, float, float] | None) -> Topic:
    """Add a mail to what is known; its surprise counts as in recommender.core.themes."""
    clicked, opened = mail["clicked_at"] is not None, mail["opened_at"] is not None
    known = opened or clicked or mail["machine_opened_at"] is None
    topic = replace(
        topic, n_sent=topic.n_sent + 1, n_got=topic.n_got + known, n_opened=topic.n_opened + (opened or clicked),
        n_clicked=topic.n_clicked + clicked,
    )  # fmt: skip
    if usual is None:
        return topic
    click, only_open, of_open = usual[0], usual[1] * known, usual[2]
    expected = click + of_open * only_open
    return replace(
        topic, did=topic.did + (1.0 if clicked else of_open * opened), expected=topic.expected + expected,
        noise=topic.noise + click + of_open**2 * only_open - expected**2,
    )  # fmt: skip


def _judged(topic: Topic, run: ThemeRun | None) -> Topic:
    """Return a topic with its factor: ``1 + t E / (t E^2 + V) (did - E)``, t = how much shoppers differ."""
    differ = run.model["lively"] + run.model["taste"] if run else 0.0
    spread = differ * topic.expected**2 + topic.noise
    if not spread:
        return topic
    return replace(topic, factor=max(1 + differ * topic.expected / spread * (topic.did - topic.expected), 0.0))
