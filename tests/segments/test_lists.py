"""Lists of shoppers: whom an uploaded list names, what a frozen one keeps, what may be deleted."""

import csv
import gzip
import io
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from behaviour import identity, merging
from behaviour.models import Merge, Shopper, Upload
from behaviour.removal import undo_upload
from campaigns.models import Campaign
from mailai.errors import InputError, StateError
from segments import list_files, list_queries, list_uploads, list_writing, lists, rules, services, usage
from segments.models import Segment, ShopperList, ShopperListMember
from tests.segments.test_commands import refused, run

MANY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def upload(text: str | bytes, name: str = "Fair", column: str = "") -> ShopperList:
    """Bring a list as a person does, and let it be read."""
    data = text.encode() if isinstance(text, str) else text
    made = list_uploads.receive(io.BytesIO(data), name=name, filename="fair.csv", column=column)
    list_uploads.read(made.pk)
    made.refresh_from_db()
    return made


def on(made: ShopperList) -> set[int]:
    """Return who a rule finds on the list."""
    return set(rules.matching({"list": str(made.uuid)}).values_list("pk", flat=True))


@pytest.fixture
def people(make_shopper: Any) -> list[Shopper]:
    return [make_shopper(f"p{n}@mail.example", external_id=f"c-{n}") for n in range(5)]


def kept_files() -> int:
    return sum(1 for _path in list_files.path_of("x").parent.iterdir())


# ---------- whom an uploaded list names


@pytest.mark.parametrize(
    "text",
    [
        "p1@mail.example\np3@mail.example\n",
        "Email\np1@mail.example\nP3@Mail.Example \n",
        "c-1\nc-3",
        "customer_id\nc-1\nc-3\n",
        "Guest;Came\nc-1;yes\nc-3;no\n",
        "first_name,email,city\nAnna,p1@mail.example,Rome\nNora,p3@mail.example,Oslo\n",
        "c-1\np3@mail.example\n",
    ],
)
def test_a_column_of_names_is_found_by_itself(people: list[Shopper], text: str) -> None:
    made = upload(text)
    assert made.state == "ready", made.problem
    assert on(made) == {people[1].pk, people[3].pk}
    assert (made.n_rows, made.n_members, made.n_twice, made.n_unknown) == (2, 2, 0, 0)
    assert made.file == {}
    assert not kept_files()


def test_pseudonyms_as_an_export_gives_them_come_back_as_the_same_list(people: list[Shopper], tmp_path: Any) -> None:
    first = upload("c-0\nc-4")
    out = tmp_path / "out.csv"
    assert run("list_export", "--list", "Fair", "--out", str(out))["shoppers"] == 2
    again = upload(out.read_bytes(), "Again")
    assert (on(again), again.column) == (on(first), "pseudonym")


def test_encodings_packings_and_spreadsheets_are_read(people: list[Shopper]) -> None:
    text = "Kunde;Straße\nc-1;Groß\nc-2;Süd\n"
    for number, data in enumerate((text.encode("cp1252"), text.encode("utf-16"), gzip.compress(text.encode()))):
        assert on(upload(data, f"List {number}")) == {people[1].pk, people[2].pk}


def test_what_names_nobody_is_counted_masked_and_makes_nobody(people: list[Shopper]) -> None:
    n_before = Shopper.everything.count()
    made = upload("email,note\np1@mail.example,a\nelena@else.example,b\n,c\nElena Rossi,d\np1@mail.example,e\n")
    assert (made.n_rows, made.n_members, made.n_twice, made.n_unknown) == (5, 1, 1, 3)
    assert made.unknown == [[3, "e••••@else.example"], [4, ""], [5, "E••••"]]
    assert Shopper.everything.count() == n_before
    assert "elena" not in str(made.unknown)


@MANY
@given(data=st.data())
def test_a_list_is_whom_its_rows_name(data: Any, db: None) -> None:
    ShopperList.objects.all().delete()
    Shopper.everything.all().delete()
    shoppers = [Shopper.objects.create(external_id=f"id-{n}") for n in range(6)]
    for one in shoppers[:4]:
        identity.save_identities([{"shopper_id": one.pk, "email": f"{one.external_id}@mail.example"}])
    names = {one.external_id: one.pk for one in shoppers} | {one.pseudonym: one.pk for one in shoppers}
    names |= {f"{one.external_id}@mail.example": one.pk for one in shoppers[:4]}
    names |= {f" {one.external_id.upper()}@MAIL.example ": one.pk for one in shoppers[:4]}
    names |= {one.pseudonym.lower(): one.pk for one in shoppers}
    junk = st.text("ab1 ,;\"'=@-\t.é", max_size=12).map(lambda text: f"x{text}")
    rows = data.draw(st.lists(st.sampled_from(sorted(names)) | junk, min_size=1, max_size=25))
    out = io.StringIO()
    csv.writer(out).writerows([["customer_id", "n"], *([name, n] for n, name in enumerate(rows))])
    made = upload(out.getvalue(), column="customer_id")
    meant = [names[name] for name in rows if name in names]
    if not meant:
        assert made.state == "asks"
        return
    assert on(made) == set(meant)
    assert (made.n_rows, made.n_twice) == (len(rows), len(meant) - len(set(meant)))
    assert made.n_unknown == len(rows) - len(meant)


