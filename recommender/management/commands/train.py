"""manage.py train: train on the database, promote by the rule; first search better settings where that is wished."""

import time
from collections.abc import Collection, Iterator
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from mailai.commands import JsonCommand, seconds, seed
from mailai.errors import InputError, StateError
from recommender import services, tuning
from recommender.models import TrainingRun, Trial, Tuning
from recommender.said import BUDGET_SPENT
from recommender.words import name_of

TUNING_SECONDS = 600.0


class Command(JsonCommand):
    help = "Train the recommender on the database and promote the best model by the rule."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--algorithm", default=services.AUTO, help="auto (those of every night), all, or one name")
        parser.add_argument("--tune", action="store_true", help="search better settings first (auto: of the best ones)")
        parser.add_argument(
            "--budget",
            type=seconds,
            help="seconds after which no further algorithm is begun; with --tune those of tuning",
        )
        parser.add_argument("--seed", type=seed, default=0)

    def run(self, **options: Any) -> dict[str, Any]:
        started = time.monotonic()
        budget = options["budget"]
        tuned = self._tuned(options["algorithm"], budget, options["seed"]) if options["tune"] else []
        asked, of_others = services.asked_for(options["algorithm"]), services.waiting_runs()
        last = services.request_training(options["algorithm"], seed=options["seed"])
        waiting = self._within(None if options["tune"] else budget, started, asked, of_others)
        runs = [run for run in map(services.train, waiting) if run.algorithm in asked]
        failed = next((run for run in runs if run.state == TrainingRun.State.FAILED), None)
        if failed:
            raise StateError(f"{name_of(failed.algorithm)}: {failed.error}")
        live = services.champion()
        run = next((run for run in runs if live and run.pk == live.pk), None) or (runs[-1] if runs else last)
        if run.state != TrainingRun.State.DONE:
            raise StateError(_("A worker trains this model already. Look at the recommender page, or wait."))
        return {
            "run": str(run.uuid), "algorithm": run.algorithm, "metrics": run.metrics,
            "seconds": round(time.monotonic() - started, 2), "peak_mb": run.peak_mb,
            "champion": bool(live and live.pk == run.pk), "reason": run.reason,
            **({"tuning": tuned} if options["tune"] else {}),
        }  # fmt: skip

    def _tuned(self, algorithm: str, budget: float | None, number: int) -> list[dict[str, Any]]:
        """Search settings one algorithm after the other, each with its share of the seconds, and tell what was found.

        One that was interrupted goes on with what it stored, and with the budget that it was given then.
        """
        names = {services.AUTO: tuning.candidates(), services.ALL: tuning.tunable()}.get(algorithm, [algorithm])
        share = (TUNING_SECONDS if budget is None else budget) / len(names)
        if len(names) > 1 and not tuning.LEAST_SECONDS <= share <= tuning.MOST_SECONDS:
            least, most = (f"{len(names) * end:.0f}" for end in (tuning.LEAST_SECONDS, tuning.MOST_SECONDS))
            text = _("%(n)s algorithms share the budget of tuning. Give between %(least)s and %(most)s seconds.")
            raise InputError(text % {"n": len(names), "least": least, "most": most})
        asked = [tuning.request_tuning(name, share, seed=number) for name in names]
        return [self._told(tuning.tune(one.pk, to_the_end=True, told=self._say_trial)) for one in asked]

    def _say_trial(self, trial: Trial) -> None:
        score = trial.error if trial.ndcg is None else f"{trial.ndcg:.4f}"
        self.say(f"{trial.tuning.algorithm} {trial.number}: {score}, {trial.seconds:.1f} s")

    def _told(self, one: Tuning) -> dict[str, Any]:
        if one.state == Tuning.State.FAILED:
            raise StateError(f"{name_of(one.algorithm)}: {one.error}")
        if one.state != Tuning.State.DONE:
            raise StateError(_("A worker tunes this model already. Look at the recommender page, or wait."))
        best = one.trials.get(number=one.found["number"])
        return {
            "tuning": str(one.uuid), "algorithm": one.algorithm, "trials": one.trials.count(), "found": one.found,
            "adopted": one.adopted, "params": best.params,
        }  # fmt: skip

    def _within(
        self, budget: float | None, started: float, asked: Collection[str], of_others: Collection[int]
    ) -> Iterator[int]:
        """Yield the waiting runs, those of the asked algorithms first, of which the first one is always trained.

        Of those that the budget does not reach what this command queued is given up; the others wait for a worker.
        """
        waiting = TrainingRun.objects.in_bulk(services.waiting_runs()).values()
        for place, run in enumerate(sorted(waiting, key=lambda run: (run.algorithm not in asked, run.pk))):
            if not place or budget is None or time.monotonic() - started <= budget:
                yield run.pk
            elif run.algorithm in asked and run.pk not in of_others:
                services.give_up(run, BUDGET_SPENT % {"n": budget})
