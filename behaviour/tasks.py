"""Celery entrances of this app. Each calls one service and can run twice."""

from celery import shared_task
from django.utils.module_loading import import_string

from behaviour import demo
from mailai.accounts.models import User

# Profiles, a model and an inbox belong to the demo too; a dotted name, so that this room imports none above it.
SET_UP = "analytics.demo_setup.set_up_demo_shop"


@shared_task
def load_demo(by_id: int) -> None:
    """Load the demo shop and make it live, or complete it."""
    import_string(SET_UP)(by=User.objects.filter(pk=by_id).first())


@shared_task
def remove_demo(by_id: int) -> None:
    """Remove the demo shop, or what is left of it."""
    demo.remove_demo_shop(by=User.objects.filter(pk=by_id).first())
