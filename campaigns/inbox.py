"""The demo inbox: a mail backend that delivers into the database, so that everything can be tried without a server."""

from collections.abc import Sequence
from email import message_from_string, policy
from email.message import EmailMessage
from email.parser import HeaderParser
from typing import Any

from django.core.mail.backends.base import BaseEmailBackend

from campaigns.models import InboxMail, Message


class DemoInboxBackend(BaseEmailBackend):
    """Stores the whole mail, encrypted. A message that is there already is not stored again."""

    def open(self) -> bool:
        """Nothing to open."""
        return True

    def close(self) -> None:
        """Nothing to close."""

    def deliver(self, message: Any) -> None:
        """Put one mail into the inbox."""
        sent: Message | None = getattr(message, "of_message", None)
        if sent and InboxMail.objects.filter(message=sent).exists():
            return
        shopper = sent.shopper if sent else getattr(message, "of_shopper", None)
        InboxMail.objects.create(message=sent, shopper=shopper, raw=message.message().as_string())

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Deliver several, for Django's own doors."""
        for message in email_messages:
            self.deliver(message)
        return len(email_messages)


def parsed(mail: InboxMail) -> EmailMessage:
    """Return the stored mail as the standard library reads it."""
    return message_from_string(mail.raw, policy=policy.default)  # type: ignore[return-value]


def headers(mail: InboxMail) -> EmailMessage:
    """Return the stored mail with its body unread: a list needs no more."""
    return HeaderParser(policy=policy.default).parsestr(mail.raw)  # type: ignore[return-value]


def part(mail: EmailMessage, kind: str) -> str:
    """Return the HTML ("html") or text ("plain") of a mail, or nothing."""
    body = mail.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body else ""
