"""The Celery application. Names apps only through Django's registry."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailai.settings")

app = Celery("mailai")
app.config_from_object("django.conf:settings", namespace="CELERY")
if os.environ.get("MAILAI_ROLE") != "beat":
    # Beat only sends names; without the tasks' modules it needs half the memory.
    app.autodiscover_tasks()