def test_the_queries_grow_with_a_thousand_names_not_with_each(db: None) -> None:
    Shopper.objects.bulk_create(Shopper(external_id=f"id-{n}") for n in range(2000))

    def n_queries(n: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            made = upload("customer_id\n" + "".join(f"id-{k}\n" for k in range(n)), f"List {n}")
        assert made.n_members == n
        return len(queries)

    assert n_queries(900) == n_queries(100)
    assert n_queries(2000) - n_queries(901) < 10


# ---------- what is asked and refused


def test_where_the_file_does_not_tell_a_person_says_it(people: list[Shopper]) -> None:
    made = upload("a,b,c\nx,y,red\nz,w,blue\n")
    assert (made.state, list_queries.sizes([made])) == ("asks", {})
    with pytest.raises(InputError, match=r"no column “zzz”\. It has: “a”, “b”, “c”"):
        list_uploads.choose_column(made, "zzz", by=None)
    list_uploads.choose_column(made, "a", by=None)
    list_uploads.read(made.pk)
    made.refresh_from_db()
    assert (made.state, made.n_unknown) == ("asks", 2)
    assert "No shopper of this shop is named in the column “a”" in made.problem


def test_a_wrong_column_can_be_chosen_again(people: list[Shopper]) -> None:
    made = upload("a,customer_id\nx,c-1\nz,c-2\n", column="a")
    list_uploads.choose_column(made, "customer_id", by=None)
    list_uploads.read(made.pk)
    made.refresh_from_db()
    assert (made.state, on(made)) == ("ready", {people[1].pk, people[2].pk})
    made.file = {"header": ["a"]}
    with pytest.raises(StateError, match="chosen already"):
        list_uploads.choose_column(made, "a", by=None)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The file is empty"),
        (b"\n \n", "The file is empty"),
        (b"customer_id\n", "a header but no rows"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "This is a picture"),
        (bytes(range(256)) * 50, "This is not a CSV file"),
        (b"%PDF-1.7 x", "This is a PDF"),
        ((",".join(f"c{n}" for n in range(10_000)) + "\n" + "1," * 9_999 + "1\n").encode(), "more than 500 columns"),
        (b"x" * 3_000_000, "a line of more than 2 MB"),
        (gzip.compress(b"c-1\nc-2\n" * 999, mtime=0)[:40], "damaged or was cut off"),
    ],
)
def test_what_is_no_list_is_a_sentence_and_leaves_nothing(people: list[Shopper], data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        upload(data)
    assert not ShopperList.objects.exists()
    assert not kept_files()


def test_names_are_refused_when_empty_long_or_taken(people: list[Shopper]) -> None:
    upload("c-1")
    for name, says in (("  ", "name of 1 to 120"), ("x" * 121, "name of 1 to 120"), (" Fair ", "“Fair” already")):
        with pytest.raises(InputError, match=says):
            upload("c-2", name)
    other = upload("c-2", "Other")
    with pytest.raises(InputError, match="already"):
        lists.rename(other, "Fair", by=None)
    lists.rename(other, "  New   name ", by=None)
    assert ShopperList.objects.get(pk=other.pk).name == "New name"


# ---------- a list is complete or not used


def test_a_list_that_is_not_ready_is_no_list_for_a_rule(people: list[Shopper]) -> None:
    made = list_uploads.receive(io.BytesIO(b"c-1\nc-2"), name="Fair", filename="fair.csv")
    with pytest.raises(InputError, match="no list with the id"):
        on(made)
    with pytest.raises(StateError, match="not ready"):
        lists.make_segment(made, by=None)
    list_uploads.read(made.pk)
    assert len(on(made)) == 2


def test_a_reading_that_was_killed_begins_again_and_two_write_once(people: list[Shopper]) -> None:
    made = list_uploads.receive(io.BytesIO(b"c-1\nc-2"), name="Fair", filename="fair.csv")
    with patch.object(list_writing, "_put", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        list_uploads.read(made.pk)
    assert ShopperList.objects.get().state == "reading"
    assert not ShopperListMember.objects.exists()
    # A worker that may still live is left alone, a dead one is not.
    assert list_uploads.sweep() == []
    list_uploads.read(made.pk)
    assert not ShopperListMember.objects.exists()
    ShopperList.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=2))
    assert list_uploads.sweep() == [made.pk]
    for _turn in range(2):
        list_uploads.read(made.pk)
    made.refresh_from_db()
    assert (made.state, made.n_members, len(on(made)), list_uploads.sweep()) == ("ready", 2, 2, [])


