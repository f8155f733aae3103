"""The demo inbox: the mails as shoppers would find them."""

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from behaviour.models import Shop, Shopper, masked
from campaigns import inbox
from campaigns.models import InboxMail
from mailai.accounts import audit
from mailai.accounts.roles import ADMIN, MARKETER, UserRequest, require_login, require_role
from mailai.ui.tables import paginate


@dataclass(frozen=True)
class Line:
    """One mail of the list."""

    mail: InboxMail
    subject: str
    to: str


@require_login
def inbox_list(request: UserRequest) -> HttpResponse:
    """Show the newest mails; a page decrypts its 25."""
    page = paginate(request, InboxMail.objects.select_related("shopper", "message__campaign"))
    context = {"nav": "inbox", "page": page, "lines": [_line(mail) for mail in page], **switch_context(request)}
    return render(request, "campaigns/inbox.html", context)


def _line(mail: InboxMail) -> Line:
    read = inbox.headers(mail)
    return Line(mail, str(read["subject"] or ""), masked(parseaddr(str(read["to"] or ""))[1]))


@require_login
def inbox_mail(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Show one mail with its envelope; the body stands in a frame of its own."""
    mail = get_object_or_404(InboxMail.objects.select_related("shopper", "message__campaign"), uuid=uuid)
    if mail.read_at is None:
        InboxMail.objects.filter(pk=mail.pk, read_at=None).update(read_at=timezone.now())
    read = inbox.parsed(mail)
    context = {
        "nav": "inbox",
        "mail": mail,
        "subject": read["subject"],
        "from": "{} <{}>".format(*parseaddr(str(read["from"] or ""))),
        "to": masked(parseaddr(str(read["to"] or ""))[1]),
        "one_click": "List-Unsubscribe-Post" in read,
        "text": inbox.part(read, "plain"),
        "size_kb": max(1, len(inbox.part(read, "html").encode()) // 1000),
    }
    return render(request, "campaigns/inbox_mail.html", context)


def switch_context(request: UserRequest) -> dict[str, Any]:
    """Return what campaigns/_demo_switch.html needs besides the shop."""
    return {"back": request.get_full_path()}


@require_role(MARKETER, ADMIN)
@require_POST
def demo_switch(request: UserRequest) -> HttpResponse:
    """Let the demo's invented shoppers answer mails, or stop them. Real shoppers are never touched."""
    on = request.POST.get("on") == "1"
    if on and not Shopper.objects.filter(demo=True).exists():
        messages.error(request, _("There is no demo shop here, so there is nobody to react."))
    else:
        shop = Shop.current()
        Shop.objects.filter(pk=shop.pk).update(demo_reacts=on)
        audit.record("demo.react" if on else "demo.stop_reacting", shop, by=request.user)
        if on:
            messages.success(request, _("Demo shoppers react from now on. The first opens come within a minute."))
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else reverse("campaigns:inbox"))
