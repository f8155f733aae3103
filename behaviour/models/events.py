"""What shoppers did."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from behaviour.models.catalogue import Product
from behaviour.models.people import Shopper
from behaviour.models.uploads import PublishedManager, Upload


class Event(models.Model):
    """One thing a shopper did. Append-only; the dedupe key makes every load repeatable."""

    class Kind(models.TextChoices):
        """What was done."""

        VIEW = "view", _("Viewed")
        FAVOURITE = "favourite", _("Saved")
        SEARCH = "search", _("Searched")
        CART = "cart", _("Put in the cart")
        UNCART = "uncart", _("Took out of the cart")
        PURCHASE = "purchase", _("Ordered")
        REFUND = "refund", _("Returned")
        RATING = "rating", _("Rated")
        SIGNUP = "signup", _("Signed up")
        EMAIL_OPEN = "email_open", _("Opened an email")
        EMAIL_CLICK = "email_click", _("Clicked in an email")
        SURVEY_ANSWER = "survey_answer", _("Answered a survey")
        UNSUBSCRIBE = "unsubscribe", _("Unsubscribed")

    # No constraint is checked row by row: that is half the time of an import. Writers of events and whoever deletes
    # shoppers or products take turns instead (behaviour.turns).
    shopper = models.ForeignKey(
        Shopper, on_delete=models.CASCADE, related_name="events", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=14, choices=Kind.choices)
    product = models.ForeignKey(
        Product,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="events",
        db_index=False,
        db_constraint=False,
    )
    at = models.DateTimeField()
    quantity = models.IntegerField(default=1)
    # The line's total in the shop's currency; for a rating the stars; null where it has no meaning.
    amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    order_ref = models.CharField(max_length=80, blank=True)
    # What the file said, where a return of more than was bought was cut to it (behaviour.netting).
    quantity_said = models.IntegerField(null=True, blank=True)
    amount_said = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # campaigns.Message.uuid of the mail behind an open, click, answer or unsubscribe.
    message = models.UUIDField(null=True, blank=True)
    # What was asked and answered, for a survey answer only: null costs an event of another kind nothing.
    question = models.CharField(max_length=200, null=True, blank=True)
    answer = models.CharField(max_length=200, null=True, blank=True)
    # What makes the event itself: its time and a hash (behaviour.core.keys), or a hash of the caller's own key.
    dedupe_key = models.UUIDField(unique=True)
    # Undo walks the upload's range of ids (Upload.first_event, last_event): no index is kept for it.
    upload = models.ForeignKey(
        Upload,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    objects = PublishedManager()
    everything = models.Manager()  # noqa: DJ012 the default manager stands first

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            # One shopper's timeline; profiles of the shoppers that changed. The time is no part of it: events come in
            # at random places of this index, and half its pages mean half of what an import writes.
            models.Index(fields=["shopper"], name="event_shopper"),
            # Windows over all shoppers ("bought in the last 30 days"), training data.
            models.Index(fields=["kind", "at"], name="event_kind_at"),
            # Who bought a product; a view, of which there are most, costs nothing here.
            models.Index(
                fields=["product", "at"], name="event_bought", condition=models.Q(kind__in=["purchase", "refund"])
            ),
            # Who answered so; only answers are in it.
            models.Index(
                fields=["question", "answer"], name="event_answer", condition=models.Q(question__isnull=False)
            ),
            # An undo looks at the few returns that were cut; no other row is in it.
            models.Index(fields=["id"], name="event_cut", condition=models.Q(quantity_said__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"
