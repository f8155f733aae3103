"""Senders, campaigns and every message, with the decision behind it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from behaviour.models import Product, Shopper
from mailai.fields import EncryptedTextField
from recommender.models import TrainingRun
from segments.models import Segment


class Sender(models.Model):
    """A connection that mail leaves by, and whom it says it is from."""

    class Kind(models.TextChoices):
        """How it delivers."""

        DEMO_INBOX = "demo_inbox", _("Demo inbox")
        SMTP = "smtp", _("SMTP server")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    from_name = models.CharField(max_length=120)
    from_email = models.EmailField()
    reply_to = models.EmailField(blank=True)
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(default=587)
    username = models.CharField(max_length=255, blank=True)
    password = EncryptedTextField(blank=True)
    # "starttls", "tls" or "none".
    security = models.CharField(max_length=10, default="starttls")
    # Messages per hour over all workers; 0 = as fast as it goes.
    hourly_limit = models.PositiveIntegerField(default=0)
    is_default = models.BooleanField(default=False)
    demo = models.BooleanField(default=False)
    last_error = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Campaign(models.Model):
    """A mail that is sent once to an audience."""

    class State(models.TextChoices):
        """Life of a campaign (listmonk's words)."""

        DRAFT = "draft", _("Draft")
        SCHEDULED = "scheduled", _("Scheduled")
        PLANNING = "planning", _("Planning")
        RUNNING = "running", _("Sending")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Sent")
        CANCELLED = "cancelled", _("Cancelled")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, db_index=True)
    segment = models.ForeignKey(Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns")
    # The rule at the moment of planning, or a rule of the campaign's own.
    rule = models.JSONField(null=True, blank=True)
    sender = models.ForeignKey(Sender, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns")
    control_share = models.FloatField(default=0.1)
    # Draws are seeded by (seed, shopper), so every decision can be replayed.
    seed = models.BigIntegerField(default=0)
    run = models.ForeignKey(TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="campaigns")
    # What the picks may be (recommender.filters.Filters as JSON); empty = anything that can be sold.
    filters = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), blank=True)
    # Null while a draft: "send now" is written as the moment of the click.
    send_at = models.DateTimeField(null=True, blank=True)
    planned_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Why it stopped by itself, in words for the marketer.
    pause_reason = models.CharField(max_length=500, blank=True)
    # The list that those who are likely to like it become (campaigns.suits), by its name, while they are looked for.
    narrowing_to = models.CharField(max_length=120, db_default="", default="", blank=True)
    # When a worker was asked last, and who wished it.
    narrowing_at = models.DateTimeField(null=True, blank=True)
    narrowing_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Why the audience of a draft was not narrowed to them, in words for the marketer.
    narrowing_refused = models.CharField(max_length=500, db_default="", default="", blank=True)
    demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(control_share__gte=0) & models.Q(control_share__lt=1), name="campaign_control_share"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cancel_id(self) -> str:
        """Name of the dialog that asks before cancelling."""
        return f"cancel-{self.pk}"

    @property
    def delete_id(self) -> str:
        """Name of the dialog that asks before deleting."""
        return f"delete-{self.pk}"


