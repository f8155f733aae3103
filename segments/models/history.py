"""How segments and stages changed: who belonged at the last record, sudden changes, stages of past months."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from segments.models.segments import Segment


class SegmentMembers(models.Model):
    """Who was in a segment at its last record: what the next one is compared with, one row a segment."""

    segment = models.OneToOneField(Segment, on_delete=models.CASCADE, primary_key=True, related_name="members")
    # The day of the shop that the record is of.
    on = models.DateField()
    # Row ids of shoppers, packed (segments.core.members): a million take about 0.1 to 2 MB.
    ids = models.BinaryField()
    n_members = models.PositiveIntegerField()
    # Members that were removed from the shop since: their ids went at once, the next record counts them as left.
    n_gone = models.PositiveIntegerField(default=0)
    # SHA-256 of the rule with those of all segments that it names: another one is another rule.
    rule_hash = models.CharField(max_length=64)
    # Shop.n_removals then.
    n_removals = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.segment_id} {self.on}"


class SegmentAlert(models.Model):
    """A change of a segment's size that is far from what is usual for it (segments.core.sudden)."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="alerts")
    # The day of the shop of the record that showed it.
    on = models.DateField()
    size_before = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    # Shoppers a day: the median of the last 28 days, and how far from it is still usual.
    usual = models.FloatField()
    spread = models.FloatField()
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["segment", "on"], name="segmentalert_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.on}"


class StageHistory(models.Model):
    """Which stage and RFM group every buyer was in at the end of each of the last months; the newest run counts."""

    # Row ids of everybody who ever ordered, ascending, packed (segments.core.members).
    shoppers = models.BinaryField()
    # What was measured with: {"new_days", "at_risk_days", "dormant_days"}, those of the day of the run.
    thresholds = models.JSONField(default=dict)
    n_shoppers = models.PositiveIntegerField()
    # Shop.n_removals then.
    n_removals = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d} {self.n_shoppers}"


class StageSnapshot(models.Model):
    """The stages, or the RFM groups, at the end of a day of the shop: the last of a month, or that of the run."""

    class Kind(models.TextChoices):
        """What is told of shoppers."""

        STAGE = "stage", _("Lifecycle stages")
        GROUP = "group", _("RFM groups")

    history = models.ForeignKey(StageHistory, on_delete=models.CASCADE, related_name="snapshots")
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.STAGE)
    on = models.DateField()
    # A byte for each of StageHistory.shoppers: the place in segments.core.moves.NAMES of the kind, packed.
    codes = models.BinaryField()
    # {name: shoppers}; who had not ordered yet is not counted.
    counts = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["on"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["history", "kind", "on"], name="stagesnapshot_once_a_day")
        ]

    def __str__(self) -> str:
        return str(self.on)
