"""Foundation of MailAI: settings, accounts, encryption, shared user interface."""

import os

from mailai.celery import app as celery_app

__all__ = ["celery_app"]

# What polars no longer needs goes back to the system soon, and from one pool; else an import holds a tenth more memory.
# It is read when polars is loaded.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:200,muzzy_decay_ms:0,narenas:1")
