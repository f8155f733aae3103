"""The fixed sample of shoppers that first answers are estimated from."""

from django.db import models
from django.utils import timezone


class Sample(models.Model):
    """Row 1: what the copies in the tables ``sample_…`` (segments.sampling) were made from.

    The copies hold no names and no addresses, and are made anew within an hour, or when a shopper was removed.
    """

    # 0 where the shop is so small that everybody is counted.
    n_sampled = models.PositiveIntegerField(default=0)
    # Visible shoppers when the sample was drawn.
    n_shoppers = models.PositiveIntegerField(default=0)
    # Shop.n_removals then.
    n_removals = models.BigIntegerField(default=0)
    built_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.n_sampled} of {self.n_shoppers}"
