"""What a file of shoppers says about permission, in one sentence where it is not what somebody may expect."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour import tables
from behaviour.core.columns import GENERIC, SHOPPERS
from behaviour.core.layouts.base import plain
from behaviour.core.layouts.profiles import MAILCHIMP, MAILCHIMP_OTHERS
from behaviour.models import ConsentState, Upload
from mailai.ui.numbers import count

# Mailchimp names its files after the state of their contacts: subscribed, unsubscribed, nonsubscribed, cleaned.
TELLING = ("subscribed", "cleaned")


def permission_text(upload: Upload) -> str:
    """Return the sentence that says which permission the people of a file get; "" where the file itself is clear.

    Before the check only columns and the file's name are known; after it the rows are.
    """
    if upload.kind != SHOPPERS:
        return ""
    said = upload.preview.get("permission")
    given = said.get("given", 0) if said else 0
    if (said.get("unsaid") and not given) if said else _without_permission(upload):
        return _(
            "Nobody in this file has agreed to marketing email. New shoppers of whom it says nothing get the "
            "permission “%(state)s” and no email; what MailAI knows already stays."
        ) % {"state": ConsentState.UNKNOWN.label}
    if upload.layout != MAILCHIMP.name or any(word in plain(upload.filename) for word in TELLING):
        return ""
    if not said:
        return _(
            "The name of this file does not tell whether its contacts subscribed: those with a CONFIRM_TIME get the "
            "permission “%(state)s”. If they never subscribed, give the file back its name “nonsubscribed…” and "
            "upload it again."
        ) % {"state": ConsentState.GIVEN.label}
    return ngettext(
        "The name of this file does not tell whether its contacts subscribed: %(n)s shopper gets the permission "
        "“%(state)s”. If they never subscribed, give the file back its name “nonsubscribed…” and upload it again.",
        "The name of this file does not tell whether its contacts subscribed: %(n)s shoppers get the permission "
        "“%(state)s”. If they never subscribed, give the file back its name “nonsubscribed…” and upload it again.",
        given,
    ) % {"n": count(given), "state": ConsentState.GIVEN.label}


def _without_permission(upload: Upload) -> bool:
    """Say whether no column can say that somebody agreed."""
    if upload.layout == MAILCHIMP_OTHERS.name:
        return True
    if upload.layout != GENERIC:
        return False
    with tables.open_table(upload) as table:
        return "consent" not in table.match.columns
