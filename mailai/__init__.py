"""Foundation of MailAI: settings, accounts, encryption, shared user interface."""

from mailai import broker
from mailai.celery import app as celery_app

__all__ = ["broker", "celery_app"]
