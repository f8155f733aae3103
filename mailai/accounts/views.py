"""Pages of the team, the audit log and one's own settings."""

from datetime import timedelta
from itertools import chain
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailai.accounts import actions, audit, services
from mailai.accounts.forms import AcceptForm, InviteForm, ProfileForm, RolesForm
from mailai.accounts.matrix import capabilities
from mailai.accounts.models import AuditEntry, Invitation, User
from mailai.accounts.roles import ADMIN, UserRequest, public, require_login, require_role
from mailai.errors import InputError, StateError
from mailai.ui.exports import csv_answer, csv_parts
from mailai.ui.tables import paginate

AUTH_BACKEND = settings.AUTHENTICATION_BACKENDS[0]
DAYS = {"7": 7, "30": 30, "365": 365}


@require_role(ADMIN)
def team(request: UserRequest, form: InviteForm | None = None, link: str = "", status: int = 200) -> HttpResponse:
    """Show who may do what, and who is invited."""
    invitations = Invitation.objects.filter(accepted_at=None, expires_at__gt=timezone.now()).select_related(
        "invited_by"
    )
    context = {
        "nav": "admin",
        "tab": "team",
        "people": User.objects.order_by("-is_active", "name", "email"),
        "invitations": invitations,
        "form": form or InviteForm(),
        "capabilities": capabilities(),
        "link": link,
    }
    return render(request, "accounts/team.html", context, status=status)


@require_role(ADMIN)
@require_POST
def invite(request: UserRequest) -> HttpResponse:
    """Make an invitation; the link is shown once."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return team(request, form=form, status=422)
    token = services.invite(form.save(commit=False), by=request.user)
    link = settings.MAILAI_PUBLIC_URL + reverse("accounts:accept_invitation", args=[token])
    services.mail_invitation(form.instance, link)
    return team(request, link=link)


@require_role(ADMIN)
@require_POST
def change_user(request: UserRequest, pk: int) -> HttpResponse:
    """Change somebody's roles, or lock out and let in."""
    user = get_object_or_404(User, pk=pk)
    try:
        if "active" in request.POST:
            services.set_active(user, request.POST["active"] == "1", by=request.user)
        else:
            form = RolesForm(request.POST, instance=user)
            if not form.is_valid():
                raise InputError(" ".join(map(str, form.non_field_errors())))
            services.change_roles(user, by=request.user)
        messages.success(request, _("%(person)s was changed.") % {"person": user})
    except (InputError, StateError) as error:
        messages.error(request, str(error))
    return redirect("accounts:team")


@require_role(ADMIN)
@require_POST
def withdraw_invitation(request: UserRequest, uuid: UUID) -> HttpResponse:
    """Make a link useless."""
    invitation = get_object_or_404(Invitation, uuid=uuid, accepted_at=None)
    audit.record("team.withdraw_invitation", invitation, by=request.user)
    invitation.delete()
    return redirect("accounts:team")


@public
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Let somebody with a link choose a name and a password."""
    try:
        invitation = services.open_invitation(token)
        form = AcceptForm(request.POST or None, email=invitation.email)
        if request.method == "POST" and form.is_valid():
            user = services.accept(invitation, **form.cleaned_data)
            login(request, user, backend=AUTH_BACKEND)
            return redirect("/")
    except InputError as error:
        return render(request, "accounts/invitation.html", {"refused": error}, status=410)
    status = 422 if form.errors else 200
    return render(request, "accounts/invitation.html", {"form": form, "invitation": invitation}, status=status)


def _entries(request: UserRequest) -> "QuerySet[AuditEntry]":
    """Return the entries that the filters in the address ask for."""
    entries = AuditEntry.objects.select_related("user")
    words = request.GET.get("q", "").strip()
    if words:
        entries = entries.filter(
            Q(user_label__icontains=words) | Q(object_label__icontains=words) | Q(object_id__icontains=words)
        )
    if request.GET.get("action"):
        entries = entries.filter(action=request.GET["action"])
    if request.GET.get("days") in DAYS:
        entries = entries.filter(at__gte=timezone.now() - timedelta(days=DAYS[request.GET["days"]]))
    return entries


@require_role(ADMIN)
def audit_log(request: UserRequest) -> HttpResponse:
    """Show who did what and why, and whether the chain is whole."""
    done = AuditEntry.objects.order_by().values_list("action", flat=True).distinct()
    context = {
        "nav": "admin",
        "tab": "audit",
        "page": paginate(request, _entries(request)),
        "actions": sorted(((action, actions.label(action)) for action in done), key=lambda pair: pair[1]),
        "n_entries": AuditEntry.objects.count(),
        "broken": audit.first_broken_entry() if "check" in request.GET else None,
        "checked": "check" in request.GET,
    }
    return render(request, "accounts/audit.html", context)


@require_role(ADMIN)
def audit_export(request: UserRequest) -> HttpResponse:
    """Hand the filtered entries out as CSV; the export itself is an entry."""
    audit.record("audit.export", by=request.user)
    header = ("at", "who", "action", "object_type", "object", "reason", "detail", "hash")
    rows = (
        (
            entry.at.isoformat(), entry.user_label, entry.action, entry.object_type, entry.object_label,
            entry.reason, entry.detail, entry.hash,
        )
        for entry in _entries(request).iterator(chunk_size=2000)
    )  # fmt: skip
    return csv_answer(csv_parts(chain([header], rows)), "audit")


@require_login
def profile(request: UserRequest) -> HttpResponse:
    """Let a user change the own name."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"nav": "", "form": form}, status=422 if form.errors else 200)
