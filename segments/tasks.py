"""Celery entrances of this app. Run twice, each does its work once."""

from celery import shared_task

from segments import sampling, services


@shared_task(acks_late=True)
def refresh_profiles() -> None:
    """Read new events into profiles; two small queries when there are none. The first of a day reads everybody."""
    services.refresh_profiles(wait=False)
    services.record_sizes()
    sampling.keep_fresh()


@shared_task(acks_late=True)
def rebuild_profiles() -> None:
    """Read everybody anew, whatever seems to have changed."""
    services.refresh_profiles(everybody=True, wait=False)
    services.record_sizes()
