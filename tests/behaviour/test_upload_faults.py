"""Uploads when several things happen at once, workers die, or a file means harm."""

import gzip
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from behaviour import checking, removal, tables, tasks, uploads
from behaviour.core import packing
from behaviour.models import Event, Product, Shopper, Upload
from behaviour.rejects import path_of
from behaviour.services import EventRow, Recorded, record_events
from mailai.errors import InputError, StateError
from segments import profiles, rules
from segments.models import Profile
from tests.behaviour.test_uploads import imported, received

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_without_end_is_refused_before_it_is_read(packed: bool) -> None:
    data = b"user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n" + b"a" * (packing.LONGEST_LINE + (2 << 20))
    with pytest.raises(InputError, match="a line of more than 2 MB"):
        received(gzip.compress(data) if packed else data)
    assert list(tables.folder("uploads").iterdir()) == []


def test_a_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "LARGEST_UNPACKED", 50_000)
    with pytest.raises(InputError, match="unpacks to more than"):
        received(gzip.compress(b"user_id,item_id,event,timestamp\n" + b"1,A,view,2026-01-01\n" * 9999))


def test_a_check_of_columns_that_were_changed_meanwhile_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = received("user_id,item_id,event,timestamp\n1,A,zap,2026-01-01\n1,A,view,2026-01-01\n")
    whole = checking._Report.finish

    def chosen_meanwhile(self: Any) -> dict[str, Any]:
        uploads.choose_columns(Upload.objects.get(), {"events": {"zap": "cart"}})
        return whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(checking._Report, "finish", chosen_meanwhile)
        assert checking.check_upload(upload).state == Upload.State.RECEIVED
    assert upload.preview == {}
    assert list(tables.folder("rejects").iterdir()) == []
    assert checking.check_upload(upload).preview["ready"] == 2


def test_a_check_whose_worker_died_is_begun_again_but_not_for_ever() -> None:
    upload = received("user_id,item_id,event,timestamp\n1,A,zap,2026-01-01\n1,A,view,2026-01-01\n")
    tasks.sweep_uploads()
    upload.refresh_from_db()
    assert upload.state == Upload.State.RECEIVED, "nobody asked for a check"
    uploads.begin_check(upload)
    assert uploads.sweep_checks() == []
    died = {"heartbeat_at": now() - timedelta(minutes=5)}
    Upload.objects.update(**died)
    tasks.sweep_uploads()
    upload.refresh_from_db()
    assert (upload.state, upload.preview["ready"]) == (Upload.State.CHECKED, 1)
    Upload.objects.update(**died, state="received", checkpoint={"tries": uploads.MOST_TRIES})
    assert uploads.sweep_checks() == []
    upload.refresh_from_db()
    assert upload.state == Upload.State.FAILED


def test_columns_cannot_be_changed_under_a_running_import() -> None:
    old = received("user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n")
    uploads.queue(Upload.objects.get())
    with pytest.raises(StateError):
        uploads.choose_columns(old, {"events": {"zap": "cart"}})
    assert Upload.objects.get().state == Upload.State.QUEUED


def test_undo_spares_whom_another_file_took_up_after_the_first_look() -> None:
    upload = imported("user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n2,A,view,2026-01-01\n")
    imported("user_id,item_id,event,timestamp\n1,B,view,2026-01-02\n")
    Event.objects.filter(upload=upload).delete()
    unused = removal._unused_shoppers(upload)
    looks = iter([Shopper.objects.all(), unused])

    class Outdated:
        model = Shopper
        filter = unused.filter

        def order_by(self, *names: str) -> Any:
            return next(looks).order_by(*names)

    assert removal._delete(upload, Outdated()) == 1
    assert Shopper.objects.get().external_id == "1"
    assert Event.objects.get().shopper.external_id == "1"


def test_no_file_can_claim_that_a_mail_was_opened() -> None:
    upload = received("user_id,item_id,event,timestamp\n1,A,zap,2026-01-01\n")
    with pytest.raises(InputError):
        uploads.choose_columns(upload, {"events": {"zap": "email_open"}})


def test_cancelling_deletes_what_the_check_refused() -> None:
    upload = checking.check_upload(received("user_id,item_id,event,timestamp\n1,A,zap,2026-01-01\n"))
    assert path_of(upload.rejects_file).exists()
    removal.cancel_upload(upload)
    assert list(tables.folder("rejects").iterdir()) == []


HALF = "user_id,item_id,event,timestamp,dedupe_key\n1,A,view,2026-01-01,k1\n2,B,view,2026-01-01,k2\n"


def half_imported(data: str) -> Upload:
    """An import that died before its end: its rows are in the tables, and hidden."""
    upload = imported(data)
    Upload.objects.filter(pk=upload.pk).update(state=Upload.State.FAILED, hidden=True)
    return upload


def test_half_an_import_is_invisible(make_shopper: Any) -> None:
    half_imported(HALF)
    for model in (Event, Shopper, Product):
        assert not model.objects.exists()
        assert model.everything.exists()
    profiles.refresh_profiles(everybody=True)
    assert not Profile.objects.exists()
    assert not rules.matching({"all": []}).exists(), "a segment of everybody counts nobody"
    Upload.objects.update(hidden=False, state=Upload.State.DONE)
    profiles.refresh_profiles()
    assert rules.matching({"all": []}).count() == Profile.objects.count() == 2


def test_an_event_told_again_outlives_the_upload_that_brought_it_first(make_shopper: Any) -> None:
    shopper = make_shopper()
    upload = half_imported(HALF)
    row = EventRow(shopper.pk, Event.Kind.VIEW, now(), key="k1")
    assert record_events([row, row]) == Recorded(1, 1)
    removal.cancel_upload(upload)
    removal.remove_rows(upload.pk)
    assert Event.everything.get().shopper == shopper


def test_an_event_of_a_shopper_who_was_erased_is_passed_over(make_shopper: Any) -> None:
    row = EventRow(make_shopper().pk, Event.Kind.VIEW, now())
    Shopper.objects.all().delete()
    assert record_events([row]) == Recorded(0, 0, 1)
    assert not Event.everything.exists()


def test_who_waits_for_a_long_import_is_not_given_up() -> None:
    upload = uploads.queue(received(HALF))
    for _sweep in range(2 * uploads.MOST_TRIES):
        Upload.objects.update(heartbeat_at=now() - timedelta(minutes=5))
        assert uploads.sweep_uploads() == [upload.pk]
    assert Upload.objects.get().state == Upload.State.QUEUED
