"""Writes about people: invitations, roles, leaving."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.accounts import audit
from mailai.accounts.models import Invitation, User
from mailai.accounts.roles import ROLES
from mailai.errors import InputError, StateError

INVITATION_DAYS = 7


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invite(invitation: Invitation, *, by: User) -> str:
    """Store an invitation and return its token, which is shown once; an earlier open one is replaced."""
    Invitation.objects.filter(email=invitation.email, accepted_at=None).delete()
    token = secrets.token_urlsafe(24)
    invitation.token_hash = _hash(token)
    invitation.invited_by = by
    invitation.expires_at = timezone.now() + timedelta(days=INVITATION_DAYS)
    invitation.save()
    audit.record("team.invite", invitation, by=by, roles=roles_of(invitation))
    return token


def mail_invitation(invitation: Invitation, link: str) -> None:
    """Send the link by the house's own mail; it is also shown to the admin, in case no mail server is set up."""
    text = _("%(person)s invites you to MailAI. This link works once, for %(days)d days:\n\n%(link)s")
    send_mail(
        _("You are invited to MailAI"),
        text % {"person": invitation.invited_by, "days": INVITATION_DAYS, "link": link},
        None,
        [invitation.email],
        fail_silently=True,
    )


def open_invitation(token: str) -> Invitation:
    """Return the invitation of a link.

    Raises
    ------
    InputError : the link is wrong, used, withdrawn or too old.
    """
    invitation = Invitation.objects.filter(token_hash=_hash(token)).select_related("invited_by").first()
    if invitation is None or not invitation.is_open(timezone.now()):
        raise InputError(_("This invitation was used, withdrawn or is too old. Ask for a new one."))
    return invitation


@transaction.atomic
def accept(invitation: Invitation, *, name: str, password: str) -> User:
    """Turn an invitation into a user; of two people with one link, the first wins."""
    won = Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(accepted_at=timezone.now())
    if not won:
        raise InputError(_("This invitation was used, withdrawn or is too old. Ask for a new one."))
    roles = {f"is_{role}": getattr(invitation, f"is_{role}") for role in ROLES}
    user = User.objects.create_user(invitation.email, password, name=name, **roles)
    audit.record("team.join", user, by=user, roles=roles_of(user))
    return user


@transaction.atomic
def change_roles(user: User, *, by: User) -> None:
    """Store changed roles; every session of that person ends, so the change holds at once."""
    _keep_an_admin(user)
    user.save(update_fields=[f"is_{role}" for role in ROLES])
    end_sessions(user)
    audit.record("team.roles", user, by=by, roles=roles_of(user))


@transaction.atomic
def set_active(user: User, active: bool, *, by: User) -> None:
    """Lock somebody out, or let in again."""
    if user == by and not active:
        raise StateError(_("You can't deactivate yourself. Ask another admin."))
    user.is_active = active
    _keep_an_admin(user)
    user.save(update_fields=["is_active"])
    if not active:
        end_sessions(user)
    audit.record("team.activate" if active else "team.deactivate", user, by=by)


def _keep_an_admin(user: User) -> None:
    others = User.objects.filter(is_admin=True, is_active=True).exclude(pk=user.pk)
    if not (user.is_admin and user.is_active) and not others.exists():
        raise StateError(_("At least one active admin must remain. Make somebody else an admin first."))


def end_sessions(user: User) -> None:
    """Log somebody out everywhere."""
    for session in Session.objects.filter(expire_date__gte=timezone.now()).iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


def roles_of(person: User | Invitation) -> list[str]:
    """Return the names of the roles that are set."""
    return [role for role in ROLES if getattr(person, f"is_{role}")]
