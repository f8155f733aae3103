"""Celery entrances of the recommender."""

from celery import shared_task

from recommender import outcomes, services, tuning


@shared_task(acks_late=True)
def train(run_id: int) -> None:
    """Train a run and those asked for with it. Run twice, it trains once."""
    services.train_with_siblings(run_id, call=train_blocks.delay)


@shared_task(acks_late=True)
def train_blocks(run_id: int) -> None:
    """Take blocks of a run that another worker trains; the message says only that there may be some."""
    services.help_with(run_id)


@shared_task
def sweep_training() -> None:
    """Start what waits, also what uploaders wished for.

    A lost message, or a worker that died, delays a training and never loses it.
    """
    services.request_wished_training()
    for run_id in services.sweep():
        train.delay(run_id)
    for run_id in services.runs_to_help():
        train_blocks.delay(run_id)
    for tuning_id, turn in tuning.sweep():
        tune.delay(tuning_id, turn)


@shared_task(acks_late=True)
def tune(tuning_id: int, turn: int) -> None:
    """Work on a search for settings for a turn, then let the next turn wait behind emails and trainings."""
    tuning.tune(tuning_id, turn)
    for next_id, its_turn in tuning.next_one():
        tune.delay(next_id, its_turn)


@shared_task
def request_weekly_tuning() -> None:
    """Search better settings once a week; asked again and again, it does so once."""
    for tuning_id, turn in tuning.request_weekly():
        tune.delay(tuning_id, turn)


@shared_task
def request_nightly_training() -> None:
    """Train on what happened since the last time."""
    for run_id in services.request_nightly_training():
        train.delay(run_id)


@shared_task
def count_outcomes() -> None:
    """Count what became of picks in sent mails, which takes more time than a page has."""
    outcomes.count()
