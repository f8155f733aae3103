"""Tables of the foundation."""

from django.db import models
from django.utils import timezone


class Heartbeat(models.Model):
    """The last sign of life of a service ("beat", "worker"), asked by `doctor` and /readyz."""

    name = models.CharField(max_length=30, primary_key=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name
