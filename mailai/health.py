"""Liveness and readiness, for load balancers and `make run`."""

from datetime import timedelta

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from mailai.accounts.roles import public
from mailai.models import Heartbeat

WORKER_SILENT_AFTER = timedelta(seconds=60)


@public
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the web process answers."""
    return JsonResponse({"status": "ok"})


@public
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether database and worker can do their part; 503 names what can't."""
    checks = {}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = "ok"
        last = Heartbeat.objects.filter(name="worker").values_list("at", flat=True).first()
        alive = last is not None and timezone.now() - last < WORKER_SILENT_AFTER
        checks["worker"] = "ok" if alive else "silent"
    except DatabaseError:
        checks["database"] = "unreachable"
    ready = all(state == "ok" for state in checks.values())
    return JsonResponse({"status": "ok" if ready else "not ready", "checks": checks}, status=200 if ready else 503)
