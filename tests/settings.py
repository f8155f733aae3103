"""The settings of the house under an environment of their own: tests never touch the data of an installation."""

import os
import tempfile

os.environ["MAILAI_DATA_DIR"] = tempfile.mkdtemp(prefix="mailai-test-")
os.environ["MAILAI_SECRET_KEY"] = "test-secret-key-that-is-long-enough-for-hmac"
os.environ["MAILAI_FIELD_KEYS"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
os.environ["MAILAI_INDEX_KEY"] = "test-index-key"
os.environ["CELERY_BROKER_URL"] = "memory://"
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's sync API keeps an event loop running

from mailai.settings import *  # noqa: F403

CELERY_TASK_ALWAYS_EAGER = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405 from the settings of the house
    # A file, as in an installation: in memory all threads of a served page would share one connection, and two requests
    # at once would end each other's transactions.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(os.environ["MAILAI_DATA_DIR"], "test.sqlite3")}  # noqa: F405
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"  # noqa: F405
