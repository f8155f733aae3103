"""Sending connections: SMTP servers and the demo inbox."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from behaviour.models import Shop
from campaigns import senders
from campaigns.forms import SenderForm
from campaigns.models import Sender
from mailai.accounts import audit
from mailai.accounts.roles import ADMIN, UserRequest, require_role


@require_role(ADMIN)
def sender_list(request: UserRequest) -> HttpResponse:
    """Show the connections."""
    context = {
        "nav": "admin",
        "tab": "sending",
        "senders": Sender.objects.order_by("-is_default", "name"),
        "has_inbox": Sender.objects.filter(kind=Sender.Kind.DEMO_INBOX).exists(),
    }
    return render(request, "campaigns/senders.html", context)


@require_role(ADMIN)
def edit_sender(request: UserRequest, uuid: UUID | None = None) -> HttpResponse:
    """Add an SMTP connection, or change one."""
    smtp = Sender.objects.filter(kind=Sender.Kind.SMTP)
    sender = get_object_or_404(smtp, uuid=uuid) if uuid else Sender(from_name=Shop.current().name)
    form = SenderForm(request.POST or None, instance=sender)
    if request.method == "POST" and form.is_valid():
        if not Sender.objects.filter(is_default=True).exists():
            form.instance.is_default = True
        saved = form.save()
        audit.record("sender.save", saved, by=request.user, fields=[f for f in form.changed_data if f != "password"])
        _tell(request, saved, senders.check_sender(saved))
        return redirect("campaigns:senders")
    context = {"nav": "admin", "tab": "sending", "form": form, "sender": sender}
    return render(request, "campaigns/sender.html", context, status=422 if form.errors else 200)


def _tell(request: UserRequest, sender: Sender, error: str) -> None:
    if error:
        messages.error(request, error)
    else:
        messages.success(request, _("%(name)s answers and takes the login.") % {"name": sender.name})


@require_role(ADMIN)
@require_POST
def check_sender(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Try the connection now."""
    sender = get_object_or_404(Sender, uuid=uuid)
    audit.record("sender.check", sender, by=request.user)
    _tell(request, sender, senders.check_sender(sender))
    return redirect("campaigns:senders")


@require_role(ADMIN)
@require_POST
def default_sender(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make new campaigns leave by this one."""
    sender = get_object_or_404(Sender, uuid=uuid)
    senders.make_default(sender)
    audit.record("sender.default", sender, by=request.user)
    return redirect("campaigns:senders")


@require_role(ADMIN)
@require_POST
def add_inbox(request: UserRequest) -> HttpResponse:
    """Make the demo inbox, to try everything without a mail server."""
    audit.record("sender.save", senders.ensure_demo_inbox(), by=request.user)
    return redirect("campaigns:senders")
