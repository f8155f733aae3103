"""Changes of people whom everybody sees wait until their file is published, and go back with its undo."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils.timezone import now

from behaviour import consent, identity, importing, merging, product_history, set_aside, uploads
from behaviour.api_people import save_shoppers
from behaviour.core.api_records import ShopperRecord
from behaviour.importing import import_upload
from behaviour.models import Consent, Event, Identity, Merge, Shopper, ShopperChange, Upload
from behaviour.removal import cancel_upload, remove_rows, undo_upload
from mailai import crypto

pytestmark = pytest.mark.django_db
HEAD = "user_id,email,first_name,country,locale,consent,consent_at\n"


def imported(text: str, name: str = "shoppers.csv") -> Upload:
    received = uploads.receive_upload(io.BytesIO(text.encode()), name)
    upload = import_upload(uploads.queue(received).pk)
    assert upload.state == Upload.State.DONE, upload.error
    assert upload.loaded + upload.duplicates + upload.rejected == upload.rows_read
    return upload


def one_row_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("behaviour.tables.SIZE", 1)
    monkeypatch.setattr("behaviour.tables.MOST", 1)


class KilledError(BaseException):
    """What a kill looks like from inside."""


def imported_but(text: str, before: Callable[[], object], name: str = "shoppers.csv") -> Upload:
    """Import a file; ``before`` runs when all is loaded and nothing published, and may kill the import."""
    true_publish = importing._publish

    def publish(*args: Any) -> Upload:
        before()
        return true_publish(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "_publish", publish)
        return imported(text, name)


def unpublished(text: str, name: str = "shoppers.csv") -> Upload:
    """Import a file up to its publication, and die."""

    def die() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        imported_but(text, die, name)
    return Upload.objects.latest("pk")


def person(name: str = "U1") -> tuple[str, ...]:
    shopper = Shopper.objects.get(external_id=name)
    known = Identity.objects.filter(shopper=shopper).first() or Identity()
    return shopper.country, shopper.locale, shopper.marketing, known.email, known.first_name


FORMER = ("France", "fr", "unknown", "ann@x.example", "Ann")
CHANGED = ("Italy", "it", "given", "ann@y.example", "Anna")
FIRST = HEAD + "U1,ann@x.example,Ann,France,fr,,\n"
SECOND = HEAD + "U1,ann@y.example,Anna,Italy,it,yes,2024-05-01\nU2,ben@x.example,Ben,Spain,es,yes,2024-05-01\n"


def test_what_a_file_says_of_people_counts_all_at_once() -> None:
    imported(FIRST)
    seen: list[Any] = []
    upload = imported_but(SECOND, lambda: seen.extend([person(), Shopper.objects.count(), consent.mailable().count()]))
    assert seen == [FORMER, 1, 0]
    assert person() == CHANGED
    assert person("U2") == ("Spain", "es", "given", "ben@x.example", "Ben")
    assert consent.mailable().count() == 2
    assert Identity.objects.get(shopper__external_id="U1").email_index == crypto.blind_index("ann@y.example")
    assert upload.loaded == 2


def test_a_stopped_import_changes_nobody() -> None:
    imported(FIRST)
    stopped = unpublished(SECOND)
    assert person() == FORMER
    cancel_upload(stopped)
    assert "shoppers_restored" not in remove_rows(stopped.pk)
    assert person() == FORMER
    assert not ShopperChange.objects.exists()
    assert Shopper.everything.count() == 1


def test_killed_before_its_publication_an_import_ends_as_an_undisturbed_one() -> None:
    imported(FIRST)
    stopped = unpublished(SECOND)
    Upload.objects.filter(pk=stopped.pk).update(heartbeat_at=None)
    assert import_upload(stopped.pk).loaded == 2
    assert person() == CHANGED


def test_an_undo_gives_people_back_what_the_file_changed() -> None:
    imported(FIRST)
    assert undo_upload(imported(SECOND))["shoppers_restored"] == 1
    assert person() == FORMER
    assert Identity.objects.get().email_index == crypto.blind_index("ann@x.example")
    assert not ShopperChange.objects.exists()


def test_an_undo_leaves_what_something_newer_changed() -> None:
    imported(FIRST)
    wrong = imported(SECOND)
    imported(HEAD + "U1,,,Portugal,,,\n")
    save_shoppers([(0, ShopperRecord(user_id="U1", first_name="Annie"))], "key")
    undo_upload(wrong)
    assert person() == ("Portugal", "fr", "unknown", "ann@x.example", "Annie")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_undos_in_any_order_go_back_to_what_was_before_both(order: tuple[int, int]) -> None:
    imported(FIRST)
    both = [imported(HEAD + f"U1,ann{n}@x.example,Ann {n},Land {n},,,\n") for n in (1, 2)]
    undo_upload(both[order[0]])
    assert person()[3] == ("ann2@x.example" if order == (0, 1) else "ann1@x.example")
    undo_upload(both[order[1]])
    assert person() == FORMER


def test_an_undo_takes_an_identity_away_that_the_file_brought_and_leaves_an_address_that_moved_on() -> None:
    imported("user_id,event,product_id,timestamp\nU1,view,P1,2024-05-01\n", "views.csv")
    wrong = imported(FIRST)
    undo_upload(wrong)
    assert not Identity.objects.exists()
    imported(FIRST)
    wrong = imported(HEAD + "U1,ann@y.example,Anna,,,,\n")
    imported(HEAD + "U2,ann@x.example,,,,,\n")
    undo_upload(wrong)
    assert (person()[3:], person("U2")[3]) == (("ann@y.example", "Ann"), "ann@x.example")


def test_what_people_had_before_is_forgotten_in_time() -> None:
    imported(FIRST)
    wrong = imported(SECOND)
    Upload.objects.update(finished_at=now() - set_aside.KEPT_FOR - timedelta(hours=1))
    uploads.sweep_uploads()
    assert not ShopperChange.objects.exists()
    undo_upload(wrong)
    assert person()[:2] == CHANGED[:2]


def test_a_shopper_named_twice_far_apart_has_what_was_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    one_row_a_block(monkeypatch)
    imported(FIRST)
    upload = imported(SECOND + "U1,,,Malta,,,\nU1,ann@y.example,,,,,\n")
    assert person() == ("Malta", *CHANGED[1:])
    assert (upload.loaded, upload.duplicates) == (3, 1)
    undo_upload(upload)
    assert person() == FORMER


def test_no_is_no_at_once_and_a_later_no_stands() -> None:
    imported(HEAD + "U1,ann@x.example,,,,yes,2024-01-01\nU2,ben@x.example,,,,,\n")
    upload = unpublished(HEAD + "U1,,,,,no,2024-05-01\nU2,,,,,yes,2024-05-01\n")
    assert person()[2] == "withdrawn"
    consent.withdraw([Shopper.objects.get(external_id="U2").pk], "marketing", source="link", at=now())
    Upload.objects.filter(pk=upload.pk).update(heartbeat_at=None)
    import_upload(upload.pk)
    assert [person(name)[2] for name in ("U1", "U2")] == ["withdrawn", "withdrawn"]
    assert Consent.objects.filter(shopper__external_id="U2", state="given").count() == 1


def test_an_address_that_two_rows_far_apart_tell_is_refused_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one_row_a_block(monkeypatch)
    imported(HEAD + "U1,,,France,,,\nU2,,,France,,,\n")
    upload = imported(HEAD + "U1,ann@x.example,,,,,\n" + "U1,,,,,,\n" * 9 + "U2,ann@x.example,,Malta,,,\n")
    assert upload.rejected == 1
    assert (person()[3], person("U2")[0]) == ("ann@x.example", "France")


def test_an_address_that_somebody_got_meanwhile_stays_there() -> None:
    imported(HEAD + "U1,,,France,,,\n")
    imported_but(
        HEAD + "U1,ann@x.example,Ann,Italy,,,\n",
        lambda: save_shoppers([(0, ShopperRecord(user_id="U9", email="ann@x.example"))], "key"),
    )
    assert person() == ("Italy", "", "unknown", "", "Ann")
    assert person("U9")[3] == "ann@x.example"


def test_an_identity_that_was_made_meanwhile_is_filled() -> None:
    imported(HEAD + "U1,,,France,,,\n")
    imported_but(
        HEAD + "U1,ann@x.example,,,,,\n",
        lambda: save_shoppers([(0, ShopperRecord(user_id="U1", first_name="Ann"))], "key"),
    )
    assert person()[3:] == ("ann@x.example", "Ann")


def test_who_was_known_by_an_address_is_joined_with_the_publication() -> None:
    imported("email,country\nann@x.example,France\n")
    known = Shopper.objects.get()
    seen: list[Any] = []
    upload = imported_but(FIRST, lambda: seen.extend([Merge.objects.count(), Shopper.objects.get().pk]))
    assert seen == [0, known.pk]
    assert person() == FORMER
    assert Merge.objects.get().joined == known
    undo_upload(upload)
    assert Shopper.objects.get() == known
    assert Identity.objects.get().shopper == known


def test_browsers_that_everybody_saw_are_joined_with_the_publication() -> None:
    head = "user_id,visitor_id,event,product_id,timestamp\n"
    imported(head + ",v1,view,P1,2024-05-01\n", "views.csv")
    seen: list[Any] = []
    imported_but(
        head + "U1,v1,purchase,P1,2024-05-02\n",
        lambda: seen.append(list(Shopper.objects.values_list("external_id", flat=True))),
        "orders.csv",
    )
    assert seen == [["visitor-v1"]]
    assert list(Shopper.objects.values_list("external_id", flat=True)) == ["U1"]
    assert Event.objects.filter(shopper__external_id="U1").count() == 2


def test_who_only_an_unfinished_file_named_is_seen_when_another_file_names_her() -> None:
    stopped = unpublished(FIRST)
    Upload.objects.update(state=Upload.State.FAILED)
    imported(HEAD + "U1,,,,it,,\n")
    cancel_upload(stopped)
    remove_rows(stopped.pk)
    assert person()[:2] == ("France", "it")


def test_what_is_set_aside_follows_a_new_key() -> None:
    imported(FIRST)
    old = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    stopped = unpublished(SECOND)
    with override_settings(MAILAI_FIELD_KEYS=[crypto.new_key(), old]):
        call_command("rotate_keys", verbosity=0)
        Upload.objects.filter(pk=stopped.pk).update(heartbeat_at=None)
        import_upload(stopped.pk)
        assert person() == CHANGED
        known = Identity.objects.get(shopper__external_id="U1")
        assert known.key_id == crypto.newest_key_id()
        undo_upload(stopped)
        assert person() == FORMER


def test_a_row_keeps_the_older_key_until_it_is_rotated() -> None:
    imported(FIRST)
    old = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with override_settings(MAILAI_FIELD_KEYS=[crypto.new_key(), old]):
        imported(HEAD + "U1,,Anna,,,,\n")
        assert Identity.objects.get().key_id != crypto.newest_key_id()
        assert identity.rotate() == 1
        assert person()[3:] == ("ann@x.example", "Anna")


def test_publishing_costs_the_same_statements_however_many_change(django_assert_num_queries: Any) -> None:
    for n in (3, 30):
        rows = [f"W{n}-{k},{k}-{n}@x.example,Ann,France,,,\n" for k in range(n)]
        imported(HEAD + "".join(rows))
        stopped = unpublished(HEAD + "".join(row.replace("France", "Italy").replace("Ann", "Bo") for row in rows))
        with django_assert_num_queries(14 if connection.vendor == "postgresql" else 12):
            set_aside.publish(stopped, "proof")
        Upload.objects.filter(pk=stopped.pk).update(heartbeat_at=None)
        import_upload(stopped.pk)
    assert product_history.noted(stopped, []) == {}
    assert datetime.now(UTC) >= Upload.objects.latest("pk").published_at


def test_a_row_without_an_id_is_about_whom_an_earlier_row_gave_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    one_row_a_block(monkeypatch)
    imported(FIRST)
    imported(HEAD + "U1,ann@y.example,,,,,\n" + "U1,,,,,,\n" * 9 + ",ann@y.example,,Malta,,,\n")
    assert person() == ("Malta", "fr", "unknown", "ann@y.example", "Ann")
    assert Shopper.everything.count() == 1


def test_of_yes_no_and_yes_again_the_newest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    one_row_a_block(monkeypatch)
    imported(FIRST)
    said = ["yes,2024-05-01", "no,2024-06-01", "yes,2024-07-01"]
    imported(HEAD + "".join(f"U1,,,,,{one}\n" + "U1,,,,,,\n" * 9 for one in said))
    assert person()[2] == "given"
    imported(HEAD + "".join(f"U1,,,,,{one}\n" + "U1,,,,,,\n" * 9 for one in ["no,2024-08-01", "yes,2024-07-15"]))
    assert person()[2] == "withdrawn"


def test_nobody_gets_an_address_or_a_permission_by_a_hidden_namesake(monkeypatch: pytest.MonkeyPatch) -> None:
    one_row_a_block(monkeypatch)
    imported(HEAD + "U1,,,France,,,\n")
    seen: list[Any] = []
    text = HEAD + ",ann@x.example,Ann,,it,yes,2024-05-01\n" + "U1,,,,,,\n" * 9 + "U1,ann@x.example,,,,,\n"
    upload = imported_but(text, lambda: seen.extend([person(), consent.mailable().count()]))
    assert seen == [("France", "", "unknown", "", ""), 0]
    assert person() == ("France", "it", "given", "ann@x.example", "Ann")
    undo_upload(upload)
    assert person() == ("France", "", "unknown", "", "")
    assert Shopper.everything.count() == 1


def test_who_two_files_made_and_changed_goes_with_both() -> None:
    both = [imported(FIRST), imported(HEAD + "U1,ann@y.example,Anna,Italy,it,,\n")]
    for upload in both:
        undo_upload(upload)
    assert not Shopper.everything.exists()


def test_a_file_that_was_published_after_a_later_one_goes_back_to_what_that_said() -> None:
    imported(FIRST)
    first = unpublished(HEAD + "U1,ann@y.example,Anna,Italy,,,\n")
    Upload.objects.filter(pk=first.pk).update(state=Upload.State.FAILED)
    second = imported(HEAD + "U1,ann@z.example,Anne,Malta,,,\n")
    import_upload(uploads.resume_upload(first).pk)
    assert person() == ("Italy", "fr", "unknown", "ann@y.example", "Anna")
    undo_upload(first)
    assert person() == ("Malta", "fr", "unknown", "ann@z.example", "Anne")
    undo_upload(second)
    assert person() == FORMER


def test_an_address_that_was_not_written_after_all_hinders_no_undo() -> None:
    imported(FIRST)
    wrong = imported(HEAD + "U1,ann@y.example,,,,,\n")
    imported_but(
        HEAD + "U1,ann@z.example,,,,,\n",
        lambda: save_shoppers([(0, ShopperRecord(user_id="U9", email="ann@z.example"))], "key"),
    )
    undo_upload(wrong)
    assert person()[3] == "ann@x.example"


def test_who_ordered_by_an_address_only_is_joined_with_whom_a_file_gives_it() -> None:
    imported("user_id,event,product_id,timestamp\nann@x.example,purchase,P1,2024-05-01\n", "orders.csv")
    assert not Identity.objects.exists()
    imported(FIRST)
    assert person() == FORMER
    assert Shopper.objects.count() == 1
    assert Event.objects.get().shopper == Shopper.objects.get()


def test_a_return_finds_its_order_under_the_name_of_who_is_kept() -> None:
    head = "user_id,visitor_id,event,product_id,timestamp,quantity,price,order_id\n"
    imported(head + ",v1,purchase,P1,2024-05-01,2,4.00,O1\n", "orders.csv")
    upload = imported(head + "U1,v1,refund,P1,2024-05-02,5,4.00,O1\n", "returns.csv")
    assert upload.findings["refund_netted"] == 1
    assert Event.objects.get(kind="refund").quantity == 2


def test_an_address_that_is_the_second_of_who_has_no_id_joins_her() -> None:
    imported("email,country\nann@x.example,France\n")
    known = Shopper.objects.get()
    identity.save_identities([{"shopper_id": known.pk, "email": "ann@y.example"}])
    imported(HEAD + "U9,ann@y.example,Ann,,,,\n")
    assert person("U9") == ("France", "", "unknown", "ann@y.example", "Ann")
    assert Merge.objects.get().joined == known


def by_the_api(**fields: str) -> Callable[[], object]:
    return lambda: save_shoppers([(0, ShopperRecord(user_id="U1", **fields))], "key")


def test_an_undo_goes_back_to_what_the_api_said_while_the_file_waited() -> None:
    imported(FIRST)
    upload = imported_but(SECOND, by_the_api(country="Malta", first_name="Annie", email="ann@z.example"))
    assert person() == CHANGED
    undo_upload(upload)
    assert person() == ("Malta", "fr", "unknown", "ann@z.example", "Annie")
    assert Identity.objects.get().email_index == crypto.blind_index("ann@z.example")


def test_an_undo_takes_no_identity_away_that_the_api_made_while_the_file_waited() -> None:
    imported(HEAD + "U1,,,France,,,\n")
    upload = imported_but(SECOND, by_the_api(first_name="Annie"))
    assert person() == CHANGED
    undo_upload(upload)
    assert person() == ("France", "", "unknown", "", "Annie")


def merged_by_hand(joined: str, kept: str, by: Any) -> Callable[[], object]:
    def merge() -> None:
        one, other = (Shopper.objects.get(external_id=name) for name in (joined, kept))
        merging.merge_by_hand(one, other, by)

    return merge


TWO = HEAD + "U1,,,France,fr,,\nU2,,Ben,,,,\n"
OF_BOTH = HEAD + "U1,ann@y.example,Anna,Italy,,yes,2024-05-01\nU2,,,Spain,es,,\n"


@pytest.mark.parametrize(
    ("text", "after", "undone"),
    [
        (OF_BOTH, ("Spain", "es", "given", "ann@y.example", "Anna"), ("France", "fr", "unknown", "", "Ben")),
        (
            HEAD + "U1,ann@y.example,,Italy,,,\n",
            ("Italy", "fr", "unknown", "ann@y.example", "Ben"),
            ("France", "fr", "unknown", "", "Ben"),
        ),
    ],
)
def test_what_a_file_tells_of_who_is_joined_meanwhile_is_told_of_who_is_kept(
    text: str, after: tuple[str, ...], undone: tuple[str, ...], admin: Any
) -> None:
    imported(TWO)
    upload = imported_but(text, merged_by_hand("U1", "U2", admin))
    assert list(Shopper.objects.values_list("external_id", flat=True)) == ["U2"]
    assert person("U2") == after
    assert undo_upload(upload)["shoppers_restored"] == 1
    assert person("U2") == undone
    assert not ShopperChange.objects.exists()


def test_a_merge_that_is_undone_after_the_file_leaves_what_the_file_told_with_who_was_kept(admin: Any) -> None:
    imported(TWO)
    imported_but(OF_BOTH, merged_by_hand("U1", "U2", admin))
    merging.undo_merge(Merge.objects.get(), admin)
    assert person("U1") == ("France", "fr", "unknown", "", "")
    assert person("U2")[3:] == ("ann@y.example", "Anna")


def test_many_who_changed_meanwhile_are_gone_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "BATCH", 2)
    names = [f"U{n}" for n in range(5)]
    imported(HEAD + "".join(f"{name},,,France,,,\n" for name in names))
    records = [(n, ShopperRecord(user_id=name, country="Malta")) for n, name in enumerate(names)]
    upload = imported_but(
        HEAD + "".join(f"{name},,,Italy,,,\n" for name in names), lambda: save_shoppers(records, "key")
    )
    assert {person(name)[0] for name in names} == {"Italy"}
    undo_upload(upload)
    assert {person(name)[0] for name in names} == {"Malta"}


def test_what_was_set_aside_stays_as_it_is_where_nobody_changed_anything() -> None:
    imported(HEAD + "U1,ann@x.example,Ann,,,,\n")
    orders = "user_id,event,product_id,timestamp,country\nU1,purchase,P1,2024-05-01,France\n"
    set_aside_as: list[int] = []
    upload = imported_but(
        orders, lambda: set_aside_as.extend(ShopperChange.objects.values_list("pk", flat=True)), "orders.csv"
    )
    assert person()[0] == "France"
    assert list(ShopperChange.objects.filter(upload=upload).values_list("pk", flat=True)) == set_aside_as != []


def test_a_merge_shows_even_between_identities_of_the_version_before(admin: Any) -> None:
    imported(HEAD + "U1,,Ann,,,,\nU2,,Ben,,,,\n")
    Identity.objects.update(written_at=None)
    upload = imported_but(HEAD + "U1,,Anna,,,,\n", merged_by_hand("U1", "U2", admin))
    assert person("U2")[4] == "Anna"
    undo_upload(upload)
    assert person("U2")[4] == "Ben"


def test_a_new_key_says_nothing_new_of_anybody() -> None:
    imported(FIRST)
    before = Identity.objects.get().written_at
    old = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with override_settings(MAILAI_FIELD_KEYS=[crypto.new_key(), old]):
        assert identity.rotate() == 1
    assert Identity.objects.get().written_at == before


def test_what_a_file_changed_after_a_merge_is_undone_of_whom_it_was_changed(admin: Any) -> None:
    imported(HEAD + "U1,,,France,,,\nU2,,Ben,,,,\n")
    upload = imported_but(HEAD + "U1,,,Italy,,,\n", merged_by_hand("U1", "U2", admin))
    assert person("U2")[0] == "Italy"
    merging.undo_merge(Merge.objects.get(), admin)
    undo_upload(upload)
    assert (person("U1")[0], person("U2")[0]) == ("France", "France")
