"""Names of one person are joined when they meet, nothing is lost or doubled, and what was joined comes apart again."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from behaviour import consent, identity, merging, uploads
from behaviour.importing import import_upload
from behaviour.models import Consent, Event, Identity, Merge, Shopper, Upload
from behaviour.removal import undo_upload
from behaviour.services import EventRow, record_events
from mailai.accounts.models import AuditEntry
from mailai.crypto import blind_index
from mailai.errors import InputError, StateError
from segments.models import Profile
from segments.profiles import refresh_profiles

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MARKETING = Consent.Purpose.MARKETING


def _world():
    """Everything that a merge may touch, as plain values."""
    shoppers = Shopper.everything.order_by("pk")
    return {
        "shoppers": list(shoppers.values_list("pk", "external_id", "merged_into_id", "marketing", "country", "locale")),
        "events": sorted(Event.everything.values_list("pk", "shopper_id")),
        "consents": sorted(Consent.objects.values_list("pk", "shopper_id")),
        "people": {row.shopper_id: (row.email, row.first_name) for row in Identity.objects.all()},
    }


@pytest.fixture
def couple(make_shopper, make_event):
    """A browser with two visits, and a shopper with an order."""
    visitor, user = make_shopper(external_id="visitor-a", country="GB"), make_shopper(external_id="U1")
    for kind in ("view", "cart"):
        make_event(visitor, kind)
    make_event(user)
    return visitor, user


def test_a_browser_is_joined_to_the_shopper_it_met(couple):
    visitor, user = couple
    assert merging.join([("visitor-a", "U1"), ("visitor-a", "U1")]).merged == 1
    assert Event.objects.filter(shopper=user).count() == 3
    assert list(Shopper.objects.values_list("external_id", "country")) == [("U1", "GB")]
    assert identity.shopper_ids(["visitor-a", "U1", "nobody"]) == {"visitor-a": user.pk, "U1": user.pk}
    assert merging.join([("visitor-a", "U1")]).merged == 0
    assert Merge.objects.get().evidence == "visitor"
    assert visitor.pk == Merge.objects.get().joined_id


def test_undo_restores_the_former_state_and_the_same_evidence_joins_no_more(couple, admin):
    before = _world()
    merging.join([("visitor-a", "U1")])
    merging.undo_merge(Merge.objects.get(), by=admin)
    assert _world() == before
    assert merging.join([("visitor-a", "U1")]).merged == 0
    with pytest.raises(StateError):
        merging.undo_merge(Merge.objects.get(), by=admin)
    assert AuditEntry.objects.filter(action="shopper.unmerge").count() == 1


def test_a_shared_browser_stays_with_the_first(couple, make_shopper):
    other = make_shopper(external_id="U2")
    counts = merging.join([("visitor-a", "U1"), ("visitor-a", "U2")])
    assert (counts.merged, counts.visitor_shared) == (1, 1)
    assert merging.join([("visitor-a", "U2")]).visitor_shared == 1
    assert Event.objects.filter(shopper=other).count() == 0


def test_an_unseen_browser_leads_to_its_shopper_from_then_on(make_shopper):
    user = make_shopper(external_id="U1")
    merging.join([("visitor-new", "U1")])
    assert identity.shopper_ids(["visitor-new"]) == {"visitor-new": user.pk}


def test_who_was_known_by_address_becomes_the_shopper_with_the_id(make_shopper, make_event):
    name = f"mail-{blind_index('ada@mail.example')}"
    by_mail = make_shopper("ada@mail.example", external_id=name, first_name="Ada")
    user = make_shopper(external_id="U1")
    make_event(by_mail)
    before = _world()
    assert merging.join([(name, "U1")]).merged == 1
    assert identity.find_by_email("ada@mail.example") == user
    assert Identity.objects.get().first_name == "Ada"
    assert Identity.objects.get().email == "ada@mail.example"
    merging.undo_merge(Merge.objects.get(), by=None)
    assert _world() == before


def test_two_addresses_are_never_merged(make_shopper, admin):
    name = f"mail-{blind_index('ada@mail.example')}"
    first = make_shopper("ada@mail.example", external_id=name)
    second = make_shopper("ada@work.example", external_id="U1")
    assert merging.join([(name, "U1")]).two_addresses == 1
    with pytest.raises(InputError, match="email address of her own"):
        merging.merge_by_hand(first, second, by=admin)
    assert Shopper.objects.count() == 2


def test_two_ids_of_the_shop_are_merged_by_a_person_only(make_shopper, admin):
    first, second = make_shopper(external_id="U1"), make_shopper(external_id="U2")
    assert merging.join([("U1", "U2")]).merged == 0
    merging.merge_by_hand(first, second, by=admin)
    assert list(Shopper.objects.all()) == [second]
    assert AuditEntry.objects.filter(action="shopper.merge").count() == 1


def test_chains_are_flattened_and_come_apart_in_any_order(make_shopper, make_event, admin):
    people = {name: make_shopper(external_id=name) for name in ("visitor-a", "U1", "U2")}
    for one in people.values():
        make_event(one)
    before = _world()
    for first in (0, 1):
        merging.join([("visitor-a", "U1")])
        merging.merge_by_hand(people["U1"], people["U2"], by=admin)
        assert set(identity.shopper_ids(people).values()) == {people["U2"].pk}
        merges = list(Merge.objects.filter(undone_at=None).order_by("pk"))
        merging.undo_merge(merges[first], by=admin)
        merging.undo_merge(Merge.objects.get(pk=merges[1 - first].pk), by=admin)
        assert _world() == before
        Merge.objects.all().delete()


def test_a_withdrawal_is_never_lost(make_shopper):
    visitor = make_shopper(external_id="visitor-a", marketing="given")
    user = make_shopper(external_id="U1", marketing="given")
    consent.give([user.pk], MARKETING, source="form", at=NOON)
    consent.withdraw([visitor.pk], MARKETING, source="form", at=NOON)
    merging.join([("visitor-a", "U1")])
    assert Shopper.objects.get().marketing == "withdrawn"


def test_a_no_said_after_the_merge_stands_for_both_once_they_are_apart(make_shopper):
    visitor = make_shopper(external_id="visitor-a", marketing="given")
    user = make_shopper(external_id="U1", marketing="given")
    merging.join([("visitor-a", "U1")])
    # Said through an old mail of the joined one.
    consent.withdraw([visitor.pk], MARKETING, source="unsubscribe link", at=NOON)
    assert Shopper.objects.get(pk=user.pk).marketing == "withdrawn"
    merging.undo_merge(Merge.objects.get(), by=None)
    assert set(Shopper.objects.values_list("marketing", flat=True)) == {"withdrawn"}


def test_what_an_old_mail_of_a_joined_shopper_brings_is_the_kept_ones(couple):
    visitor, user = couple
    row = EventRow(visitor.pk, "email_click", NOON)
    assert record_events([row]).loaded == 1
    merging.join([("visitor-a", "U1")])
    assert record_events([row, EventRow(visitor.pk, "email_open", NOON)]).loaded == 1
    assert Event.objects.filter(shopper=user).count() == 5


def test_profiles_follow_a_merge_and_its_undo(couple):
    _visitor, user = couple
    refresh_profiles()
    merging.join([("visitor-a", "U1")])
    refresh_profiles()
    assert Profile.objects.get().last_event_at == Event.objects.order_by("-at")[0].at
    merging.undo_merge(Merge.objects.get(), by=None)
    refresh_profiles()
    assert Profile.objects.count() == 2
    assert Profile.objects.get(pk=user.pk).n_orders == 1


def test_the_undo_of_an_upload_takes_apart_whom_it_joined_and_may_join_them_again(couple):
    upload = Upload.objects.create(filename="events.csv", kind="events")
    before = _world()
    merging.join([("visitor-a", "U1")], upload=upload)
    assert merging.undo_merges_of(upload, beat=lambda: None) == 1
    assert _world() == before
    assert merging.join([("visitor-a", "U1")]).merged == 1


def test_events_written_under_the_old_row_are_collected_and_go_back_with_the_others(couple, make_event):
    visitor, user = couple
    merging.join([("visitor-a", "U1")])
    make_event(visitor, "view")
    assert merging.collect_strays() == 1
    assert Event.objects.filter(shopper=user).count() == 4
    merging.undo_merge(Merge.objects.get(), by=None)
    assert Event.objects.filter(shopper=visitor).count() == 3
    assert merging.collect_strays() == 0


def test_four_hundred_pairs_cost_no_more_queries_than_ten(make_event):
    counts = []
    for begin, n in ((0, 10), (1000, 400)):
        names = range(begin, begin + n)
        Shopper.everything.bulk_create(Shopper(external_id=f"{kind}{i}") for i in names for kind in ("visitor-", "U"))
        for visitor in Shopper.objects.filter(external_id__startswith="visitor-"):
            make_event(visitor, "view", at=NOON + timedelta(minutes=visitor.pk))
        with CaptureQueriesContext(connection) as queries:
            assert merging.join((f"visitor-{i}", f"U{i}") for i in names).merged == n
        counts.append(len(queries))
    # Statements grow with the chunks, not with the pairs.
    assert counts[1] <= counts[0] + 10


NAMES = ["visitor-a", "visitor-b", "mail-x", "U1", "U2"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.sampled_from(NAMES)),
        st.tuples(st.just("join"), st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))),
        st.tuples(st.just("by_hand"), st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))),
        st.tuples(st.just("undo"), st.integers(0, 5)),
    ),
    max_size=14,
)


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_any_order_of_joins_and_undos_keeps_every_event_once_and_comes_back(make_event, steps):
    for model in (Merge, Event, Identity, Shopper):
        getattr(model, "everything", model._base_manager).all().delete()
    rows = {name: Shopper.objects.create(external_id=name) for name in NAMES}
    identity.save_identities([{"shopper_id": rows["mail-x"].pk, "email": "x@mail.example"}])
    owner: dict[int, str] = {make_event(rows[name], "view").pk: name for name in NAMES}
    for step, what in steps:
        if step == "event":
            joined = not Shopper.objects.filter(external_id=what).exists()
            kept = Shopper.objects.get(pk=identity.shopper_ids([what])[what])
            event = make_event(kept, "view")
            # What comes in under a joined name stays with the kept shopper.
            owner[event.pk] = kept.external_id if joined else what
        elif step == "join":
            merging.join([what])
        elif step == "by_hand":
            merging.join([what], evidence=merging.PERSON)
        else:
            live = list(Merge.objects.filter(undone_at=None).order_by("pk"))
            if live:
                merging.undo_merge(live[what % len(live)], by=None)
        assert Event.everything.count() == len(owner)
        assert not Event.everything.filter(shopper__merged_into__isnull=False).exists()
        assert not Shopper.everything.filter(merged_into__merged_into__isnull=False).exists()
        assert Identity.objects.get().email == "x@mail.example"
    for merge in Merge.objects.filter(undone_at=None).order_by("-pk"):
        merging.undo_merge(merge, by=None)
    assert dict(Event.objects.values_list("pk", "shopper__external_id")) == owner
    assert identity.find_by_email("x@mail.example") == rows["mail-x"]


EVENTS = """user_id,item_id,event,timestamp,visitor_id,email
,P1,view,2024-05-01 10:00:00,abc,
,P2,view,2024-05-01 10:01:00,abc,
U1,P1,purchase,2024-05-01 10:02:00,abc,
U2,P1,view,2024-05-01 11:00:00,abc,
,P1,view,2024-05-01 12:00:00,xyz,
"""
ORDERS = """user_id,item_id,event,timestamp,email
,P1,purchase,2024-05-01 10:00:00,Ada@mail.example
U1,P2,purchase,2024-05-02 10:00:00,ada@mail.example
,P3,purchase,2024-05-03 10:00:00,ada@mail.example
"""


def _imported(text: str) -> Upload:
    upload = uploads.receive_upload(io.BytesIO(text.encode()), "file.csv")
    return import_upload(uploads.queue(upload).pk)


def _n_events() -> dict[str, int]:
    rows = Shopper.objects.annotate(n=Count("events")).values_list("external_id", "n")
    return {name: n for name, n in rows if n}


@pytest.mark.django_db
def test_a_file_joins_browsers_to_the_shoppers_it_shows_and_its_undo_takes_them_apart():
    _imported(EVENTS.replace("U1,", ",").replace("U2,", ","))
    assert _n_events() == {"visitor-abc": 4, "visitor-xyz": 1}
    before = _world()
    upload = _imported(EVENTS)
    assert (upload.state, upload.loaded, upload.duplicates) == ("done", 2, 3)
    assert _n_events() == {"U1": 5, "U2": 1, "visitor-xyz": 1}
    assert Merge.objects.get().upload == upload
    # The same file again, and later visits of the same browser.
    assert _imported(EVENTS).loaded == 0
    _imported(EVENTS.splitlines()[0] + "\n,P3,view,2024-06-01 10:00:00,abc,\n")
    assert _n_events()["U1"] == 6
    assert Merge.objects.count() == 1
    assert undo_upload(upload)["merges_undone"] == 1
    after = _world()
    # The visit that came in after the merge stays, so U1 stays for it.
    assert _n_events() == {"U1": 1, "visitor-abc": 4, "visitor-xyz": 1}
    assert [row for row in after["shoppers"] if row[1].startswith("visitor")] == before["shoppers"]


@pytest.mark.django_db
def test_orders_by_address_and_a_later_id_are_one_shopper():
    _imported(ORDERS)
    assert _n_events() == {"U1": 3}
    assert identity.find_by_email("ada@mail.example").external_id == "U1"


@pytest.mark.django_db
def test_a_list_of_shoppers_gives_an_id_to_who_was_known_by_address_before():
    _imported(ORDERS.replace("U1", ""))
    assert len(_n_events()) == 1
    upload = _imported("user_id,email,first_name\nU1,ada@mail.example,Ada\nU9,ada@mail.example,Eve\n")
    assert (upload.loaded, upload.rejected) == (1, 1)
    assert _n_events() == {"U1": 3}
    assert Identity.objects.get().first_name == "Ada"
    undo_upload(upload)
    assert list(_n_events().values()) == [3]
    assert identity.find_by_email("ada@mail.example").external_id.startswith("mail-")


@pytest.mark.django_db
def test_an_address_that_somebody_took_apart_is_refused_as_taken():
    _imported(ORDERS.replace("U1", ""))
    people = "user_id,email\nU1,ada@mail.example\n"
    _imported(people)
    merging.undo_merge(Merge.objects.get(), by=None)
    assert _imported(people).rejected == 1


def test_the_page_lists_merges_and_undoes_one(couple, admin, marketer, client_for):
    visitor, user = couple
    client, page = client_for(admin), reverse("behaviour:merges")
    assert "No shopper was merged yet" in client.get(page).content.decode()
    merging.join([("visitor-a", "U1")])
    assert user.pseudonym in client.get(page, {"q": visitor.pseudonym}).content.decode()
    assert "No merged shopper" in client.get(page, {"q": "S-ZZZZ"}).content.decode()
    undo = reverse("behaviour:merge_undo", args=[Merge.objects.get().uuid])
    assert client_for(marketer).get(page).status_code == 403
    assert client_for(marketer).post(undo).status_code == 403
    assert client.get(undo).status_code == 405
    assert client.post(undo, {"back": "https://elsewhere.example/"}).url == page
    assert Shopper.objects.count() == 2
    assert client.post(undo, follow=True).context["messages"]


def test_the_page_of_a_joined_shopper_leads_to_the_kept_one(couple, marketer, client_for):
    visitor, user = couple
    merging.join([("visitor-a", "U1")])
    client = client_for(marketer)
    page = reverse("analytics:shopper", args=[user.pseudonym])
    assert client.get(reverse("analytics:shopper", args=[visitor.pseudonym])).url == page
    text = client.get(page).content.decode()
    assert visitor.pseudonym in text
    assert "Merge with" not in text


def test_an_admin_merges_by_exact_id_or_address_on_the_page(make_shopper, admin, client_for):
    kept, other = make_shopper(external_id="U1"), make_shopper("ada@mail.example", external_id="U2")
    client, url = client_for(admin), reverse("behaviour:merge_with", args=[kept.pseudonym])
    for name in ("U", "nobody@mail.example", "", "U1"):
        client.post(url, {"other": name})
        assert Shopper.objects.count() == 2
    answer = client.post(url, {"other": "ada@mail.example"}, follow=True).content.decode()
    assert other.pseudonym in answer
    assert Shopper.objects.get() == kept
    assert identity.find_by_email("ada@mail.example") == kept


def test_the_list_costs_the_same_queries_for_one_and_for_many(make_shopper, admin, client_for, couple):
    merging.join([("visitor-a", "U1")])
    client, page = client_for(admin), reverse("behaviour:merges")
    client.get(page)
    with CaptureQueriesContext(connection) as one:
        client.get(page)
    for i in range(12):
        make_shopper(external_id=f"visitor-{i}")
    merging.join((f"visitor-{i}", "U1") for i in range(12))
    with CaptureQueriesContext(connection) as many:
        client.get(page)
    assert len(many) == len(one)
