"""Finding a campaign, or a moment, by what a command was given."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from mailai.errors import InputError
from mailai.moments import moment_in


def campaign_by_id(word: str) -> Campaign:
    """Return the campaign with this number or UUID.

    Raises
    ------
    InputError : there is none.
    """
    try:
        by = Q(pk=int(word)) if word.isdecimal() else Q(uuid=UUID(word))
        campaign = Campaign.objects.filter(by).first()
    except (ValueError, OverflowError):
        campaign = None
    if campaign is None:
        raise InputError(_("There is no campaign %(id)s.") % {"id": word})
    return campaign


def moment(word: str | None) -> datetime | None:
    """Return the time that --now was given, with its zone.

    Raises
    ------
    InputError : it is no time with a zone, or far from any shop's.
    """
    if not word:
        return None
    found = moment_in(word)
    if found is None:
        raise InputError(_("--now must be a time from 1970 to 2100 with its zone, such as 2026-05-01T09:00:00+01:00."))
    return found
