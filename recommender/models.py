"""Trained models and which one serves."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class _Attempted(models.Model):
    """Work that a worker takes up, keeps saying that it lives, and may have to begin again."""

    # How often workers began it without reaching its end; after three it is given up.
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class TrainingRun(_Attempted):
    """One training: what it read, how good it is on time it has not seen, where its arrays lie."""

    class State(models.TextChoices):
        """Life of a run."""

        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Training")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    algorithm = models.CharField(max_length=40)
    params = models.JSONField(default=dict, blank=True)
    seed = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED, db_index=True)
    # {"step": text, "done": n, "of": n} for the progress bar.
    progress = models.JSONField(default=dict, blank=True)
    data_from = models.DateTimeField(null=True, blank=True)
    split_at = models.DateTimeField(null=True, blank=True)
    data_to = models.DateTimeField(null=True, blank=True)
    n_shoppers = models.PositiveIntegerField(default=0)
    n_products = models.PositiveIntegerField(default=0)
    # Events of each kind that the run learnt from: {"purchase": n, "email_click": n, ...}.
    n_events = models.JSONField(default=dict, blank=True)
    # {"ndcg": {"value", "low", "high"}, "precision": …, "recall": …, "f1": …, "coverage", "n_test_shoppers", "k",
    #  "against": {algorithm: {"value", "low", "high"}}} with the paired difference in NDCG to other algorithms.
    metrics = models.JSONField(default=dict, blank=True)
    artefact = models.CharField(max_length=255, blank=True)
    artefact_sha256 = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    # The file with what was read of a large shop, while its request is trained.
    reading = models.CharField(max_length=255, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    peak_mb = models.FloatField(null=True, blank=True)
    demo = models.BooleanField(default=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self.algorithm} v{self.pk}"


class TrainingBlock(_Attempted):
    """Some rows of the work of a run in a large shop, for any worker; gone when the run has ended."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="blocks")
    # What is done with the rows: a name of recommender.teamwork.WORKS.
    work = models.CharField(max_length=20)
    # Files of arrays; their names hold the SHA-256 of the content. Blocks with the same materials belong together.
    materials = models.CharField(max_length=255)
    result = models.CharField(max_length=255, blank=True)
    # The rows first, first + 1, … last - 1.
    first = models.PositiveIntegerField()
    last = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=TrainingRun.State.choices, default=TrainingRun.State.QUEUED)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "materials", "first"], name="one_block_of_rows")
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.first}–{self.last}"


class Champion(models.Model):
    """Which run picks the products from one moment on; the newest row serves."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="championships")
    at = models.DateTimeField(default=timezone.now)
    # Null = promoted by the rule (better than most popular, and than the one before, on held-out time).
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return str(self.run_id)


class Tuning(_Attempted):
    """One search for better settings of an algorithm, on time before the test period."""

    class State(models.TextChoices):
        """Life of a search."""

        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Tuning")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    algorithm = models.CharField(max_length=40)
    # Seconds that its trials may take; those of all trials so far count, whoever made them.
    budget = models.FloatField()
    seed = models.BigIntegerField(default=0)
    # What is tried before the search begins: [{}, settings in use]; {} are the defaults.
    first = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED, db_index=True)
    # Shoppers on whom settings are searched, and the others, who judge what was found.
    n_shoppers = models.PositiveIntegerField(default=0)
    n_judges = models.PositiveIntegerField(default=0)
    # Those that say something about liking a product (queries.telling_events).
    n_events = models.PositiveBigIntegerField(default=0)
    # {"number": of the best trial, "value", "low", "high"}: its paired difference in NDCG to the defaults, for judges.
    found = models.JSONField(default=dict, blank=True)
    # That whole range lies above zero: the next training of the algorithm uses what was found.
    adopted = models.BooleanField(default=False)
    # Begun by MailAI itself, once a week, and not by a person or a command.
    by_itself = models.BooleanField(default=False)
    # How often a worker took it up; a message for an earlier turn does nothing.
    turns = models.PositiveIntegerField(default=0)
    demo = models.BooleanField(default=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["algorithm"], condition=models.Q(state__in=("queued", "running")), name="one_tuning_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.algorithm} {self.pk}"


class Trial(models.Model):
    """Settings that a search tried, and how well they ranked."""

    class State(models.TextChoices):
        """Life of a trial."""

        RUNNING = "running", _("Being tried")
        DONE = "done", _("Tried")
        FAILED = "failed", _("Failed")

    tuning = models.ForeignKey(Tuning, on_delete=models.CASCADE, related_name="trials")
    # From 0, the defaults.
    number = models.PositiveIntegerField()
    # Settings that differ from the defaults or were drawn; {} are the defaults.
    params = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    # NDCG@10 on the shoppers of the search with its 95 % range; null until it is known.
    ndcg = models.FloatField(null=True, blank=True)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    seconds = models.FloatField(default=0)
    error = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tuning", "number"], name="one_trial_a_number")
        ]

    def __str__(self) -> str:
        return f"{self.tuning_id}/{self.number}"
