"""What pages show of searches for settings: the list, the chart, the tries, the best settings in words."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from mailai.ui.charts import Chart, Series, search
from recommender import queries, setting_words, tuning
from recommender.models import Trial, Tuning
from recommender.words import name_of

N_LISTED = 6
DEFAULT_MINUTES, MOST_MINUTES = 10, int(tuning.MOST_SECONDS / 60)


@dataclass(frozen=True)
class Row:
    """A search in the list: its row with its number of tries ``n``, and what it found in words."""

    tuning: Tuning
    label: str
    sentence: str


def listed() -> list[Row]:
    """Return the newest searches."""
    # Grouped queries forget the order of the model.
    newest = Tuning.objects.select_related("requested_by").annotate(n=Count("trials")).order_by("-pk")
    return [Row(one, name_of(one.algorithm), setting_words.found(one)) for one in newest[:N_LISTED]]


def form() -> dict[str, Any]:
    """Return what the form offers: the live algorithm first."""
    live, names = queries.serving_run(), tuning.tunable()
    order = sorted(names, key=lambda name: not live or name != live.algorithm)
    return {
        "algorithms": [(name, name_of(name)) for name in order], "minutes": DEFAULT_MINUTES, "most": MOST_MINUTES,
    }  # fmt: skip


def progress() -> list[dict[str, Any]]:
    """Return what is being tuned or waits for it, with the share of the budget that is spent."""
    unfinished = queries.unfinished_tunings().annotate(spent=Sum("trials__seconds"), n=Count("trials"))
    return [
        {"label": name_of(one.algorithm), "tuning": one, "done": one.spent or 0, "of": max(one.budget, 1), "n": one.n}
        for one in unfinished
    ]


def newest_chart() -> tuple[Tuning, Chart] | None:
    """Return the newest search that tried something beside the defaults, with its chart."""
    newest = Tuning.objects.annotate(n=Count("trials__ndcg")).filter(n__gt=1).order_by("-pk").first()
    return (newest, chart(newest, list(newest.trials.all()))) if newest else None


def chart(one: Tuning, trials: list[Trial]) -> Chart:
    """Return the score of each try, and the best so far."""
    told = [(trial, trial.ndcg) for trial in trials if trial.ndcg is not None]
    numbers, scores = [trial.number + 1 for trial, _score in told], [score for _trial, score in told]
    best = list(accumulate(scores, max))
    dots = Series(_("Try"), numbers, scores, colour="control")
    line = Series(_("Best %(value)s") % {"value": f"{max(scores):.3f}"}, numbers, best)
    return Chart(
        id=f"tuning-{one.pk}",
        finding=_finding(one, len(trials), numbers[scores.index(max(scores))]),
        explanation=_("%(model)s. Each dot is one try of a Bayesian search; the line is the best so far.")
        % {"model": name_of(one.algorithm)},
        figure=search(dots, line, x_title=_("Try")),
        label=_("Ranking quality of %(n)s tries: %(first)s with the defaults, %(best)s with the best settings")
        % {"n": len(told), "first": f"{scores[0]:.3f}", "best": f"{max(scores):.3f}"},
        columns=(_("Try"), "NDCG@10", _("Low"), _("High"), _("Best so far")),
        rows=[
            (number, *(f"{value or 0:.4f}" for value in (trial.ndcg, trial.low, trial.high, so_far)))
            for number, (trial, _score), so_far in zip(numbers, told, best, strict=True)
        ],
    )


def _finding(one: Tuning, n: int, place: int) -> str:
    figures = {"place": place, "n": n}
    if one.adopted:
        return _("Tuning found better settings after %(place)s of %(n)s tries") % figures
    if one.state == Tuning.State.DONE:
        return _("%(n)s tries found nothing that is better for sure than the defaults") % figures
    return _("The best of %(n)s tries so far is number %(place)s") % figures


def detail(one: Tuning) -> dict[str, Any]:
    """Return everything about a search."""
    trials = list(one.trials.all())
    told = [trial for trial in trials if trial.ndcg is not None]
    best = max(told, key=lambda trial: trial.ndcg or 0.0, default=None)
    return {
        "tuning": one,
        "label": name_of(one.algorithm),
        "sentence": setting_words.found(one),
        "chart": chart(one, trials) if len(told) > 1 else None,
        "best": best,
        "settings": setting_words.compared(one.algorithm, best.params) if best else [],
        "trials": [
            {"trial": trial, "words": setting_words.in_short(one.algorithm, trial.params), "best": trial is best}
            for trial in reversed(trials)
        ],
        "spent": sum(trial.seconds for trial in trials),
        "unfinished": one.state in (Tuning.State.QUEUED, Tuning.State.RUNNING),
    }
