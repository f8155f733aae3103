"""Django's SMTP backend, which also knows how far a message got: that decides whether it may be sent again."""

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

from mailai.errors import DeliveryError

GO_AHEAD = 354


class _StagedSmtp(smtplib.SMTP):
    """``smtplib.SMTP`` where ``dotted`` turns true before the first byte of the body leaves.

    From then on a broken connection says nothing: the server may have taken the message (RFC 1047).
    """

    dotted = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send the body as smtplib does, with the mark set in between."""
        code, answer = self.docmd("data")
        if code != GO_AHEAD:
            raise smtplib.SMTPDataError(code, answer)
        self.dotted = True
        body = smtplib._quote_periods(msg)  # type: ignore[attr-defined]
        self.send(body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, answer = self.getreply()
        self.dotted = False
        return code, answer


class _StagedSmtpSsl(_StagedSmtp, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""


class StagedSmtpBackend(EmailBackend):
    """One message at a time; errors say whether they are for good, for now, or in doubt."""

    @property
    def connection_class(self) -> Any:
        return _StagedSmtpSsl if self.use_ssl else _StagedSmtp

    def deliver(self, message: Any) -> None:
        """Hand one message over.

        Raises
        ------
        DeliveryError : with ``permanent`` or ``in_doubt`` set, or neither where a later try may work.
        """
        connection: Any = self.connection
        try:
            connection.dotted = False
            connection.sendmail(message.from_email, message.recipients(), message.message().as_bytes(linesep="\r\n"))
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise _refused(code, answer) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, OSError) as error:
            in_doubt, connection.dotted = connection.dotted, False
            raise DeliveryError(f"The connection broke: {error}"[:280], in_doubt=in_doubt, broken=True) from None


def _refused(code: int, answer: bytes | str) -> DeliveryError:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
    return DeliveryError(f"{code} {text}"[:280], permanent=500 <= code < 600)
