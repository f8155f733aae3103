"""What each shopper is expected to do next, and the models that say so."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from behaviour.models import Shopper


class PredictionRun(models.Model):
    """One back-test and fit of the models; its figures are the model card."""

    class State(models.TextChoices):
        """How far a run is."""

        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    # A sentence for people when it failed.
    error = models.CharField(max_length=300, blank=True)
    # What was known when it predicted: events before this moment.
    as_of = models.DateTimeField()
    # Target ("orders", "spend", "churn", "category") -> the model that won the back-test, by name.
    chosen = models.JSONField(default=dict)
    # Fitted parameters of the winners, as plain numbers.
    parameters = models.JSONField(default=dict)
    # {"split_at", "targets": {target: {model: {"error", "low", "high", "coverage"}}}, "calibration": […], …}
    metrics = models.JSONField(default=dict)
    n_shoppers = models.PositiveIntegerField(default=0)
    n_orders = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Two workers with the same message: one of them makes the run.
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="running"), name="prediction_run_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.as_of:%Y-%m-%d} {self.state}"


class Prediction(models.Model):
    """One row per shopper with an order, written by the newest run. ``…_low`` and ``…_high`` enclose 80 %."""

    shopper = models.OneToOneField(Shopper, on_delete=models.CASCADE, primary_key=True, related_name="prediction")
    run = models.ForeignKey(PredictionRun, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Expected number of orders, and the shop's currency, in the next days.
    orders_30d = models.FloatField()
    orders_30d_low = models.FloatField()
    orders_30d_high = models.FloatField()
    orders_90d = models.FloatField()
    orders_90d_low = models.FloatField()
    orders_90d_high = models.FloatField()
    orders_365d = models.FloatField()
    orders_365d_low = models.FloatField()
    orders_365d_high = models.FloatField()
    spend_30d = models.FloatField()
    # Null until the first run after the update that brought these columns.
    spend_30d_low = models.FloatField(null=True)
    spend_30d_high = models.FloatField(null=True)
    spend_90d = models.FloatField()
    spend_90d_low = models.FloatField(null=True)
    spend_90d_high = models.FloatField(null=True)
    spend_365d = models.FloatField()
    spend_365d_low = models.FloatField()
    spend_365d_high = models.FloatField()
    # 0..1: she orders at least once within 30 days; she does not order within 90 days ("leaves").
    order_chance = models.FloatField(db_index=True)
    order_chance_low = models.FloatField()
    order_chance_high = models.FloatField()
    churn_chance = models.FloatField(db_index=True)
    churn_chance_low = models.FloatField()
    churn_chance_high = models.FloatField()
    # 0..1: she does not order within 365 days; null as above.
    gone_chance = models.FloatField(null=True)
    gone_chance_low = models.FloatField(null=True)
    gone_chance_high = models.FloatField(null=True)
    # Null where no order is expected within two years.
    next_order_on = models.DateField(null=True, blank=True)
    next_order_from = models.DateField(null=True, blank=True)
    next_order_until = models.DateField(null=True, blank=True)
    next_category = models.CharField(max_length=200, blank=True)
    next_category_chance = models.FloatField(null=True, blank=True)
    # 0..99: so many of a hundred shoppers with a prediction have less.
    value_percentile = models.PositiveSmallIntegerField(db_index=True)
    order_percentile = models.PositiveSmallIntegerField(db_index=True)
    churn_percentile = models.PositiveSmallIntegerField(db_index=True)
    # [{"code": …, "weight": signed part of the chance to order, "value": …}], strongest first, at most four.
    reasons = models.JSONField(default=list)

    def __str__(self) -> str:
        return str(self.shopper_id)


class PredictionTrack(models.Model):
    """What an earlier run said of a window that has passed, beside what happened: the track record."""

    run = models.ForeignKey(PredictionRun, on_delete=models.CASCADE, related_name="track")
    # "orders_30d", "spend_90d", "churn_chance", …
    target = models.CharField(max_length=20)
    # Sums over all shoppers predicted.
    predicted = models.FloatField()
    predicted_low = models.FloatField()
    predicted_high = models.FloatField()
    happened = models.FloatField(null=True, blank=True)
    due_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.run_id} {self.target}"
