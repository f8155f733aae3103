"""How well the models of past trainings ranked, which of them picked the products, and since when."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.ui import numbers
from mailai.ui.charts import Chart, Series, lines, marked
from recommender import queries
from recommender.core.algorithms import BASELINE
from recommender.models import TrainingRun
from recommender.words import label_of, name_of


def chart(live: TrainingRun) -> Chart | None:
    """Return the live algorithm's trainings with their range beside most popular, and when which model went live."""
    runs = queries.trained_lately({live.algorithm, BASELINE})
    served = queries.promotions([run.pk for run in runs])
    ours = [run for run in runs if run.algorithm == live.algorithm]
    baseline = [run for run in runs if run.algorithm == BASELINE != live.algorithm]
    went_live = [run for run in runs if run.pk in served]
    if not ours:
        return None
    return Chart(
        id="training-history",
        finding=_finding(ours),
        explanation=_(
            "Ranking quality of each training on the newest fifth of its time, with the range. Rings: went live."
        ),
        figure=marked(
            lines(
                [
                    *([_series(name_of(BASELINE), baseline, "control")] if baseline else []),
                    _series(name_of(live.algorithm), ours, "c1"),
                ],
                y_format=".3f",
                dates=True,
                from_zero=False,
            ),
            Series(_("Went live"), _moments(went_live), _values(went_live), "c2"),
            [label_of(run) for run in went_live],
        ),
        label=_("Ranking quality of %(n)s trainings of %(model)s over time") % {
            "n": len(ours), "model": name_of(live.algorithm)
        },
        columns=(_("Training"), _("Model"), "NDCG@10", _("Low"), _("High"), _("Went live")),
        rows=[
            (
                numbers.moment(run.created_at), label_of(run), *_ends(run),
                numbers.moment(served[run.pk]) if run.pk in served else numbers.NOTHING,
            )
            for run in reversed(runs)
        ],
    )  # fmt: skip


def _finding(ours: Sequence[Any]) -> str:
    """Compare the two newest trainings: each was examined on its own days, so only ranges that lie apart differ."""
    last = ours[-1].ndcg
    figures = {"model": name_of(ours[-1].algorithm), "value": f"{last['value']:.3f}"}
    if len(ours) == 1:
        return _("The first training of %(model)s ranks at %(value)s") % figures
    before = ours[-2].ndcg
    figures["before"] = f"{before['value']:.3f}"
    if before["low"] > last["high"]:
        return (
            _("The newest training of %(model)s ranks at %(value)s, after %(before)s: look at what changed") % figures
        )
    if before["high"] < last["low"]:
        return _("The newest training of %(model)s ranks at %(value)s, better than the %(before)s before") % figures
    text = _("The newest training of %(model)s ranks at %(value)s, no different for sure from the %(before)s before")
    return text % figures


def _series(name: str, runs: Sequence[Any], colour: str) -> Series:
    low, high = ([run.ndcg[end] for run in runs] for end in ("low", "high"))
    return Series(name, _moments(runs), _values(runs), colour, low=low, high=high)


def _moments(runs: Sequence[Any]) -> list[str]:
    return [timezone.localtime(run.created_at).strftime("%Y-%m-%d %H:%M") for run in runs]


def _values(runs: Sequence[Any]) -> list[float]:
    return [run.ndcg["value"] for run in runs]


def _ends(run: Any) -> list[str]:
    return [f"{run.ndcg[end]:.3f}" for end in ("value", "low", "high")]