def test_a_file_that_kills_its_worker_again_and_again_is_given_up(people: list[Shopper]) -> None:
    made = list_uploads.receive(io.BytesIO(b"c-1\nc-2"), name="Fair", filename="fair.csv")
    for _turn in range(list_uploads.MOST_TRIES):
        with patch.object(list_uploads, "_whom", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            list_uploads.read(made.pk)
        ShopperList.objects.update(heartbeat_at=None)
    list_uploads.read(made.pk)
    made.refresh_from_db()
    assert (made.state, kept_files()) == ("failed", 0)
    assert "several times" in made.problem


def test_a_file_that_nobody_chose_a_column_for_goes_after_a_week(people: list[Shopper]) -> None:
    made = upload("a,b\nx,y\nz,w\n")
    assert kept_files() == 1
    ShopperList.objects.update(created_at=timezone.now() - timedelta(days=8))
    list_uploads.sweep()
    made.refresh_from_db()
    assert (made.state, kept_files()) == ("failed", 0)


def test_a_file_that_is_gone_is_a_sentence(people: list[Shopper]) -> None:
    made = list_uploads.receive(io.BytesIO(b"c-1\nc-2"), name="Fair", filename="fair.csv")
    list_files.drop(made.file["stored_as"])
    list_uploads.read(made.pk)
    made.refresh_from_db()
    assert (made.state, made.problem) == (
        "failed", "The file is no longer there. Delete this list and upload it again.",
    )  # fmt: skip


# ---------- frozen segments


def test_a_frozen_segment_stays_when_its_rule_or_its_shoppers_change(people: list[Shopper], make_shopper: Any) -> None:
    Shopper.objects.filter(external_id__in=["c-1", "c-2"]).update(country="France")
    often = {"did": "purchase", "times": {"op": ">=", "n": 2}}
    rule = {"any": [{"field": "country", "op": "=", "value": "France"}, often]}
    segment = services.save_segment(Segment(), name="French", rule=rule, by=None)
    before = set(rules.matching(rule).values_list("pk", flat=True))
    made = lists.freeze(segment)
    assert (on(made), made.n_members, made.name) == (before, 2, f"French, {timezone.localdate().isoformat()}")
    make_shopper(country="France")
    Shopper.objects.filter(external_id="c-1").update(country="Spain")
    services.save_segment(segment, name="French", rule={"all": []}, by=None)
    assert on(made) == before
    assert lists.freeze(segment).name.endswith(" 2")
    services.delete_segment(segment, by=None)
    made.refresh_from_db()
    assert (made.segment, made.origin, on(made)) == (None, "French", before)


@pytest.mark.parametrize("rule", [{"not": {"all": []}}, {"field": "country", "op": "=", "value": "Nowhere"}])
def test_nobody_is_not_frozen(people: list[Shopper], rule: Any) -> None:
    segment = Segment.objects.create(name="None", rule=rule)
    with pytest.raises(StateError, match="Nobody is in “None” now"):
        lists.freeze(segment)
    assert not ShopperList.objects.exists()


def test_freezing_takes_the_same_statements_for_few_and_many(people: list[Shopper]) -> None:
    segment = Segment.objects.create(name="All", rule={"all": []})

    def n_queries(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            lists.freeze(segment, name=name)
        return len(queries)

    n_queries("First")
    few = n_queries("Few")
    Shopper.objects.bulk_create(Shopper(external_id=f"id-{n}") for n in range(1500))
    assert n_queries("Many") == few


# ---------- used, deleted, merged, removed


def test_a_list_in_use_is_not_deleted(people: list[Shopper]) -> None:
    made = upload("c-1\nc-2")
    segment = lists.make_segment(made, by=None)
    assert lists.make_segment(made, by=None) == segment
    assert (segment.name, segment.rule) == ("Fair", {"all": [{"list": str(made.uuid)}]})
    Campaign.objects.create(name="To guests", rule={"list": str(made.uuid)})
    assert usage.users_of_lists([made])[made.pk] == ["Fair", "To guests"]
    with pytest.raises(StateError, match="used by the rule of “Fair”, “To guests”"):
        lists.delete(made, by=None)
    assert len(on(made)) == 2
    services.save_segment(segment, name="Fair", rule={"all": []}, by=None)
    Campaign.objects.all().delete()
    lists.delete(made, by=None)
    assert not ShopperListMember.objects.exists()
    assert Shopper.objects.count() == 5


def test_a_merge_moves_a_membership_and_its_undo_gives_it_back(people: list[Shopper]) -> None:
    one, both = upload("c-1", "One"), upload("c-1\nc-2", "Both")
    identity.hand_over([(people[1].pk, people[4].pk, [])])
    people[1].identity.delete()
    merging.merge_by_hand(people[1], people[2], by=None)
    assert (on(one), on(both)) == ({people[2].pk}, {people[2].pk})
    assert list_queries.sizes([one, both]) == {one.pk: 1, both.pk: 1}
    # Her old name leads to who she is now, and counts once.
    again = upload("c-1\nc-2", "Again")
    assert (on(again), again.n_twice) == ({people[2].pk}, 1)
    merging.undo_merge(Merge.objects.get(), by=None)
    assert (on(one), on(both)) == ({people[1].pk}, {people[1].pk, people[2].pk})
    assert list_queries.sizes([one, both]) == {one.pk: 1, both.pk: 2}


def test_who_is_removed_is_on_no_list_any_more(people: list[Shopper]) -> None:
    made = upload("c-1\nc-2")
    people[1].delete()
    assert (on(made), list_queries.sizes([made])) == ({people[2].pk}, {made.pk: 1})


def test_who_goes_while_a_list_is_read_is_left_out(people: list[Shopper]) -> None:
    made = list_uploads.receive(io.BytesIO(b"c-1\nc-2"), name="Fair", filename="fair.csv")
    before = list_uploads._whom

    def whom(waiting: ShopperList) -> Any:
        named = before(waiting)
        people[1].delete()
        return named

    with patch.object(list_uploads, "_whom", whom):
        list_uploads.read(made.pk)
    assert on(made) == {people[2].pk}


def test_the_undo_of_a_file_keeps_who_is_on_a_list(people: list[Shopper]) -> None:
    brought = Upload.objects.create(filename="a.csv", stored_as="a.bin", state=Upload.State.DONE)
    Shopper.everything.filter(external_id__in=["c-1", "c-2"]).update(upload=brought)
    for name in ("c-1", "c-2"):
        Shopper.everything.get(external_id=name).identity.delete()
    made = upload("c-1")
    assert undo_upload(brought)["shoppers_removed"] == 1
    assert on(made) == {people[1].pk}


def test_hidden_shoppers_are_nobody(people: list[Shopper]) -> None:
    hidden = Upload.objects.create(filename="a.csv", state=Upload.State.IMPORTING, hidden=True)
    Shopper.everything.filter(external_id="c-1").update(upload=hidden)
    made = upload("c-1\nc-2")
    assert (on(made), made.n_unknown) == ({people[2].pk}, 1)


# ---------- commands


def test_lists_have_commands(people: list[Shopper], tmp_path: Any) -> None:
    path = tmp_path / "fair.csv"
    path.write_text("customer_id,n\nc-1,1\nc-9,2\nc-1,3\n")
    answer = run("list_upload", str(path))
    made = ShopperList.objects.get()
    assert answer == {
        "list": str(made.uuid), "name": "fair", "column": "customer_id", "rows": 3, "shoppers": 1, "twice": 1,
        "unknown": 1,
    }  # fmt: skip
    Segment.objects.create(name="All", rule={"all": []})
    assert run("list_freeze", "--segment", "All", "--name", "Everybody")["shoppers"] == 5
    shown = {one["name"]: one for one in run("lists")["lists"]}
    assert (shown["fair"]["shoppers"], shown["Everybody"]["shoppers"], shown["fair"]["used_by"]) == (1, 5, "")
    assert run("list_delete", "fair") == {"deleted": "fair"}
    assert "Did you mean “Everybody”?" in refused("list_delete", "Everybdy")
    assert ShopperList.objects.count() == 1


def test_the_command_says_which_columns_there_are(people: list[Shopper], tmp_path: Any) -> None:
    path = tmp_path / "fair.csv"
    path.write_text("a,b\nx,y\nz,w\n")
    assert "--column, one of: “a”, “b”" in refused("list_upload", str(path))
    assert "no column “c”" in refused("list_upload", str(path), "--column", "c")
    assert "No shopper of this shop" in refused("list_upload", str(path), "--column", "a")
    assert "can't be read" in refused("list_upload", str(tmp_path / "none.csv"))
    assert not ShopperList.objects.exists()
    assert not kept_files()


def test_an_export_runs_nothing_in_a_spreadsheet(db: None, tmp_path: Any) -> None:
    Shopper.objects.create(pseudonym="=cmd|'/C'!A0", external_id="x")
    Segment.objects.create(name="All", rule={"all": []})
    out = tmp_path / "out.csv"
    call_command("segment_export", "--segment", "All", "--out", str(out), "--json", stdout=io.StringIO())
    assert out.read_text().splitlines() == ["pseudonym", "'=cmd|'/C'!A0"]
