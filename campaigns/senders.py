"""Connections that mail leaves by."""

import smtplib
import ssl
from typing import Any

from django.core.mail import get_connection
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Shop, Shopper
from campaigns.models import Sender
from mailai.errors import DeliveryError

SMTP_BACKEND = "campaigns.smtp.StagedSmtpBackend"
INBOX_BACKEND = "campaigns.inbox.DemoInboxBackend"
TIMEOUT_SECONDS = 20


def connection_for(sender: Sender) -> Any:
    """Return a mail backend for the sender; nothing is opened yet."""
    if sender.kind == Sender.Kind.DEMO_INBOX:
        return get_connection(INBOX_BACKEND)
    return get_connection(
        SMTP_BACKEND,
        host=sender.host,
        port=sender.port,
        username=sender.username or None,
        password=sender.password or None,
        use_tls=sender.security == "starttls",
        use_ssl=sender.security == "tls",
        timeout=TIMEOUT_SECONDS,
    )


def open_connection(sender: Sender) -> Any:
    """Return an open connection.

    Raises
    ------
    DeliveryError : the server can't be reached or refuses the login; the text says which and what to do.
    """
    connection = connection_for(sender)
    try:
        connection.open()
    except smtplib.SMTPAuthenticationError:
        raise DeliveryError(
            _("The mail server %(server)s refuses the login. Check user name and password under Sending.")
            % {"server": sender.host}
        ) from None
    except (ssl.SSLError, smtplib.SMTPNotSupportedError):
        raise DeliveryError(
            _("The mail server %(server)s offers no safe connection on port %(port)s. Check port and security.")
            % {"server": sender.host, "port": sender.port}
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryError(
            _("The mail server %(server)s:%(port)s does not answer (%(reason)s). Check host and port under Sending.")
            % {"server": sender.host, "port": sender.port, "reason": _reason(error)}
        ) from None
    return connection


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:120]


def check_sender(sender: Sender) -> str:
    """Try the connection, remember the outcome on the sender and return the error, or nothing."""
    try:
        open_connection(sender).close()
        error = ""
    except DeliveryError as failure:
        error = str(failure)
    Sender.objects.filter(pk=sender.pk).update(last_error=error[:500], checked_at=timezone.now())
    return error


@transaction.atomic
def ensure_demo_inbox() -> Sender:
    """Return the built-in demo inbox, made on first use; the default until another sender is."""
    existing = Sender.objects.filter(kind=Sender.Kind.DEMO_INBOX).first()
    if existing:
        return existing
    return Sender.objects.create(
        name=_("Demo inbox"),
        kind=Sender.Kind.DEMO_INBOX,
        from_name=Shop.current().name[:120],
        from_email="hello@shop.example",
        is_default=not Sender.objects.filter(is_default=True).exists(),
        demo=Shopper.objects.filter(demo=True).exists(),
    )


@transaction.atomic
def make_default(sender: Sender) -> None:
    """Make new campaigns leave by this sender."""
    Sender.objects.filter(is_default=True).update(is_default=False)
    Sender.objects.filter(pk=sender.pk).update(is_default=True)
