"""The shop itself."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import models
from django.utils.timezone import now


class Shop(models.Model):
    """The one shop of this installation (row 1): what every page and mail needs to know about it."""

    name = models.CharField(max_length=120, default="My shop")
    currency = models.CharField(max_length=3, default="GBP")
    timezone = models.CharField(max_length=64, default="Europe/London")
    postal_address = models.CharField(max_length=300, blank=True)
    url = models.URLField(blank=True)
    attribution_days = models.PositiveSmallIntegerField(default=7)
    # At most this many messages to one shopper in seven days; 0 = no cap.
    frequency_cap = models.PositiveSmallIntegerField(default=3)
    # The demo shop only: its invented shoppers answer mails through the public tracking addresses.
    demo_reacts = models.BooleanField(default=False)
    # How often shoppers or products were removed: who remembers their ids looks at this first (behaviour.turns).
    n_removals = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> "Shop":
        """Return the shop, made on first use."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)

    def day_of(self, at: datetime) -> date:
        """Return the day of the shop's calendar on which a moment lies."""
        return at.astimezone(self.zone).date()
