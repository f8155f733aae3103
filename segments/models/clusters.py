"""Shoppers who are alike, found by the shop's own data."""

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Clustering(models.Model):
    """One run of the clustering."""

    # How many groups, 0 where there is nothing to tell apart, and what the criterion said of each number that was
    # tried: [{"k", "score", "tiny": a group holds less than a hundredth}].
    n_clusters = models.PositiveSmallIntegerField()
    tried = models.JSONField(default=list)
    criterion = models.CharField(max_length=40)
    # Feature -> {"mean", "deviation"} over all shoppers with an order, so that a later run finds the old centres again.
    scale = models.JSONField(default=dict)
    n_shoppers = models.PositiveIntegerField()
    # Adjusted Rand index against the run before, over shoppers in both; null for the first.
    stability = models.FloatField(null=True, blank=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d} {self.n_clusters}"


class Cluster(models.Model):
    """A group of the newest clustering. Its number is kept from run to run while the group is recognisably the same."""

    clustering = models.ForeignKey(Clustering, on_delete=models.CASCADE, related_name="clusters")
    number = models.PositiveSmallIntegerField()
    # Codes from which the name is said in the reader's language: {"traits": ["basket+", …]}, clearest first.
    traits = models.JSONField(default=dict)
    # A name that a person gave; "" = said from the traits. Kept with the number.
    name = models.CharField(max_length=80, blank=True)
    size = models.PositiveIntegerField()
    # Feature -> {"mean": in natural units, "score": standard deviations from the shop's mean, absent for spending}.
    centre = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["clustering", "number"], name="cluster_once")
        ]

    def __str__(self) -> str:
        return f"{self.clustering_id} {self.number}"


class ClusteringTurn(models.Model):
    """Who makes groups at the moment (row 1)."""

    # Renewed with every part by the one process that is at it; null while nobody is.
    claimed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.claimed_at)
