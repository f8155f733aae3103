"""Celery entrances of this app."""

from celery import shared_task

from analytics import demo_setup
from mailai.accounts.models import User


@shared_task
def load_demo(by_id: int) -> None:
    """Load the demo shop and make it live, or complete it."""
    demo_setup.set_up_demo_shop(by=User.objects.filter(pk=by_id).first())
