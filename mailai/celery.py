"""The Celery application. Names apps only through Django's registry."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailai.settings")

# Beat only sends names by the clock: without Django's apps and the tasks' modules it needs half the memory.
ONLY_BEAT = os.environ.get("MAILAI_ROLE") == "beat"

# By name: SQLAlchemy, 18 MB, is loaded by who talks to the embedded broker, and by no other process.
TRANSPORT_ALIASES["embedded"] = "mailai.broker:Transport"

app = Celery("mailai", fixups=[] if ONLY_BEAT else None)
app.config_from_object("django.conf:settings", namespace="CELERY")
if not ONLY_BEAT:
    app.autodiscover_tasks()
