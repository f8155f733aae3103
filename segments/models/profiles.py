"""What is understood about each shopper, and how far that has read."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from behaviour.models import Product, Shopper


class Profile(models.Model):
    """One wide row per shopper, made from her events and mails (segments.profiles).

    Windows begin at the midnight of the shop's day on which profiles were last read (ProfileRefresh.refreshed_at); a
    row is written only when something in it changed, at `updated_at`.
    """

    class Stage(models.TextChoices):
        """Where a shopper stands in her life with the shop (segments.core.lifecycle)."""

        LEAD = "lead", _("Lead")
        NEW = "new", _("New")
        PROMISING = "promising", _("Promising")
        LOYAL = "loyal", _("Loyal")
        AT_RISK = "at_risk", _("At risk")
        DORMANT = "dormant", _("Dormant")

    # Whoever writes profiles and whoever removes shoppers take turns (docs/adr/0007-lean-events.md).
    shopper = models.OneToOneField(
        Shopper, on_delete=models.CASCADE, primary_key=True, related_name="profile", db_constraint=False
    )
    first_order_at = models.DateTimeField(null=True, blank=True)
    last_order_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    # Looked at, and put in the cart.
    last_view_at = models.DateTimeField(null=True, blank=True)
    last_cart_at = models.DateTimeField(null=True, blank=True)
    n_orders = models.PositiveIntegerField(default=0)
    n_orders_30d = models.PositiveIntegerField(default=0)
    n_orders_90d = models.PositiveIntegerField(default=0)
    n_orders_365d = models.PositiveIntegerField(default=0)
    n_views_30d = models.PositiveIntegerField(default=0)
    # Days of the shop on which something was viewed, saved, searched, put in the cart or bought.
    n_visit_days_90d = models.PositiveIntegerField(default=0)
    n_products = models.PositiveIntegerField(default=0)
    # Refunds are taken off.
    monetary = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    monetary_365d = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    average_basket = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # Median days between two orders; null below three orders.
    order_gap_days = models.FloatField(null=True, blank=True)
    # 1 (worst) to 5 (best) by quintiles; null without an order.
    recency_score = models.PositiveSmallIntegerField(null=True, blank=True)
    frequency_score = models.PositiveSmallIntegerField(null=True, blank=True)
    monetary_score = models.PositiveSmallIntegerField(null=True, blank=True)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.LEAD)
    favourite_category = models.CharField(max_length=200, blank=True)
    # [{"category": name, "share": 0..1}], at most five, best first; time-decayed spend.
    categories = models.JSONField(default=list, blank=True)
    # [{"brand": name, "share": 0..1}], as categories; the product's attribute "brand".
    favourite_brand = models.CharField(max_length=120, blank=True)
    brands = models.JSONField(default=list, blank=True)
    # 1 (the cheapest) to 5 (the dearest) by quintiles of the buyers' median prices; null without a price.
    price_band = models.PositiveSmallIntegerField(null=True, blank=True)
    # The 10th, 50th and 90th percentile of what she paid for a piece, every piece counting once.
    price_low = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    price_median = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    price_high = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    # 0..1: of the pieces with a price, how many were bought at least 5 % below the product's usual price (UsualPrice).
    discount_share = models.FloatField(null=True, blank=True)
    # Hour (0..23) and weekday (0 = Monday), in her own time zone where known, at which she most visits, buys and opens
    # (people's opens only); null below five such moments.
    best_hour = models.PositiveSmallIntegerField(null=True, blank=True)
    best_weekday = models.PositiveSmallIntegerField(null=True, blank=True)
    # 168 digits, Monday 0:00 first: how much she is there, smoothed, in ninths of her fullest hour; empty as above. A
    # list of numbers would take two thousand bytes a shopper on PostgreSQL.
    hours = models.CharField(max_length=168, blank=True)
    n_received_30d = models.PositiveIntegerField(default=0)
    n_received_90d = models.PositiveIntegerField(default=0)
    # 0..100, null where she got no mail in a year; time-decayed share of mails with a human open or click.
    engagement = models.PositiveSmallIntegerField(null=True, blank=True)
    # 0..1: how far opens per mail fell with the mails of the last 30 days, against before; null below five mails.
    fatigue = models.FloatField(null=True, blank=True)
    n_opens_90d = models.PositiveIntegerField(default=0)
    n_clicks_90d = models.PositiveIntegerField(default=0)
    last_open_at = models.DateTimeField(null=True, blank=True)
    last_click_at = models.DateTimeField(null=True, blank=True)
    # Cluster.number; written by the clustering, null while there is none.
    cluster = models.PositiveSmallIntegerField(null=True, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # What lists are sorted by and rules ask of all shoppers; built after the first profiles (segments.first_fill).
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=[name], name=f"profile_{name}")
            for name in (
                "last_order_at", "last_event_at", "n_orders", "monetary", "stage", "favourite_category", "cluster",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return str(self.shopper_id)


class ProfileRefresh(models.Model):
    """How far profiles have read the events (row 1)."""

    last_event_id = models.BigIntegerField(default=0)
    last_shopper_id = models.BigIntegerField(default=0)
    # Fewer than this: shoppers were removed, and with them their place in the quintiles.
    n_shoppers = models.BigIntegerField(default=0)
    # Shop.n_removals then: what was removed took its part of the usual prices along.
    n_removals = models.BigIntegerField(default=0)
    # Renewed with every batch by the one process that refreshes; null while nobody does.
    claimed_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    full_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.last_event_id)


class UsualPrice(models.Model):
    """What a piece of a product usually costs: the lower median over all lines that were ever sold."""

    product = models.OneToOneField(Product, on_delete=models.CASCADE, primary_key=True, related_name="usual_price")
    price = models.DecimalField(max_digits=12, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.product_id} {self.price}"
