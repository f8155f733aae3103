"""What is understood about shoppers, and the groups made from it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from behaviour.models import Shopper


class Profile(models.Model):
    """One wide row per shopper, rebuilt by set-based SQL from her events. Days and counts are as of `updated_at`."""

    class Stage(models.TextChoices):
        """Where a shopper stands in her life with the shop (segments.core.lifecycle)."""

        LEAD = "lead", _("Lead")
        NEW = "new", _("New")
        PROMISING = "promising", _("Promising")
        LOYAL = "loyal", _("Loyal")
        AT_RISK = "at_risk", _("At risk")
        DORMANT = "dormant", _("Dormant")

    shopper = models.OneToOneField(Shopper, on_delete=models.CASCADE, primary_key=True, related_name="profile")
    first_order_at = models.DateTimeField(null=True, blank=True)
    last_order_at = models.DateTimeField(null=True, blank=True, db_index=True)
    last_event_at = models.DateTimeField(null=True, blank=True, db_index=True)
    n_orders = models.PositiveIntegerField(default=0, db_index=True)
    n_orders_90d = models.PositiveIntegerField(default=0)
    n_orders_365d = models.PositiveIntegerField(default=0)
    n_products = models.PositiveIntegerField(default=0)
    # Refunds are taken off.
    monetary = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_index=True)
    monetary_365d = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    average_basket = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # Median days between two orders; null below three orders.
    order_gap_days = models.FloatField(null=True, blank=True)
    # 1 (worst) to 5 (best) by quintiles; null without an order.
    recency_score = models.PositiveSmallIntegerField(null=True, blank=True)
    frequency_score = models.PositiveSmallIntegerField(null=True, blank=True)
    monetary_score = models.PositiveSmallIntegerField(null=True, blank=True)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.LEAD, db_index=True)
    favourite_category = models.CharField(max_length=200, blank=True, db_index=True)
    # [{"category": name, "share": 0..1}], at most five, best first; time-decayed spend.
    categories = models.JSONField(default=list, blank=True)
    n_opens_90d = models.PositiveIntegerField(default=0)
    n_clicks_90d = models.PositiveIntegerField(default=0)
    last_open_at = models.DateTimeField(null=True, blank=True)
    last_click_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.shopper_id)


class ProfileRefresh(models.Model):
    """How far profiles have read the events (row 1)."""

    last_event_id = models.BigIntegerField(default=0)
    last_shopper_id = models.BigIntegerField(default=0)
    # Fewer than this: shoppers were removed, and with them their place in the quintiles.
    n_shoppers = models.BigIntegerField(default=0)
    # Renewed with every batch by the one process that refreshes; null while nobody does.
    claimed_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    full_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.last_event_id)


class Segment(models.Model):
    """A named rule over profiles; who belongs is asked when it matters, not stored."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    description = models.CharField(max_length=300, blank=True)
    rule = models.JSONField()
    demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name


class SegmentSize(models.Model):
    """How many shoppers a segment had on a day."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="sizes")
    on = models.DateField()
    size = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["segment", "on"], name="segmentsize_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.on} {self.size}"
