"""Users, invitations and the audit log."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailai.accounts import actions


class UserManager(BaseUserManager["User"]):
    """Makes users; the address is the login."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Store a user; without a password the account can't log in until one is set."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Store a user with every role who may also open Django's own admin."""
        return self.create_user(
            email,
            password,
            is_staff=True,
            is_superuser=True,
            is_marketer=True,
            is_manager=True,
            is_admin=True,
            **fields,
        )


class User(AbstractBaseUser, PermissionsMixin):
    """Someone who logs in here. Roles combine; Django's own permissions are not used."""

    email = models.EmailField(_("email"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_marketer = models.BooleanField(_("marketer"), default=False)
    is_manager = models.BooleanField(_("manager"), default=False)
    is_admin = models.BooleanField(_("admin"), default=False)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """Two letters for the avatar."""
        words = (self.name or self.email.split("@")[0]).split()
        return "".join(word[0] for word in words[:2]).upper()


class Invitation(models.Model):
    """A single-use link, bound to one address. Only the hash of its token is stored."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField()
    is_marketer = models.BooleanField(default=False)
    is_manager = models.BooleanField(default=False)
    is_admin = models.BooleanField(default=False)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.email

    def is_open(self, now: datetime) -> bool:
        """Say whether the link still works."""
        return self.accepted_at is None and now < self.expires_at


class ApiKey(models.Model):
    """A key for a program. Its secret is a hash here; the key of a page is public anyway and can be read again."""

    class Scope(models.TextChoices):
        """What a key may do."""

        EVENTS = "events:write", _("Send events")
        SHOPPERS = "shoppers:write", _("Create and change shoppers")
        PRODUCTS = "products:write", _("Create and change products")
        SEGMENTS = "segments:read", _("Read segments and count rules")
        SEGMENTS_WRITE = "segments:write", _("Make, change and delete segments")
        BROWSER = "events:browser", _("Send events from the shop's pages (public site key)")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=8)
    key_hash = models.CharField(max_length=64, unique=True)
    site_key = models.CharField(max_length=64, blank=True)
    scopes = models.JSONField(default=list)
    # Pages of these addresses may use the site key: ["https://shop.example"].
    origins = models.JSONField(default=list, blank=True)
    # Events, shoppers and products in a minute.
    rate = models.PositiveIntegerField()
    # How much of the allowance of which minute (since 1970) is taken.
    minute = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        """Its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def uuid_text(self) -> str:
        """Its public id for the ids of a page's elements."""
        return str(self.uuid)

    @property
    def scope_labels(self) -> list[str]:
        """What it may do, in words."""
        return [str(self.Scope(scope).label) for scope in self.scopes]


class AuditEntry(models.Model):
    """Who did what to which thing, and why. Append-only; each row carries the hash of the one before."""

    at = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    user_label = models.CharField(max_length=160, blank=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_label = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    previous_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        # The audit page filters by person and by object.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["object_type", "object_id"], name="audit_object"),
            models.Index(fields=["user", "at"], name="audit_user"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}"

    @property
    def words(self) -> str:
        """What was done, in words."""
        return actions.label(self.action)
