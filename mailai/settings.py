"""All settings, read from the environment. docs/settings.md explains each variable; a test keeps the two equal.

With no variable set, clone, migrate and run works on SQLite under ``var/``.
"""

from pathlib import Path

import environ
from csp.constants import NONE, SELF

from mailai import env

BASE_DIR = Path(__file__).resolve().parent.parent
MAILAI_DATA_DIR = env.path("MAILAI_DATA_DIR", BASE_DIR / "var")
MAILAI_DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.flag("MAILAI_DEBUG")
PRODUCTION = env.flag("MAILAI_PRODUCTION")

# --- secrets
SECRET_KEY = (
    env.secret("MAILAI_SECRET_KEY", MAILAI_DATA_DIR, production=PRODUCTION) or "only-for-commands-before-init-keys"
)
MAILAI_FIELD_KEYS = [
    key for key in env.secret("MAILAI_FIELD_KEYS", MAILAI_DATA_DIR, production=PRODUCTION).split(",") if key
]
# The blind index must outlive field keys and sessions, so it has a key of its own.
MAILAI_INDEX_KEY = env.secret("MAILAI_INDEX_KEY", MAILAI_DATA_DIR, production=PRODUCTION)

# --- addresses
PORT = env.integer("PORT", 8000, low=1, high=65535)
# Percent of a mail's picks that a draw makes, so that other rankings can be judged by what came of them.
MAILAI_EXPLORATION = env.integer("MAILAI_EXPLORATION", 0, low=0, high=50)
# What MailAI may spend a week on tuning the live model and the best others; 0 = nothing by itself.
MAILAI_TUNING_MINUTES = env.integer("MAILAI_TUNING_MINUTES", 30, low=0, high=600)
MAILAI_PUBLIC_URL = env.url("MAILAI_PUBLIC_URL", f"http://localhost:{PORT}")
ALLOWED_HOSTS = [
    MAILAI_PUBLIC_URL.split("://")[1].split(":")[0].split("/")[0],
    *env.words("MAILAI_HOSTS", "localhost,127.0.0.1"),
]
CSRF_TRUSTED_ORIGINS = [MAILAI_PUBLIC_URL]
if MAILAI_PUBLIC_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "anymail",
    "csp",
    "django_htmx",
    "mailai",
    "mailai.accounts",
    "mailai.ui",
    "behaviour",
    "segments",
    "recommender",
    "campaigns",
    "analytics",
]

MIDDLEWARE = [
    # Programs send batches of events: nothing that only pages need stands before them.
    "behaviour.api_door.ApiDoor",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mailai.ui.middleware.PartMiddleware",
    "mailai.accounts.middleware.AuditMiddleware",
    "behaviour.middleware.ShopTimeMiddleware",
]

ROOT_URLCONF = "mailai.urls"
WSGI_APPLICATION = "mailai.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                # A dotted name, so that the foundation imports no app.
                "analytics.context.shell",
            ],
            "builtins": ["django.templatetags.i18n", "mailai.ui.templatetags.ui"],
        },
    }
]

# --- database
DATABASES = {"default": environ.Env().db("DATABASE_URL", default=f"sqlite:///{MAILAI_DATA_DIR / 'mailai.sqlite3'}")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        # Deferred transactions fail at once when a reader wants to write; immediate ones queue.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728; "
            "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-32000"
        ),
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # Translating a statement to machine code takes a second for those of a page, which take milliseconds themselves.
    # Pages of an index cost little more than those that follow each other, on any disk of today and in memory; with the
    # server's own 4 it reads a whole year of events for one month. Shoppers of a large shop are hashed in memory.
    tuned = "-c jit=off -c random_page_cost=1.1 -c work_mem=16MB"
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", tuned)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"},
    # Of one process, for answers that are asked for again while somebody types.
    "memory": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2000}},
}

