"""What shoppers may be sent."""

from typing import ClassVar

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from behaviour.models.people import ConsentState, Shopper


class Consent(models.Model):
    """One statement of permission or its withdrawal, with its proof. Append-only, the newest counts."""

    class Purpose(models.TextChoices):
        """What the permission is for."""

        MARKETING = "marketing", _("Marketing email")
        PROFILING = "profiling", _("Personal picks")
        OPEN_TRACKING = "open_tracking", _("Open tracking")

    shopper = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=14, choices=Purpose.choices)
    state = models.CharField(max_length=10, choices=ConsentState.choices)
    source = models.CharField(max_length=60)
    proof = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        # The newest statement of one shopper for one purpose.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["shopper", "purpose", "-at"], name="consent_newest")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.state}"


class Suppression(models.Model):
    """An address that is never mailed again. Holds the blind index only, so it survives erasure and re-import."""

    class Reason(models.TextChoices):
        """Why."""

        BOUNCED = "bounced", _("Address bounced")
        COMPLAINED = "complained", _("Complained")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        REQUESTED = "requested", _("Asked not to be mailed")

    email_index = models.CharField(max_length=32, unique=True)
    reason = models.CharField(max_length=14, choices=Reason.choices)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.reason} {self.at:%Y-%m-%d}"
