"""People come by invitation, keep an admin, and leave a trace."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailai.accounts import audit, services
from mailai.accounts.models import AuditEntry, Invitation, User


def invite(client, **data):
    return client.post(reverse("accounts:invite"), data)


def link_of(response):
    return response.context["link"].split("/", 3)[3]


def test_an_invited_person_joins_with_the_roles_chosen_and_the_link_works_once(admin, client, client_for):
    response = invite(client_for(admin), email="Tom@shop.example", is_marketer="on", is_manager="on")
    path = "/" + link_of(response)
    assert client.get(path).status_code == 200
    assert client.post(path, {"name": "Tom", "password": "correct horse battery"}).status_code == 302
    tom = User.objects.get(email="tom@shop.example")
    assert (tom.is_marketer, tom.is_manager, tom.is_admin) == (True, True, False)
    assert client.post(path, {"name": "Eve", "password": "correct horse battery"}).status_code == 410


def test_a_weak_password_is_refused_with_a_reason(admin, client, client_for):
    path = "/" + link_of(invite(client_for(admin), email="tom@shop.example", is_marketer="on"))
    response = client.post(path, {"name": "Tom", "password": "1234"})
    assert response.status_code == 422
    assert "10 characters" in response.content.decode()


def test_an_old_invitation_does_not_work(admin, client, client_for):
    path = "/" + link_of(invite(client_for(admin), email="tom@shop.example", is_marketer="on"))
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(path).status_code == 410


def test_an_invitation_without_a_role_or_for_a_member_is_refused(admin, client_for):
    client = client_for(admin)
    assert invite(client, email="x@shop.example").status_code == 422
    assert invite(client, email=admin.email, is_admin="on").status_code == 422
    assert not Invitation.objects.exists()


def test_the_last_admin_stays_admin(admin, client_for):
    client = client_for(admin)
    client.post(reverse("accounts:change_user", args=[admin.pk]), {"is_marketer": "on"})
    admin.refresh_from_db()
    assert admin.is_admin


def test_changing_roles_ends_the_sessions_of_that_person(admin, marketer, client_for):
    theirs = client_for(marketer)
    assert theirs.get(reverse("accounts:profile")).status_code == 200
    client_for(admin).post(reverse("accounts:change_user", args=[marketer.pk]), {"is_manager": "on"})
    assert theirs.get(reverse("accounts:profile")).status_code == 302


def test_a_deactivated_person_is_out_at_once_and_can_be_let_in_again(admin, marketer, client_for):
    theirs, path = client_for(marketer), reverse("accounts:change_user", args=[marketer.pk])
    client_for(admin).post(path, {"active": "0"})
    assert theirs.get(reverse("accounts:profile")).status_code == 302
    client_for(admin).post(path, {"active": "1"})
    marketer.refresh_from_db()
    assert marketer.is_active


def test_every_write_by_a_person_leaves_an_audit_entry(admin, marketer, client_for):
    client_for(marketer).post(reverse("accounts:profile"), {"name": "Mei"})
    entry = AuditEntry.objects.get()
    assert (entry.user, entry.action) == (marketer, "accounts:profile")


def test_the_chain_shows_a_changed_and_a_removed_entry(admin):
    for n in range(5):
        audit.record("test", admin, by=admin, n=n)
    assert audit.first_broken_entry() is None
    entries = list(AuditEntry.objects.order_by("id"))
    AuditEntry.objects.filter(pk=entries[1].pk).update(action="changed")
    assert audit.first_broken_entry() == entries[1]
    AuditEntry.objects.filter(pk=entries[1].pk).delete()
    assert audit.first_broken_entry() == entries[2]


def test_the_audit_page_filters_and_exports_without_formulas(admin, client_for):
    audit.record("shopper.reveal", by=admin, reason="=HYPERLINK(1)")
    audit.record("team.invite", by=admin)
    client = client_for(admin)
    assert len(client.get(reverse("accounts:audit"), {"action": "shopper.reveal"}).context["page"].rows) == 1
    assert b"'=HYPERLINK" in b"".join(client.get(reverse("accounts:audit_export")))


def test_the_number_of_queries_of_the_team_page_does_not_grow(admin, client_for, django_assert_num_queries):
    client, address = client_for(admin), reverse("accounts:team")
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    User.objects.bulk_create(User(email=f"u{n}@shop.example", is_marketer=True) for n in range(30))
    with django_assert_num_queries(len(few)):
        client.get(address)


@pytest.mark.parametrize("name", ["accounts:team", "accounts:audit", "accounts:audit_export"])
def test_admin_pages_are_closed_to_others(name, marketer, manager, stranger, client, client_for):
    assert client.get(reverse(name)).status_code == 302
    for user in (marketer, manager, stranger):
        assert client_for(user).get(reverse(name)).status_code == 403


def test_sessions_survive_for_others_when_one_person_is_logged_out(admin, marketer, client_for):
    mine = client_for(admin)
    client_for(marketer)
    services.end_sessions(marketer)
    assert mine.get(reverse("accounts:profile")).status_code == 200
