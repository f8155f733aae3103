"""Celery entrances of this app. Run twice, each does its work once."""

import logging

from celery import shared_task

from mailai.errors import StateError
from segments import clustering, history, list_uploads, list_writing, predictions, profiles, sampling, stage_history

logger = logging.getLogger(__name__)


@shared_task(acks_late=True)
def refresh_profiles() -> None:
    """Read new events into profiles; two small queries when there are none. The first of a day reads everybody."""
    profiles.refresh_profiles(wait=False)
    history.record_sizes()
    history.forget_removed()
    stage_history.forget_removed()
    sampling.keep_fresh()


@shared_task(acks_late=True)
def rebuild_profiles() -> None:
    """Read everybody anew, whatever seems to have changed."""
    profiles.refresh_profiles(everybody=True, wait=False)
    history.record_sizes()
    predict.delay()
    cluster_shoppers.delay()
    record_stages.delay()


@shared_task(acks_late=True)
def predict() -> None:
    """Predict when a new day or a file makes it due; asked again and again, it works once."""
    if not predictions.is_due():
        return
    try:
        predictions.predict()
    except StateError as error:
        logger.info("no predictions: %s", error)


@shared_task(acks_late=True)
def cluster_shoppers() -> None:
    """Make the groups of the day once its profiles are there; asked again and again, it works once."""
    if not clustering.is_due():
        return
    try:
        clustering.cluster_shoppers()
    except StateError as error:
        logger.info("no groups: %s", error)


@shared_task(acks_late=True)
def record_stages() -> None:
    """Work out the stages of the last months once the profiles of the day are there; asked again, it works once."""
    if stage_history.is_due():
        stage_history.record_stages()


@shared_task(acks_late=True)
def read_list(list_id: int) -> None:
    """Read the file of a list; of two, one writes."""
    list_uploads.read(list_id)


@shared_task(acks_late=True)
def finish_list(list_id: int) -> None:
    """Write a list that is being made, or remove one that is going; of two, both end the same."""
    list_writing.go_on(list_id)


@shared_task(acks_late=True)
def sweep_lists() -> None:
    """Begin what nobody began or whose worker died."""
    for list_id in list_uploads.sweep():
        read_list.delay(list_id)
    for list_id in list_writing.sweep():
        finish_list.delay(list_id)