class Variant(models.Model):
    """One version of the mail. Frozen when the campaign is planned: `compiled` is what everybody gets."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="variants")
    label = models.CharField(max_length=2, default="A")
    subject = models.CharField(max_length=300, blank=True)
    preheader = models.CharField(max_length=300, blank=True)
    mjml = models.TextField(blank=True)
    # The ready-made mail it began with (campaigns.content.Starter); "" = written freely.
    template = models.CharField(max_length=40, db_default="", default="", blank=True)
    share = models.FloatField(default=1.0)
    # Parts of subject, preheader, html and text, n_picks and fields (campaigns.content), written by planning.
    compiled = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["label"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["campaign", "label"], name="variant_label_once"),
            models.CheckConstraint(condition=models.Q(share__gt=0) & models.Q(share__lte=1), name="variant_share"),
        ]

    def __str__(self) -> str:
        return self.label


class Message(models.Model):
    """One mail to one shopper, also for the control group: the decision, its state and what the mail underwent."""

    class State(models.TextChoices):
        """Life of a message; each shopper of an audience ends in exactly one."""

        PLANNED = "planned", _("Planned")
        CLAIMED = "claimed", _("Claimed")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Skipped")
        IN_DOUBT = "in_doubt", _("In doubt")
        CONTROL = "control", _("Held back")

    class Skip(models.TextChoices):
        """Why somebody of the audience does not get it."""

        NO_CONSENT = "no_consent", _("No marketing consent")
        SUPPRESSED = "suppressed", _("Address bounced or complained")
        NO_ADDRESS = "no_address", _("No email address")
        FREQUENCY_CAP = "frequency_cap", _("Already enough emails this week")
        NO_PRODUCTS = "no_products", _("No product to recommend")
        ERASED = "erased", _("Data erased")
        CANCELLED = "cancelled", _("Campaign cancelled")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="messages")
    variant = models.ForeignKey(Variant, null=True, blank=True, on_delete=models.PROTECT, related_name="messages")
    shopper = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="messages")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    skip_reason = models.CharField(max_length=14, choices=Skip.choices, blank=True)
    # The logged decision: which arm ("control" or a variant's label), how likely it was, from which draw.
    arm = models.CharField(max_length=10)
    probability = models.FloatField()
    draw = models.FloatField()
    run = models.ForeignKey(TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # recommender.picks.Pick as JSON (product, score, level, evidence, probability, what changed before it left), best
    # first; those that take the place of what sells out meanwhile, until it is sent; and the hour of the week (0-167).
    picks = models.JSONField(default=list, blank=True)
    spare_picks = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    hour = models.PositiveSmallIntegerField(null=True, blank=True)
    planned_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    # The worker's fencing token and its last sign of life.
    claim_token = models.UUIDField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    machine_opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    # Attribution (campaigns.attribution): the first order after a click, and what those orders brought.
    ordered_at = models.DateTimeField(null=True, blank=True)
    revenue = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["campaign", "shopper"], name="message_once_per_campaign")
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Counts per state of a campaign, and the next due batch.
            models.Index(fields=["campaign", "state", "due_at"], name="message_campaign_state"),
            # Frequency cap, and one shopper's mails.
            models.Index(fields=["shopper", "sent_at"], name="message_shopper_sent"),
            # The sweep over stuck rows.
            models.Index(fields=["state", "claimed_at"], name="message_state_claimed"),
            # Who got something since profiles were last read.
            models.Index(fields=["sent_at"], name="message_sent", condition=models.Q(sent_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class TrackedLink(models.Model):
    """An address that a campaign contains; a click can only lead to one of these."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="links")
    number = models.PositiveSmallIntegerField()
    # Where it leads; empty for "the product in pick slot n", which is resolved from the message.
    url = models.URLField(max_length=1000, blank=True)
    pick = models.PositiveSmallIntegerField(null=True, blank=True)
    label = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["campaign", "number"], name="trackedlink_number_once")
        ]

    def __str__(self) -> str:
        return self.label or self.url


class DeliveryAttempt(models.Model):
    """Journal: written before the wire, completed after it. An attempt without an outcome is in doubt."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    token = models.UUIDField()
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, blank=True)
    detail = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.message_id} {self.outcome}"


class InboxMail(models.Model):
    """A mail in the demo inbox. The whole mail is personal data, so it is stored encrypted."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Null for a test mail.
    message = models.OneToOneField(Message, null=True, blank=True, on_delete=models.CASCADE, related_name="inbox_mail")
    shopper = models.ForeignKey(Shopper, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    raw = EncryptedTextField()
    received_at = models.DateTimeField(default=timezone.now, db_index=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return str(self.uuid)


class LinkClick(models.Model):
    """Which product or link was clicked, counted per message and link; the event itself is in `behaviour`."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="clicks")
    link = models.ForeignKey(TrackedLink, on_delete=models.CASCADE, related_name="clicks")
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    first_at = models.DateTimeField()
    n_clicks = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["message", "link"], name="linkclick_once_per_message")
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.link_id}"


class ThemeRun(models.Model):
    """What was learnt of who opens and clicks which mails (campaigns.themes); the newest serves. Names nobody."""

    # Mails up to this moment; the newest one serves, whenever it was learnt.
    at = models.DateTimeField(default=timezone.now)
    # {"campaigns": [id], "clicks", "opens", "sent": [number of each], "shop_clicks", "shop_opens", "lively", "taste",
    # "open_worth"}
    model = models.JSONField(default=dict)
    # recommender.core.theme_exam.Exam as JSON; empty = there was too little to ask.
    exam = models.JSONField(default=dict, blank=True)
    n_mails = models.PositiveIntegerField(default=0)
    n_clicks = models.PositiveIntegerField(default=0)
    n_shoppers = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    demo = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"themes {self.at:%Y-%m-%d}"
