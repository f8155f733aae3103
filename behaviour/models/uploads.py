"""Files that came in, and which of their rows may be seen."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _


class Upload(models.Model):
    """One file that came in, what became of its rows, and where it can go on."""

    class Kind(models.TextChoices):
        """What the rows of the file are."""

        EVENTS = "events", _("Behaviour")
        ORDERS = "orders", _("Orders")
        PRODUCTS = "products", _("Products")
        SHOPPERS = "shoppers", _("Shoppers")

    class State(models.TextChoices):
        """Life of an upload."""

        RECEIVED = "received", _("Received")
        CHECKED = "checked", _("Checked")
        QUEUED = "queued", _("Queued")
        IMPORTING = "importing", _("Importing")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        UNDONE = "undone", _("Undone")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, blank=True)
    # The layout that was recognised: "generic", "online_retail", ...
    layout = models.CharField(max_length=30, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED, db_index=True)
    filename = models.CharField(max_length=255)
    stored_as = models.CharField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(default=0)
    mapping = models.JSONField(default=dict, blank=True)
    rows_read = models.BigIntegerField(default=0)
    loaded = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    fixed = models.BigIntegerField(default=0)
    # {rule: count}, what cleaning found; and what the check step showed (samples, plausibility).
    findings = models.JSONField(default=dict, blank=True)
    preview = models.JSONField(default=dict, blank=True)
    # {"rows": n, "chunk": n}: everything before it is committed.
    checkpoint = models.JSONField(default=dict, blank=True)
    rejects_file = models.CharField(max_length=255, blank=True)
    error = models.CharField(max_length=500, blank=True)
    # True from the moment the import begins until it is done, or until its rows are taken out again: nobody sees
    # events, shoppers and products of such an upload.
    hidden = models.BooleanField(default=False)
    # Ids of the first and last event it wrote, so that its undo needs no index of its own.
    first_event = models.BigIntegerField(null=True, blank=True)
    last_event = models.BigIntegerField(null=True, blank=True)
    # {"rules": {code: bool}, "fill": {field: "mean" | "median" | "most_frequent"}}, chosen by a person.
    cleaning = models.JSONField(default=dict, blank=True)
    # What its rows were like: missing values, gaps, outliers, machine traffic (behaviour.quality).
    quality = models.JSONField(default=dict, blank=True)
    demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # When everybody saw its rows and its changes; None: what it changes of visible rows is still set aside.
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(rows_read__gte=models.F("loaded") + models.F("duplicates") + models.F("rejected")),
                name="upload_rows_add_up",
            )
        ]
        # A handful of rows, asked by every statement that reads what shoppers do.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], name="upload_hidden", condition=models.Q(hidden=True))
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def refused_rate(self) -> float | None:
        """Which share of the rows was refused; None before any was read."""
        return self.rejected / self.rows_read if self.rows_read else None

    @classmethod
    def hidden_ids(cls) -> "models.QuerySet[Upload, int]":
        """Return the ids of uploads whose rows nobody may see yet."""
        return cls.objects.filter(hidden=True).order_by().values_list("pk", flat=True)


class ColumnMatch(models.Model):
    """How the columns of files with this header were read the last time; offered for the next one."""

    # SHA-256 over the sorted, plain names of the header.
    header_key = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=10, choices=Upload.Kind.choices)
    # {"columns": {field: name}, "events": {name: kind}, "answers": {question: choice}, "cleaning": {…}}
    choices = models.JSONField(default=dict)
    used_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.header_key[:12]


class PublishedManager(models.Manager[Any]):
    """Rows that everybody may see: not those of an import that runs, failed or is being taken out.

    Loaders, undo and merges use the manager ``everything`` instead.
    """

    def get_queryset(self) -> models.QuerySet[Any]:
        """Return the visible rows; the whole statement looks once at a handful of uploads."""
        return super().get_queryset().exclude(upload__in=Upload.hidden_ids())