# --- files
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_ROOT = MAILAI_DATA_DIR / "files"
MEDIA_URL = "/media/"
STATIC_URL = "/static/"
STATIC_ROOT = MAILAI_DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder", "mailai.ui.finders.NpmFinder"]
NODE_MODULES = BASE_DIR / "node_modules"
if (STATIC_ROOT / "staticfiles.json").exists():
    STORAGES["staticfiles"]["BACKEND"] = "whitenoise.storage.CompressedManifestStaticFilesStorage"
else:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_000_000
FILE_UPLOAD_TEMP_DIR = MAILAI_DATA_DIR / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)

# --- people
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "mailai.accounts.adapter.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("MAILAI_PROXIES", 0, low=0, high=10)

# --- language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- content security: no inline script or style, nothing from another host
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- tasks: a message is a hint, the database is the truth
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", f"embedded+sqlite:///{MAILAI_DATA_DIR / 'broker.sqlite3'}")
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"connect_args": {"timeout": 20}}
    if CELERY_BROKER_URL.startswith("embedded")
    else {"visibility_timeout": 3600, "unacked_restore_throttle": 1}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
# KB. A process that grew with a large import or a training gives its place to a fresh one, and its memory back.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 300_000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "campaigns.tasks.*": {"queue": "send"},
    "recommender.tasks.train": {"queue": "train"},
    "recommender.tasks.train_blocks": {"queue": "train"},
    "recommender.tasks.tune": {"queue": "train"},
    "segments.tasks.predict": {"queue": "train"},
    "segments.tasks.cluster_shoppers": {"queue": "train"},
}
CELERY_TASK_TIME_LIMIT = 3000
CELERY_BEAT_SCHEDULE_FILENAME = str(MAILAI_DATA_DIR / "beat.db")
# Every entry is an idempotent sweep: two beats by mistake are harmless.
CELERY_BEAT_SCHEDULE = {
    "heartbeat": {"task": "mailai.tasks.heartbeat", "schedule": 15},
    "sweep-uploads": {"task": "behaviour.tasks.sweep_uploads", "schedule": 15},
    "check-pictures": {"task": "behaviour.tasks.check_pictures", "schedule": 600},
    "refresh-profiles": {"task": "segments.tasks.refresh_profiles", "schedule": 60},
    "rebuild-profiles": {"task": "segments.tasks.rebuild_profiles", "schedule": 86_400},
    # Nearly always two small queries: once a day, and after a file, it predicts.
    "predict": {"task": "segments.tasks.predict", "schedule": 600},
    # Likewise: once a day, after the profiles of the day, and when the shop became another.
    "cluster-shoppers": {"task": "segments.tasks.cluster_shoppers", "schedule": 600},
    # Once a day, after the profiles of the day, and after a file of events.
    "record-stages": {"task": "segments.tasks.record_stages", "schedule": 600},
    "sweep-lists": {"task": "segments.tasks.sweep_lists", "schedule": 15},
    "sweep-training": {"task": "recommender.tasks.sweep_training", "schedule": 20},
    "train-nightly": {"task": "recommender.tasks.request_nightly_training", "schedule": 86_400},
    # A few small queries: once a week it asks for searches. Where nothing calls for them, it counts events once a day.
    "tune-weekly": {"task": "recommender.tasks.request_weekly_tuning", "schedule": 3600},
    "sweep-campaigns": {"task": "campaigns.tasks.sweep", "schedule": 5},
    "load-tracking": {"task": "campaigns.tasks.load_tracking", "schedule": 3},
    "attribute-orders": {"task": "campaigns.tasks.attribute", "schedule": 60},
    "learn-themes": {"task": "campaigns.tasks.learn_themes", "schedule": 600},
    "demo-reactions": {"task": "campaigns.tasks.react_as_demo_shoppers", "schedule": 10},
}

# --- mail of the house itself (invitations, password resets); campaigns use their own senders
EMAIL_BACKEND = env.text("MAILAI_SYSTEM_EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_TIMEOUT = 60
DEFAULT_FROM_EMAIL = env.text("MAILAI_SYSTEM_FROM", "mailai@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "mailai.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.text("MAILAI_LOG_LEVEL", "WARNING")},
}
