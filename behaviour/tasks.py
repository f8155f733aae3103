"""Celery entrances of this app. Each calls one service and can run twice."""

from celery import shared_task

from behaviour import demo
from mailai.accounts.models import User


@shared_task
def load_demo(by_id: int | None) -> None:
    """Load the demo shop, or complete it."""
    demo.load_demo_shop(by=User.objects.filter(pk=by_id).first())


@shared_task
def remove_demo(by_id: int | None) -> None:
    """Remove the demo shop, or what is left of it."""
    demo.remove_demo_shop(by=User.objects.filter(pk=by_id).first())
