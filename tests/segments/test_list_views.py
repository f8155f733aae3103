"""Pages of lists, as browsers with and without script use them."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from behaviour.models import Shopper
from mailai.accounts.models import AuditEntry
from segments import list_uploads, lists
from segments.models import Segment, ShopperList
from tests.segments.test_lists import upload

NEW, LISTS = reverse("segments:list_new"), reverse("segments:lists")


@pytest.fixture
def people(shop: Any, make_shopper: Any) -> list[Shopper]:
    return [make_shopper(f"p{n}@mail.example", external_id=f"c-{n}") for n in range(5)]


def at(name: str, made: Any) -> str:
    return reverse(f"segments:{name}", args=[made.uuid])


def text_of(answer: Any) -> str:
    return answer.content.decode().replace("&#x27;", "'")


def test_who_may_not_is_turned_away(
    client_for: Any, stranger: Any, manager: Any, admin: Any, people: list[Shopper]
) -> None:
    made, segment = upload("c-1"), Segment.objects.create(name="All", rule={"all": []})
    reads = [LISTS, at("list_detail", made)]
    exports = [at("list_export", made), at("export", segment)]
    writes = [at(name, made) for name in ("list_column", "list_rename", "list_delete", "list_segment")]
    writes += [NEW, at("freeze", segment)]
    for url in reads + exports + writes:
        assert client_for(stranger).post(url).status_code == 403
    for reader in (manager, admin):
        client = client_for(reader)
        assert [client.get(url).status_code for url in reads] == [200, 200]
        assert [client.post(url).status_code for url in exports] == [200, 200]
        assert {client.post(url).status_code for url in writes} == {403}
        assert "Upload a list" not in text_of(client.get(LISTS))
        assert "Delete" not in text_of(client.get(reads[1]))
    assert ShopperList.objects.count() == 1


def test_writes_need_a_post(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    made, segment = upload("c-1"), Segment.objects.create(name="All", rule={"all": []})
    urls = [at(f"list_{name}", made) for name in ("column", "rename", "delete", "export", "segment")]
    for url in [*urls, at("freeze", segment), at("export", segment)]:
        assert client_for(marketer).get(url).status_code == 405


def test_an_empty_page_says_what_a_list_is(client_for: Any, marketer: Any, manager: Any, shop: Any) -> None:
    assert "No lists yet" in text_of(client_for(marketer).get(LISTS))
    assert NEW not in text_of(client_for(manager).get(LISTS))
    assert LISTS in text_of(client_for(manager).get(reverse("segments:list")))


def test_the_page_asks_no_query_per_list(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    client = client_for(marketer)

    def n_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LISTS).status_code == 200
        return len(queries)

    one = lists.make_segment(upload("c-1"), by=marketer)
    n_queries()
    few = n_queries()
    for n in range(20):
        made = upload("c-1\nc-2", f"List {n}")
        Segment.objects.create(name=f"S{n}", rule={"any": [{"list": str(made.uuid)}, one.rule]})
    # What the frame of every page remembers for some seconds is asked again on a slow machine.
    n_queries()
    assert n_queries() == few


def test_the_page_says_where_lists_come_from_and_what_uses_them(
    client_for: Any, marketer: Any, people: list[Shopper]
) -> None:
    made = list_uploads.receive(
        SimpleUploadedFile("x", b"c-1\nc-2\nnobody-1"), name="Fair", filename="Guests.csv", by=marketer
    )
    made = list_uploads.read(made.pk)
    lists.make_segment(made, by=marketer)
    Segment.objects.create(name="Everybody", rule={"all": []})
    lists.freeze(Segment.objects.get(name="Everybody"), by=marketer)
    page = text_of(client_for(marketer).get(LISTS))
    assert "Uploaded as Guests.csv on" in page
    assert "Segment “Everybody”, frozen on" in page
    assert "“Everybody”" in page
    assert str(marketer) in page
    assert page.index("frozen on") < page.index("Guests.csv")
    people[1].delete()
    seen = text_of(client_for(marketer).get(at("list_detail", made)))
    assert "One rule asks who is on it" in seen
    assert "1 was removed or turned out to be the same person since." in seen
    assert "nobody-1" in seen


def test_a_file_becomes_a_list_at_once(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    client = client_for(marketer)
    file = SimpleUploadedFile("Guests of the fair.csv", b"Email\np1@mail.example\nelena@else.example\n")
    answer = client.post(NEW, {"file": file, "name": "", "text": ""})
    made = ShopperList.objects.get()
    assert answer.url == at("list_detail", made)
    assert (made.name, made.created_by, made.n_members, made.n_unknown) == ("Guests of the fair", marketer, 1, 1)
    page = text_of(client.get(answer.url))
    assert "e••••@else.example" in page
    assert "elena@else" not in page
    assert [one.action for one in AuditEntry.objects.order_by("pk")] == ["list.create", "list.read"]
    assert "elena" not in str([(one.detail, one.object_label) for one in AuditEntry.objects.all()])


def test_pasted_text_becomes_a_list_at_once(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    client_for(marketer).post(NEW, {"name": "Fair", "text": "c-1\r\np2@mail.example\r\n"})
    made = ShopperList.objects.get()
    assert (made.n_members, made.origin) == (2, "")
    assert "Pasted on" in text_of(client_for(marketer).get(LISTS))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"name": "Fair", "text": ""}, "Choose a file first"),
        ({"name": "", "text": "c-1"}, "Give the list a name"),
        ({"name": "Taken", "text": "c-1"}, "There is a list “Taken” already"),
        ({"name": "Fair", "text": "\x00\x01" * 50}, "This is not a CSV file"),
    ],
)
def test_what_can_not_be_used_keeps_the_form(
    client_for: Any, marketer: Any, people: list[Shopper], sent: dict[str, str], says: str
) -> None:
    upload("c-1", "Taken")
    answer = client_for(marketer).post(NEW, sent)
    assert answer.status_code == 422
    assert says in text_of(answer)
    assert f'value="{sent["name"]}"' in text_of(answer)
    assert ShopperList.objects.count() == 1


def test_both_a_file_and_text_are_one_too_many(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    sent = {"name": "Fair", "text": "c-1", "file": SimpleUploadedFile("a.csv", b"c-2\n")}
    assert "not both" in text_of(client_for(marketer).post(NEW, sent))


def test_a_person_says_the_column_and_a_reader_sees_that_it_waits(
    client_for: Any, marketer: Any, manager: Any, people: list[Shopper]
) -> None:
    client = client_for(marketer)
    url = client.post(NEW, {"name": "Fair", "text": "a,b\nx@x.example,9\ny@y.example,8\nz,c-2\n"}).url
    made = ShopperList.objects.get()
    assert made.state == "asks"
    page = text_of(client.get(url))
    assert "Which column names shoppers?" in page
    assert "x@x" not in page
    assert "waits for a marketer" in text_of(client_for(manager).get(url))
    assert "Which column?" in text_of(client.get(LISTS))
    client.post(at("list_column", made), {"column": "zzz"})
    client.post(at("list_column", made), {"column": "b"})
    made.refresh_from_db()
    assert (made.state, made.n_members, made.n_unknown) == ("ready", 1, 2)


def test_a_large_file_is_left_to_a_worker_and_the_page_asks_until_it_is_read(
    client_for: Any, marketer: Any, people: list[Shopper], monkeypatch: Any
) -> None:
    monkeypatch.setattr(list_uploads, "READ_AT_ONCE", 1)
    client = client_for(marketer)
    url = client.post(NEW, {"name": "Fair", "text": "c-1\nc-2"}).url
    page = text_of(client.get(url))
    assert "The list is being read" in page
    assert 'hx-trigger="every 2s"' in page
    part = client.get(url, headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    list_uploads.read(ShopperList.objects.get().pk)
    assert client.get(url, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "Shoppers on this list" in text_of(client.get(url))


def test_rename_delete_and_segment_are_one_click_each(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    client, made = client_for(marketer), upload("c-1")
    client.post(at("list_rename", made), {"name": "Guests"})
    client.post(at("list_rename", made), {"name": " "})
    answer = client.post(at("list_segment", made))
    segment = Segment.objects.get()
    assert (answer.url, segment.name, segment.rule) == (
        at("detail", segment), "Guests", {"all": [{"list": str(made.uuid)}]},
    )  # fmt: skip
    refused = client.post(at("list_delete", made), follow=True)
    assert "“Guests” is used by the rule of “Guests”" in text_of(refused)
    segment.delete()
    assert "“Guests” is deleted." in text_of(client.post(at("list_delete", made), follow=True))
    assert not ShopperList.objects.exists()
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"list.rename", "segment.create", "list.delete"} <= actions


def test_freezing_is_one_click_and_says_how_many(client_for: Any, marketer: Any, people: list[Shopper]) -> None:
    segment = Segment.objects.create(name="Everybody", rule={"all": []})
    client = client_for(marketer)
    assert "Freeze as a list" in text_of(client.get(at("detail", segment)))
    page = text_of(client.post(at("freeze", segment), follow=True))
    assert "The list keeps 5 shoppers, whatever the segment does from now on." in page
    assert AuditEntry.objects.get(action="list.freeze").detail["shoppers"] == 5
    segment.rule = {"not": {"all": []}}
    segment.save()
    assert "nothing to freeze" in text_of(client.post(at("freeze", segment), follow=True))


def test_exports_stream_pseudonyms_that_no_spreadsheet_runs(
    client_for: Any, marketer: Any, people: list[Shopper]
) -> None:
    Shopper.objects.filter(external_id="c-1").update(pseudonym="=cmd|'/C'!A0")
    made, segment = upload("c-1\nc-2", "=Fair"), Segment.objects.create(name="Everybody", rule={"all": []})
    client = client_for(marketer)
    answer = client.post(at("list_export", made))
    assert answer.streaming
    assert "attachment" in answer["Content-Disposition"]
    lines = b"".join(answer).decode("utf-8-sig").splitlines()
    assert lines == ["pseudonym", "'=cmd|'/C'!A0", people[2].pseudonym]
    assert len(b"".join(client.post(at("export", segment))).splitlines()) == 6
    entries = AuditEntry.objects.filter(action__endswith=".export").order_by("pk")
    assert [(one.action, one.detail["shoppers"], one.user) for one in entries] == [
        ("list.export", 2, marketer), ("segment.export", 5, marketer),
    ]  # fmt: skip


def test_a_broken_rule_is_neither_frozen_nor_exported(client_for: Any, marketer: Any, shop: Any) -> None:
    segment = Segment.objects.create(name="Old", rule={"field": "gone", "op": "=", "value": 1})
    for name in ("freeze", "export"):
        assert "There is no field" in text_of(client_for(marketer).post(at(name, segment), follow=True))
