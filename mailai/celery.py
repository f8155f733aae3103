"""The Celery application. Names apps only through Django's registry."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailai.settings")

app = Celery("mailai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
