"""Learn who likes which mails."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import themes
from campaigns.lookup import moment
from mailai.commands import JsonCommand
from mailai.errors import InputError


class Command(JsonCommand):
    help = "Learn from opens and clicks who likes which mails, and test it on the newest campaigns."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--now", help="the moment to learn at, with its zone (default: now)")

    def run(self, *, now: str | None, **options: Any) -> dict[str, Any]:
        at = moment(now)
        if at and at > timezone.now():
            raise InputError(_("--now must not be later than now: what was learnt serves at once."))
        run = themes.learn(at)
        if run is None:
            return {"campaigns": 0}
        return {
            "campaigns": len(run.model["campaigns"]), "mails": run.n_mails, "clicks": run.n_clicks,
            "shoppers": run.n_shoppers, "lively": run.model["lively"], "taste": run.model["taste"],
            "open_worth": run.model["open_worth"], "exam": run.exam,
            "likely_may_be_chosen": themes.standing(run, "difference"), "choice_of_mails": themes.standing(run, "gain"),
            "seconds": round(run.seconds, 2),
        }  # fmt: skip
