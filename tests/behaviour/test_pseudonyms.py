"""Files that know shoppers by their addresses: no address is stored but encrypted."""

from typing import Any

import pytest
from django.db import connection

from behaviour import identity
from behaviour.models import Event, Shopper
from tests.behaviour.test_uploads import balance, imported

pytestmark = pytest.mark.django_db
EVENTS = """user_id,item_id,event,timestamp
Elena@mail.example,A,view,2026-01-01
elena@mail.example,A,view,2026-01-01
elena@mail.example,B,view,2026-01-01
"""


def test_an_address_as_id_is_never_stored_and_loads_once() -> None:
    assert balance(imported(EVENTS)) == (3, 2, 1, 0)
    shopper = Shopper.objects.get()
    assert shopper.external_id.startswith("mail-")
    assert imported(EVENTS).loaded == 0
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert "elena@" not in str(cursor.fetchall()).lower(), table


def test_events_find_the_shopper_who_has_the_address(make_shopper: Any) -> None:
    shopper = make_shopper("elena@mail.example", external_id="7")
    imported(EVENTS)
    assert set(Event.objects.values_list("shopper", flat=True)) == {shopper.pk}


def test_people_known_by_address_keep_it_encrypted_and_meet_their_events() -> None:
    imported(EVENTS)
    upload = imported("user_id,first_name,consent\nELENA@mail.example,Elena,yes\n")
    assert balance(upload) == (1, 1, 0, 0)
    shopper = Shopper.objects.get()
    assert identity.find_by_email("elena@mail.example") == shopper
    assert (shopper.identity.first_name, shopper.marketing) == ("Elena", "given")
    assert imported("user_id,email,country\nelena@mail.example,new@mail.example,France\n").loaded == 1
    assert identity.find_by_email("new@mail.example") == shopper
