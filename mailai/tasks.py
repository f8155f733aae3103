"""Celery entrances of the foundation."""

from celery import shared_task
from django.utils import timezone

from mailai.models import Heartbeat


@shared_task
def heartbeat() -> None:
    """Beat queued this and a worker runs it, so one row proves both alive."""
    Heartbeat.objects.update_or_create(name="worker", defaults={"at": timezone.now()})
