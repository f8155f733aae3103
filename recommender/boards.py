"""What the recommender page shows, worked out once: rows of the leaderboard, the finding above it, health facts."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour.catalogue_pages import picture_url
from behaviour.models import Event, Shopper
from mailai.errors import ArtefactError
from mailai.ui import numbers
from recommender import artefacts, promotion, queries, reasons, serving, tuning_pages
from recommender.core.algorithms import BASELINE
from recommender.duels import Duel, best_single, duel, wins
from recommender.models import TrainingRun
from recommender.picks import Pick
from recommender.said import said
from recommender.words import LABELS, STEP_LABELS, label_of, name_of

LIVE, CHALLENGER, BASE, OTHER = "live", "challenger", "baseline", "other"
N_TRY = 5


@dataclass(frozen=True)
class Row:
    """One model of the leaderboard; duel : to the live one; single : of a model of models to the best single one."""

    run: TrainingRun
    label: str
    hint: str
    state: str
    usable: bool
    duel: Duel | None = None
    single: Duel | None = None
    wins: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its public id as text."""
        return str(self.run.uuid)

    @property
    def metrics(self) -> dict[str, Any]:
        """Its figures."""
        return dict(self.run.metrics)

    @property
    def sentence(self) -> str:
        """The interval bar in words."""
        ndcg = self.metrics["ndcg"]
        return _("Ranking quality %(value)s, between %(low)s and %(high)s") % {
            name: f"{ndcg[name]:.3f}" for name in ("value", "low", "high")
        }


@dataclass(frozen=True)
class Turn:
    """A model that picked the products from a moment on, and who let it; by = "" is the rule."""

    row: Row
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True)
class Fact:
    """One true sentence about the health of the recommender."""

    state: str
    text: str


def rows(live: TrainingRun | None) -> list[Row]:
    """Return the leaderboard, best first."""
    runs = queries.leaderboard()
    found = [row_of(run, live) for run in runs]
    if live is None:
        return found
    return [
        replace(row, duel=duel(row.run, live), single=best_single(row.run, runs), wins=tuple(wins(row.run, live)))
        for row in found
    ]


def row_of(run: TrainingRun, live: TrainingRun | None) -> Row:
    """Return a run as a row of the leaderboard."""
    hint = str(LABELS.get(run.algorithm, ("", ""))[1])
    state = OTHER
    if live and run.pk == live.pk:
        state = LIVE
    elif live and promotion.better(run, live.algorithm):
        state = CHALLENGER
    elif run.algorithm == BASELINE:
        state = BASE
    return Row(run, label_of(run), hint, state, usable=state != LIVE and bool(run.artefact))


def axis(board: list[Row]) -> dict[str, float]:
    """Return one axis for all interval bars, and the live model as their reference."""
    ends = [row.metrics["ndcg"] for row in board]
    low, high = min((e["low"] for e in ends), default=0.0), max((e["high"] for e in ends), default=1.0)
    room = (high - low) * 0.1 or 0.01
    return {"low": low - room, "high": high + room}


def finding(live: TrainingRun, board: list[Row]) -> tuple[str, str]:
    """Return what the leaderboard says, as a title and one sentence."""
    personal = next((row for row in board if row.run.algorithm != BASELINE), None)
    challenger = next((row for row in board if row.state == CHALLENGER), None)
    if challenger:
        title = _("%(model)s is better than the live model. Use it?") % {"model": challenger.label}
        return title, _difference(challenger.run, live.algorithm)
    if live.algorithm != BASELINE:
        title = _("%(model)s picks the products, and beats most popular") % {"model": label_of(live)}
        return title, _difference(live, BASELINE)
    if personal:
        return _("Most popular picks the products for now"), f"{personal.label}: {said(personal.run.reason)}"
    return _("Most popular picks the products for now"), said(live.reason)


def _difference(run: TrainingRun, other: str) -> str:
    """Say how much better, with the range, for how many shoppers."""
    metrics, difference = run.metrics, run.metrics.get("against", {}).get(other)
    if not difference:
        return said(run.reason)
    n = metrics["n_test_shoppers"]
    text = ngettext(
        "On orders it had not seen, for %(n)s shopper, ranking quality was %(value)s against %(other)s "
        "(between %(low)s and %(high)s higher).",
        "On orders it had not seen, for %(n)s shoppers, ranking quality was %(value)s against %(other)s "
        "(between %(low)s and %(high)s higher).",
        n,
    )
    value = metrics["ndcg"]["value"]
    figures = {"value": value, "other": value - difference["value"]}
    figures |= {"low": difference["low"], "high": difference["high"]}
    return text % ({name: f"{figure:.3f}" for name, figure in figures.items()} | {"n": numbers.count(n)})


