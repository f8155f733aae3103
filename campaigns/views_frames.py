"""Mails inside frames: addresses of their own, with a policy of their own, so that no mail touches our pages."""

from uuid import UUID

from csp.decorators import csp_exempt
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import escape
from django.utils.translation import gettext as _

from campaigns import checks, inbox, queries, rendering
from campaigns.models import Campaign, InboxMail
from mailai.accounts.roles import MARKETER, UserRequest, require_login, require_role

POLICY = (
    "default-src 'none'; img-src 'self' data: https: {public}; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "sandbox {sandbox}"
)
# Links of a mail in the inbox open in a tab of their own, outside the sandbox.
LINKS_OPEN = "allow-popups allow-popups-to-escape-sandbox"
BASE = '<base target="_blank">'


def _framed(html: str, sandbox: str = "") -> HttpResponse:
    response = HttpResponse(html)
    policy = POLICY.format(public=settings.MAILAI_PUBLIC_URL, sandbox=sandbox)
    response["Content-Security-Policy"] = policy.strip()
    return response


@csp_exempt()
@require_role(MARKETER)
def preview(request: UserRequest, uuid: UUID, number: int) -> HttpResponse:
    """Show a draft as the number-th shopper of its audience."""
    campaign = get_object_or_404(Campaign.objects.select_related("segment", "run"), uuid=uuid)
    variant, found = campaign.variants.first(), queries.sample(campaign, number)
    faults = checks.content_faults(campaign)
    if faults or variant is None or found is None:
        return _framed(f"<p>{escape(faults[0].text if faults else _('There is nothing to show yet.'))}</p>")
    return _framed(rendering.preview(campaign, variant, found.shopper).html)


@csp_exempt()
@require_login
def inbox_frame(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Show a mail of the demo inbox as its reader sees it; its links are the real ones."""
    mail = inbox.parsed(get_object_or_404(InboxMail, uuid=uuid))
    html = inbox.part(mail, "html").replace("<head>", f"<head>{BASE}", 1)
    return _framed(html, LINKS_OPEN)
