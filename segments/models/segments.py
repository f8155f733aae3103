"""Groups of shoppers: rules with a name, their sizes, and lists that stay as they are."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from behaviour.models import Shopper


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
    """How many shoppers a segment had on a day, and how many came and left since the record before."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="sizes")
    on = models.DateField()
    size = models.PositiveIntegerField()
    # How many of them could be emailed; null where that was not counted yet.
    mailable = models.PositiveIntegerField(null=True, blank=True)
    # Against the members at the record of `since`, removed shoppers among those who left; null where that is not known.
    came = models.PositiveIntegerField(null=True, blank=True)
    left = models.PositiveIntegerField(null=True, blank=True)
    # The day of the record before; more than a day ago where nights were missed.
    since = models.DateField(null=True, blank=True)
    # The rule, or that of a segment that it names, became another since then: who came did nothing for it.
    rule_changed = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["segment", "on"], name="segmentsize_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.on} {self.size}"


class StandingLists(models.Manager["ShopperList"]):
    """All lists but those that are being deleted."""

    def get_queryset(self) -> "models.QuerySet[ShopperList]":
        """Return the lists that are there for people."""
        return super().get_queryset().exclude(state=ShopperList.State.GOING)


class ShopperList(models.Model):
    """A list that does not change by itself: uploaded names, or a segment frozen on a day."""

    class Source(models.TextChoices):
        """Where the list came from."""

        UPLOADED = "uploaded", _("Uploaded")
        FROZEN = "frozen", _("Frozen segment")

    class State(models.TextChoices):
        """Rules use a list when it is ready, not before."""

        READY = "ready", _("Ready")
        ASKS = "asks", _("Which column?")
        READING = "reading", _("Being read")
        WRITING = "writing", _("Being made")
        # Deleted; who is on it is taken off a part at a time (segments.list_writing).
        GOING = "going", _("Being deleted")
        FAILED = "failed", _("Can't be read")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READY)
    # The file or segment that it was made from, by the name that it had then; "" for pasted text.
    origin = models.CharField(max_length=255, blank=True)
    # The segment that was frozen, while it exists.
    segment = models.ForeignKey(Segment, null=True, blank=True, on_delete=models.SET_NULL, related_name="frozen")
    # While it is not ready: {"stored_as", "size", "shape", "header", "samples", "tries"}; how the file is read.
    file = models.JSONField(default=dict, blank=True)
    # The header of the column that names shoppers.
    column = models.CharField(max_length=200, blank=True)
    # Whom it will hold while it is being made, packed (segments.core.members); null once they are on it.
    waiting = models.BinaryField(null=True, blank=True)
    # How many it had when it was made, and rows of the upload: n_rows = n_members + n_twice + n_unknown.
    n_members = models.PositiveIntegerField(default=0)
    n_rows = models.PositiveBigIntegerField(default=0)
    # Rows that named somebody whom another row names too.
    n_twice = models.PositiveBigIntegerField(default=0)
    # Rows of the upload that named nobody of this shop.
    n_unknown = models.PositiveBigIntegerField(default=0)
    # The first of them: [[line, name as it may be shown], ...].
    unknown = models.JSONField(default=list, blank=True)
    # Why it waits or failed, in the words of the moment.
    problem = models.CharField(max_length=500, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = StandingLists()
    everything = models.Manager()  # noqa: DJ012 the default manager stands first

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def ready(cls) -> "models.QuerySet[ShopperList]":
        """Return the lists that rules may use."""
        return cls.objects.filter(state=cls.State.READY)


class ShopperListMember(models.Model):
    """One shopper on a list."""

    list = models.ForeignKey(ShopperList, on_delete=models.CASCADE, related_name="members")
    # Not hidden by "+": a merge of two shoppers moves what is related, and the undo of a file keeps who is on a list.
    shopper = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="list_memberships")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["list", "shopper"], name="listmember_once")
        ]

    def __str__(self) -> str:
        return f"{self.list_id} {self.shopper_id}"