def progress() -> dict[str, Any]:
    """Return what trains or is tuned, with its step, and the names of what waits; empty when nothing does."""
    unfinished, tuned = list(queries.unfinished_runs()), tuning_pages.progress()
    if not unfinished and not tuned:
        return {}
    running = [run for run in unfinished if run.state == TrainingRun.State.RUNNING]
    return {
        "training": bool(unfinished),
        "tuning": tuned,
        "running": [
            {
                "label": label_of(run),
                "step": STEP_LABELS.get(run.progress.get("step", ""), ""),
                "done": run.progress.get("done", 0),
                "of": run.progress.get("of", 1),
                "blocks": blocks_text(run),
            }
            for run in running
        ],
        "waiting": [name_of(run.algorithm) for run in unfinished if run.state == TrainingRun.State.QUEUED],
    }


def blocks_text(run: TrainingRun) -> str:
    """Return how far the work is that several workers divide, "" where none is."""
    done, of = queries.blocks_of(run)
    # There are always several.
    text = _("%(done)s of %(of)s blocks done")
    return text % {"done": numbers.count(done), "of": numbers.count(of)} if of else ""


def who_picked() -> list[Turn]:
    """Return who picked the products, the newest first; the first one does now."""
    turns = queries.turns()
    live = turns[0].run if turns else None
    return [Turn(row_of(turn.run, live), turn.at, str(turn.by or ""), said(turn.reason)) for turn in turns]


def choices(live: TrainingRun | None, board: list[Row], turns: list[Turn]) -> list[Row]:
    """Return every model that a person may put live, of the leaderboard and of those that served, each once."""
    found = {row.key: row for row in [*board, *(turn.row for turn in turns)] if row.usable}
    return [row for row in found.values() if live and row.run.pk != live.pk]


def learnt_from(run: TrainingRun) -> list[tuple[str, int]]:
    """Return the events that a run learnt from, by kind, in the language of the page."""
    names = dict(Event.Kind.choices)
    counts = sorted(run.n_events.items(), key=lambda item: -item[1])
    return [(str(names.get(kind, kind)), n) for kind, n in counts]


def health(live: TrainingRun) -> list[Fact]:
    """Return only what was checked just now."""
    facts = [_file_fact(live)]
    ended = queries.newest_endings()
    for run in ended:
        if run.state == TrainingRun.State.FAILED:
            text = _("%(model)s could not be trained: %(why)s")
            facts.append(Fact("warn", text % {"model": name_of(run.algorithm), "why": said(run.error)}))
    seconds = sum(run.seconds or 0 for run in ended if run.created_at == max(one.created_at for one in ended))
    text = _("Trains once a day when something happened; the last time took %(n)s s")
    return [*facts, Fact("ok", text % {"n": f"{seconds:.0f}"}), *_hidden_facts()]


def _hidden_facts() -> list[Fact]:
    """Say which products no email can show."""
    hidden = queries.unshowable_products()
    texts = {
        "no_picture": ngettext(
            "%(n)s product has no picture, so no email shows it",
            "%(n)s products have no picture, so no email shows them",
            hidden["no_picture"],
        ),
        "sold_out": ngettext(
            "%(n)s product is out of stock and is not picked",
            "%(n)s products are out of stock and are not picked",
            hidden["sold_out"],
        ),
        "newer": ngettext(
            "%(n)s product has no event yet: only “Similar products” can find it",
            "%(n)s products have no event yet: only “Similar products” can find them",
            hidden["newer"],
        ),
    }
    return [Fact("warn", text % {"n": numbers.count(hidden[why])}) for why, text in texts.items() if hidden[why]]


def _file_fact(live: TrainingRun) -> Fact:
    try:
        artefacts.load(live)
    except ArtefactError as error:
        return Fact("warn", _("An earlier model serves: %(why)s") % {"why": error})
    return Fact("ok", _("The file of the live model is whole"))


def compare(shopper: Shopper, live: TrainingRun, other: TrainingRun | None) -> list[dict[str, Any]]:
    """Return the picks of the live model and of another one for a shopper, with their reasons."""
    chosen: dict[int, list[Pick]] = {}
    for place, run in enumerate((live, other)):
        if run:
            chosen[place] = serving.top_products([shopper.pk], N_TRY, run=run)[shopper.pk]
    texts = reasons.reasons_for(chosen)
    products = queries.products_by_id({pick.product_id for picks in chosen.values() for pick in picks})
    columns = []
    for place, picks in chosen.items():
        items = [
            {"product": products[pick.product_id], "image": picture_url(products[pick.product_id]), "why": text}
            for pick, text in zip(picks, texts[place], strict=True)
        ]
        run = other if place else live
        columns.append({"label": label_of(run) if run else "", "live": not place, "items": items})
    return columns
