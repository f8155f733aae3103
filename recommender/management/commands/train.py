"""manage.py train: train on the database, promote by the rule."""

import time
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from mailai.commands import JsonCommand
from mailai.errors import StateError
from recommender import services
from recommender.models import TrainingRun


class Command(JsonCommand):
    help = "Train the recommender on the database and promote the best model by the rule."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--algorithm", default=services.AUTO, help="auto (those of every night), all, or one name")
        parser.add_argument("--budget", type=float, help="seconds after which no further algorithm is begun")
        parser.add_argument("--seed", type=int, default=0)

    def run(self, **options: Any) -> dict[str, Any]:
        started = time.monotonic()
        last = services.request_training(options["algorithm"], seed=options["seed"])
        runs = [services.train(run_id) for run_id in self._within(options["budget"], started)]
        failed = next((run for run in runs if run.state == TrainingRun.State.FAILED), None)
        if failed:
            raise StateError(failed.error)
        live = services.champion()
        run = next((run for run in runs if live and run.pk == live.pk), None) or (runs[-1] if runs else last)
        if run.state != TrainingRun.State.DONE:
            raise StateError(_("A worker trains this model already. Look at the recommender page, or wait."))
        return {
            "run": str(run.uuid), "algorithm": run.algorithm, "metrics": run.metrics,
            "seconds": round(time.monotonic() - started, 2), "peak_mb": run.peak_mb,
            "champion": bool(live and live.pk == run.pk), "reason": run.reason,
        }  # fmt: skip

    def _within(self, budget: float | None, started: float) -> Any:
        """Yield the waiting runs; give up those that the budget does not reach. The first one is always trained."""
        for place, run_id in enumerate(services.waiting_runs()):
            if place and budget is not None and time.monotonic() - started > budget:
                sentence = _("The time budget of %(n)s seconds was used up before this model's turn.") % {"n": budget}
                services.give_up(TrainingRun.objects.get(pk=run_id), sentence)
                continue
            yield run_id
