"""Putting one shopper on a list, and taking her off."""

from typing import Any

import pytest
from django.urls import reverse

from mailai.accounts.models import AuditEntry
from segments import rules
from segments.models import ShopperList


@pytest.fixture
def fair(db: None) -> ShopperList:
    return ShopperList.objects.create(name="Fair", source="uploaded")


def test_who_may_not_is_turned_away(
    make_shopper: Any, fair: ShopperList, client_for: Any, manager: Any, stranger: Any, admin: Any
) -> None:
    shopper = make_shopper()
    add = reverse("analytics:list_add", args=[shopper.pseudonym])
    off = reverse("analytics:list_remove", args=[shopper.pseudonym, fair.uuid])
    for user in (manager, stranger, admin):
        assert client_for(user).post(add, {"name": "Mine"}).status_code == 403
        assert client_for(user).post(off).status_code == 403
    page = client_for(manager).get(reverse("analytics:shopper", args=[shopper.pseudonym])).content.decode()
    assert "Add to a list" not in page
    assert ShopperList.objects.get() == fair


def test_she_is_put_on_a_list_once_and_taken_off(
    make_shopper: Any, fair: ShopperList, client_for: Any, marketer: Any
) -> None:
    shopper, client = make_shopper(), client_for(marketer)
    add, page = (reverse(f"analytics:{name}", args=[shopper.pseudonym]) for name in ("list_add", "shopper"))
    assert "Fair" in client.get(page).content.decode()
    said = [client.post(add, {"list": fair.uuid}, follow=True).content.decode() for _turn in range(2)]
    assert f"{shopper} is on the list “Fair”." in said[0]
    assert f"{shopper} was on the list “Fair” already." in said[1]
    assert list(rules.matching({"list": str(fair.uuid)})) == [shopper]
    fair.refresh_from_db()
    assert fair.n_members == 1
    assert client.get(page).context["lists_of_hers"] == [fair]
    off = reverse("analytics:list_remove", args=[shopper.pseudonym, fair.uuid])
    assert "is off the list “Fair”" in client.post(off, follow=True).content.decode()
    assert "is off the list" not in client.post(off, follow=True).content.decode()
    fair.refresh_from_db()
    assert (fair.n_members, fair.members.count()) == (0, 0)
    actions = (
        AuditEntry.objects.filter(action__startswith="list.")
        .order_by("id")
        .values_list("action", "object_id", "detail")
    )
    assert list(actions) == [
        (name, str(fair.uuid), {"shopper": shopper.pseudonym}) for name in ("list.add_shopper", "list.remove_shopper")
    ]


def test_a_new_list_is_named_on_the_spot(make_shopper: Any, fair: ShopperList, client_for: Any, marketer: Any) -> None:
    shopper, client = make_shopper(), client_for(marketer)
    add = reverse("analytics:list_add", args=[shopper.pseudonym])
    assert "The new list “Press” has" in client.post(add, {"name": " Press "}, follow=True).content.decode()
    press = ShopperList.objects.get(name="Press")
    assert (press.source, press.n_members, press.created_by) == ("uploaded", 1, marketer)
    assert [one.shopper for one in press.members.all()] == [shopper]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({}, "Choose a list, or give a new one a name of 1 to 120 letters."),
        ({"name": "  "}, "Choose a list, or give a new one a name"),
        ({"name": "Fair"}, "There is a list “Fair” already. Choose another name."),
        ({"name": "x" * 121}, "at most 120 characters"),
        ({"name": "a\x00b"}, "Null characters"),
        ({"list": "x"}, "is not a valid UUID"),
        ({"list": "0f8b3c9e-7d51-4f43-9a3e-1c2d3e4f5a6b"}, "This list is gone, or is a frozen segment."),
        ({"list": "FROZEN"}, "This list is gone, or is a frozen segment."),
    ],
)
def test_what_can_not_be_is_a_sentence(
    sent: dict[str, str], says: str, make_shopper: Any, fair: ShopperList, client_for: Any, marketer: Any
) -> None:
    frozen = ShopperList.objects.create(name="May", source="frozen")
    sent = {key: str(frozen.uuid) if value == "FROZEN" else value for key, value in sent.items()}
    url = reverse("analytics:list_add", args=[make_shopper().pseudonym])
    answer = client_for(marketer).post(url, sent)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert ShopperList.objects.count() == 2
    assert not AuditEntry.objects.filter(action__startswith="list.").exists()


def test_a_frozen_segment_stays_as_it_was(make_shopper: Any, client_for: Any, marketer: Any) -> None:
    shopper, frozen = make_shopper(), ShopperList.objects.create(name="May", source="frozen")
    frozen.members.create(shopper=shopper)
    client, page = client_for(marketer), reverse("analytics:shopper", args=[shopper.pseudonym])
    assert "frozen segment" in client.get(page).content.decode()
    off = reverse("analytics:list_remove", args=[shopper.pseudonym, frozen.uuid])
    assert off not in client.get(page).content.decode()
    assert "is a frozen segment and stays as it was" in client.post(off, follow=True).content.decode()
    assert frozen.members.count() == 1


def test_without_script_the_button_leads_to_a_page(make_shopper: Any, client_for: Any, marketer: Any) -> None:
    shopper, client = make_shopper(), client_for(marketer)
    add = reverse("analytics:list_add", args=[shopper.pseudonym])
    assert f'href="{add}"' in client.get(reverse("analytics:shopper", args=[shopper.pseudonym])).content.decode()
    page = client.get(add).content.decode()
    # No list is there yet: only a name is asked for.
    assert 'name="name"' in page
    assert 'name="list"' not in page
    assert client.get(reverse("analytics:list_add", args=["S-NOBODY"])).status_code == 404
