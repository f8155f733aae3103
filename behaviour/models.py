"""What shoppers did, what they may be sent, and where it came from."""

import uuid
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from mailai.crypto import keyed_hash
from mailai.fields import EncryptedTextField


def new_pseudonym() -> str:
    """Return a random stable public id; 48 bits, so that a million shoppers rarely collide."""
    return "S-" + uuid.uuid4().hex[:12].upper()


class Shop(models.Model):
    """The one shop of this installation (row 1): what every page and mail needs to know about it."""

    name = models.CharField(max_length=120, default="My shop")
    currency = models.CharField(max_length=3, default="GBP")
    timezone = models.CharField(max_length=64, default="Europe/London")
    postal_address = models.CharField(max_length=300, blank=True)
    url = models.URLField(blank=True)
    attribution_days = models.PositiveSmallIntegerField(default=7)
    # At most this many messages to one shopper in seven days; 0 = no cap.
    frequency_cap = models.PositiveSmallIntegerField(default=3)
    # The demo shop only: its invented shoppers answer mails through the public tracking addresses.
    demo_reacts = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> "Shop":
        """Return the shop, made on first use."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)


class ConsentState(models.TextChoices):
    """Whether a shopper said that marketing mail is welcome."""

    UNKNOWN = "unknown", _("not asked")
    GIVEN = "given", _("given")
    WITHDRAWN = "withdrawn", _("withdrawn")


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
    demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(rows_read__gte=models.F("loaded") + models.F("duplicates") + models.F("rejected")),
                name="upload_rows_add_up",
            )
        ]

    def __str__(self) -> str:
        return self.filename


class Shopper(models.Model):
    """A person of the shop, buyer or not, without anything that names her."""

    pseudonym = models.CharField(max_length=16, unique=True, default=new_pseudonym)
    external_id = models.CharField(max_length=120, unique=True)
    locale = models.CharField(max_length=10, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=60, blank=True, db_index=True)
    signed_up_at = models.DateTimeField(null=True, blank=True)
    # The newest Consent for marketing, repeated here so that an audience is one indexed condition.
    marketing = models.CharField(
        max_length=10, choices=ConsentState.choices, default=ConsentState.UNKNOWN, db_index=True
    )
    demo = models.BooleanField(default=False, db_index=True)
    # The file that made this row; its undo takes the row away again while nothing else hangs on it.
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.pseudonym


class Identity(models.Model):
    """Who a shopper is. Read only when a mail is rendered and on the shopper page."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    shopper = models.OneToOneField(Shopper, on_delete=models.CASCADE, related_name="identity")
    email = EncryptedTextField(blank=True)
    first_name = EncryptedTextField(blank=True)
    last_name = EncryptedTextField(blank=True)
    phone = EncryptedTextField(blank=True)
    birthday = EncryptedTextField(blank=True)
    # Exact look-up and suppression work on this keyed hash (mailai.crypto.blind_index).
    email_index = models.CharField(max_length=32, unique=True, null=True, blank=True)
    email_domain = models.CharField(max_length=255, blank=True)
    # Which key of the ring the row was written with; rotation walks the others.
    key_id = models.CharField(max_length=8, db_index=True)

    ENCRYPTED: ClassVar[tuple[str, ...]] = ("email", "first_name", "last_name", "phone", "birthday")

    def __str__(self) -> str:
        return self.shopper.pseudonym


class Product(models.Model):
    """Something the shop sells."""

    sku = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=300, blank=True)
    # "Kitchen > Mugs": a path, broad first.
    category = models.CharField(max_length=200, blank=True, db_index=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    url = models.URLField(max_length=500, blank=True)
    # An absolute address, or a path below the storage ("products/…png").
    image = models.CharField(max_length=500, blank=True)
    # None = the shop does not count this product.
    stock = models.IntegerField(null=True, blank=True)
    active = models.BooleanField(default=True)
    demo = models.BooleanField(default=False, db_index=True)
    # The file that made this row; its undo takes the row away again while nothing else hangs on it.
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name or self.sku


class StockChange(models.Model):
    """A product's stock and price from one moment on; makes "back in stock" and "price drop" events."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="stock_changes")
    at = models.DateTimeField(default=now)
    stock = models.IntegerField(null=True, blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        # The history of one product, newest first.
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["product", "at"], name="stockchange_product")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.at:%Y-%m-%d}"


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

    shopper = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=14, choices=Kind.choices)
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.SET_NULL, related_name="events")
    at = models.DateTimeField()
    quantity = models.IntegerField(default=1)
    # The line's total in the shop's currency; for a rating the stars; null where it has no meaning.
    amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    order_ref = models.CharField(max_length=80, blank=True)
    # campaigns.Message.uuid of the mail behind an open, click, answer or unsubscribe.
    message = models.UUIDField(null=True, blank=True)
    # 128-bit hash of what makes the event itself (behaviour.core.keys), or of the caller's own key.
    dedupe_key = models.UUIDField(unique=True)
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            # One shopper's timeline; profiles of the shoppers that changed.
            models.Index(fields=["shopper", "at"], name="event_shopper_at"),
            # Windows over all shoppers ("bought in the last 30 days"), training data.
            models.Index(fields=["kind", "at"], name="event_kind_at"),
            # Undo of an upload.
            models.Index(fields=["upload"], name="event_upload", condition=models.Q(upload__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"


class Consent(models.Model):
    """One statement of permission or its withdrawal, with its proof. Append-only, the newest counts."""

    class Purpose(models.TextChoices):
        """What the permission is for."""

        MARKETING = "marketing", _("Marketing email")
        PROFILING = "profiling", _("Personal picks")
        OPEN_TRACKING = "open_tracking", _("Open tracking")

    shopper = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=14, choices=Purpose.choices)
    state = models.CharField(max_length=10, choices=ConsentState.choices)
    source = models.CharField(max_length=60)
    proof = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        # The newest statement of one shopper for one purpose.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["shopper", "purpose", "-at"], name="consent_newest")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.state}"


class Suppression(models.Model):
    """An address that is never mailed again. Holds the blind index only, so it survives erasure and re-import."""

    class Reason(models.TextChoices):
        """Why."""

        BOUNCED = "bounced", _("Address bounced")
        COMPLAINED = "complained", _("Complained")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        REQUESTED = "requested", _("Asked not to be mailed")

    email_index = models.CharField(max_length=32, unique=True)
    reason = models.CharField(max_length=14, choices=Reason.choices)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.reason} {self.at:%Y-%m-%d}"


def masked(email: str) -> str:
    """Return an address that can be recognised by who knows it, and read by nobody else."""
    local, _at, domain = email.partition("@")
    return f"{local[:1]}••••@{domain}" if domain else "••••"


def stable_draw(purpose: str, *parts: Any) -> float:
    """Return a number in [0, 1) that is the same for the same parts on every machine with this secret key."""
    return int(keyed_hash(purpose, ":".join(map(str, parts)), 13), 16) / 16**13
