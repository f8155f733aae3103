"""Identities are unreadable in the database, found exactly, and move to a new key."""

import base64

import pytest
from django.db import connection

from behaviour import identity
from behaviour.models import Identity
from mailai import crypto
from mailai.errors import InputError, KeyRingError


def test_the_address_is_found_exactly_and_not_stored_in_the_clear(make_shopper):
    shopper = make_shopper("Mei.Lin@Mail.example", first_name="Mei")
    assert identity.find_by_email(" mei.lin@mail.EXAMPLE ") == shopper
    assert identity.find_by_email("mei@mail.example") is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT email, first_name, email_index FROM behaviour_identity")
        stored = " ".join(cursor.fetchone())
    assert "Mei" not in stored
    assert "mail.example" not in stored.lower()
    assert Identity.objects.get().email == "Mei.Lin@Mail.example"


def test_saving_again_keeps_fields_that_were_not_given(make_shopper):
    shopper = make_shopper("a@x.example", first_name="Ada")
    identity.save_identities([{"shopper_id": shopper.pk, "last_name": "Byron"}])
    row = Identity.objects.get()
    assert (row.email, row.first_name, row.last_name) == ("a@x.example", "Ada", "Byron")


def test_an_address_of_another_shopper_is_refused(make_shopper):
    make_shopper("a@x.example")
    with pytest.raises(InputError):
        identity.save_identities([{"shopper_id": make_shopper().pk, "email": "A@x.example"}])


def test_a_value_moved_to_another_row_does_not_open(make_shopper):
    make_shopper("a@x.example")
    make_shopper("b@x.example")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE behaviour_identity SET email = (SELECT email FROM behaviour_identity ORDER BY id LIMIT 1)"
        )
    moved = Identity.objects.order_by("-id").first()
    with pytest.raises(KeyRingError):
        _ = moved.email


def test_rotation_moves_every_row_to_the_newest_key_and_old_keys_can_go(make_shopper, settings):
    for n in range(5):
        make_shopper(f"s{n}@x.example", first_name=f"N{n}")
    new = base64.urlsafe_b64encode(b"n" * 32).decode()
    settings.MAILAI_FIELD_KEYS = [new, *settings.MAILAI_FIELD_KEYS]
    assert [identity.rotate(batch=3), identity.rotate(batch=3), identity.rotate(batch=3)] == [3, 2, 0]
    settings.MAILAI_FIELD_KEYS = [new]
    assert sorted(row.first_name for row in Identity.objects.all()) == ["N0", "N1", "N2", "N3", "N4"]


def test_without_its_key_a_value_says_so(settings):
    token = crypto.encrypt("x", "t.c:1")
    settings.MAILAI_FIELD_KEYS = [crypto.new_key()]
    with pytest.raises(KeyRingError, match="MAILAI_FIELD_KEYS"):
        crypto.decrypt(token, "t.c:1")


def test_a_write_that_would_skip_the_encryption_is_refused(make_shopper):
    make_shopper("a@x.example")
    with pytest.raises(TypeError, match="encrypted"):
        Identity.objects.update(email="b@x.example")
