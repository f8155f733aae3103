"""Shoppers, who they are, and which of them turned out to be one person."""

import json
import secrets
import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from behaviour.models.uploads import PublishedManager, Upload
from mailai.crypto import keyed_hash, newest_key_id
from mailai.fields import EncryptedTextField


def new_pseudonym() -> str:
    """Return a random stable public id; 48 bits, so that a million shoppers rarely collide."""
    return new_pseudonyms(1)[0]


def new_pseudonyms(n: int) -> list[str]:
    """Return as many of them; the system is asked once for all."""
    drawn = secrets.token_hex(6 * n).upper()
    return [f"S-{drawn[at : at + 12]}" for at in range(0, 12 * n, 12)]


class ConsentState(models.TextChoices):
    """Whether a shopper said that marketing mail is welcome."""

    UNKNOWN = "unknown", _("not asked")
    GIVEN = "given", _("given")
    WITHDRAWN = "withdrawn", _("withdrawn")


class PublishedShoppers(PublishedManager):
    """Visible shoppers, each person once: who was merged into another is left out."""

    def get_queryset(self) -> models.QuerySet[Any]:
        """Return the visible rows."""
        return super().get_queryset().filter(merged_into=None)


class Shopper(models.Model):
    """A person of the shop, buyer or not, without anything that names her."""

    pseudonym = models.CharField(max_length=16, unique=True, default=new_pseudonym)
    external_id = models.CharField(max_length=120, unique=True)
    locale = models.CharField(max_length=10, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=60, blank=True)
    signed_up_at = models.DateTimeField(null=True, blank=True)
    # The newest Consent for marketing, repeated here so that an audience is one condition.
    marketing = models.CharField(max_length=10, choices=ConsentState.choices, default=ConsentState.UNKNOWN)
    demo = models.BooleanField(default=False)
    # The file that made this row; its undo takes the row away again while nothing else hangs on it.
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Another shopper turned out to be the same person: who that is. The row stays, so that the name still leads there.
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="merged_shoppers", db_index=False
    )
    created_at = models.DateTimeField(default=now)

    objects = PublishedShoppers()
    everything = models.Manager()  # noqa: DJ012 the default manager stands first

    class Meta:
        # A new shopper is one row in each of these: most are neither of the demo nor merged.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["country"], name="shopper_country"),
            models.Index(fields=["demo"], name="shopper_demo", condition=models.Q(demo=True)),
            models.Index(fields=["merged_into"], name="shopper_merged", condition=models.Q(merged_into__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.pseudonym


class Merge(models.Model):
    """Two shoppers joined because they met in one event, and what has to be put back if that was wrong."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kept = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="merges")
    joined = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="+")
    # What showed that they are one: "visitor", "email", "person" (somebody decided).
    evidence = models.CharField(max_length=20)
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # {"events": [[first id, last id], …], "consents": [id, …], …}: ids of the rows that moved.
    moved = models.JSONField(default=dict)
    at = models.DateTimeField(default=now, db_index=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.joined_id} -> {self.kept_id}"


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
    # When the row was last written, so that who read it before can tell.
    written_at = models.DateTimeField(null=True, blank=True)

    ENCRYPTED: ClassVar[tuple[str, ...]] = ("email", "first_name", "last_name", "phone", "birthday")

    def __str__(self) -> str:
        return self.shopper.pseudonym


class SealedForIdentity(EncryptedTextField):
    """Text that is sealed as the field of the same name of an identity, so that a statement can copy it there."""

    def context(self, instance: Any) -> str:
        """Return what a value is bound to: the identity's table, the column, the identity's row."""
        return f"{Identity._meta.db_table}.{self.column}:{instance.identity_uuid}"


class ShopperChange(models.Model):
    """What a file says of a shopper who was there: set aside until its upload is published; an undo goes back by it.

    "" and None: the file says nothing of it. Kept for behaviour.set_aside.KEPT_FOR after the import.
    """

    shopper = models.ForeignKey(Shopper, on_delete=models.CASCADE, related_name="+")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="+", db_index=False)
    country = models.CharField(max_length=60, blank=True)
    locale = models.CharField(max_length=10, blank=True)
    # What these held; with identity_at, by which a statement can tell that somebody changed the shopper since.
    country_was = models.CharField(max_length=60, blank=True)
    locale_was = models.CharField(max_length=10, blank=True)
    # When her identity had last been written.
    identity_at = models.DateTimeField(null=True, blank=True)
    # The identity that there is, or the one to be made.
    identity_uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    email = SealedForIdentity(blank=True)
    first_name = SealedForIdentity(blank=True)
    last_name = SealedForIdentity(blank=True)
    phone = SealedForIdentity(blank=True)
    email_index = models.CharField(max_length=32, null=True, blank=True)
    email_domain = models.CharField(max_length=255, blank=True)
    key_id = models.CharField(max_length=8)
    # That marketing mail is welcome; a withdrawal never waits.
    consent_source = models.CharField(max_length=60, blank=True)
    consent_at = models.DateTimeField(null=True, blank=True)
    # What the personal fields that change held: {field: value} as JSON.
    former = SealedForIdentity(blank=True)

    PLAIN: ClassVar[tuple[str, ...]] = ("country", "locale")
    PERSONAL: ClassVar[tuple[str, ...]] = ("email", "first_name", "last_name", "phone")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["upload", "shopper"], name="shopperchange_once"),
            models.UniqueConstraint(fields=["upload", "email_index"], name="shopperchange_address"),
        ]

    def __str__(self) -> str:
        return f"{self.upload_id} {self.shopper_id}"

    @cached_property
    def before(self) -> dict[str, str]:
        """Return what the fields that change held; who changes it writes it back by ``seal``."""
        plain = {name: getattr(self, f"{name}_was") for name in self.PLAIN if getattr(self, name)}
        return plain | (json.loads(self.former) if self.former else {})

    @property
    def after(self) -> dict[str, str]:
        """Return the fields that change."""
        said = {name: getattr(self, name) for name in (*self.PLAIN, *self.PERSONAL)}
        return {name: value for name, value in said.items() if value}

    def seal(self) -> None:
        """Write ``before`` back, and bring everything that is sealed under the newest key."""
        for name in self.PLAIN:
            setattr(self, f"{name}_was", self.before.get(name, ""))
        self.former = json.dumps({name: value for name, value in self.before.items() if name in self.PERSONAL})
        for name in self.PERSONAL:
            setattr(self, name, getattr(self, name))
        self.key_id = newest_key_id()


def masked(email: str) -> str:
    """Return an address that can be recognised by who knows it, and read by nobody else."""
    local, _at, domain = email.partition("@")
    return f"{local[:1]}••••@{domain}" if domain else "••••"


def stable_draw(purpose: str, *parts: Any) -> float:
    """Return a number in [0, 1) that is the same for the same parts on every machine with this secret key."""
    return int(keyed_hash(purpose, ":".join(map(str, parts)), 13), 16) / 16**13
