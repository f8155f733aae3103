"""Uploads through their own doors: balance, repetition, kills, undo, commands."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from behaviour import checking, identity, importing, loading, removal, tables, tasks, uploads
from behaviour.core.columns import KINDS
from behaviour.importing import import_upload
from behaviour.models import Consent, Event, Identity, Product, Shopper, StockChange, Upload
from behaviour.rejects import path_of
from mailai.accounts.models import AuditEntry
from mailai.errors import InputError, StateError

SLICE = Path(__file__).parent.parent / "data" / "online_retail_slice.csv.gz"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SIZE", 400)
    monkeypatch.setattr(tables, "MOST", 600)


def received(data: bytes | str, name: str = "orders.csv", **options: Any) -> Upload:
    content = data.encode() if isinstance(data, str) else data
    return uploads.receive_upload(io.BytesIO(content), name, **options)


def imported(data: bytes | str, **options: Any) -> Upload:
    return import_upload(uploads.queue(received(data, **options)).pk)


def balance(upload: Upload) -> tuple[int, int, int, int]:
    assert upload.loaded + upload.duplicates + upload.rejected == upload.rows_read
    return upload.rows_read, upload.loaded, upload.duplicates, upload.rejected


def rejects_of(upload: Upload) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(path_of(upload.rejects_file).read_bytes()).decode())))


def events() -> list[tuple[Any, ...]]:
    rows = Event.objects.values_list("dedupe_key", "shopper__external_id", "product__sku", "at", "quantity", "amount")
    return sorted(rows)


def test_the_slice_of_real_orders_is_cleaned_as_published() -> None:
    upload = imported(SLICE.read_bytes())
    assert upload.state == Upload.State.DONE
    # Worked out with pandas: 2,109 with a shopper, 1,989 of them no returns, 1,979 products, 1,968 once; 109 returns.
    assert balance(upload) == (3000, 1968 + 109, 11 + 1, 891 + 20)
    assert upload.findings == {
        "no_shopper": 891, "not_a_product": 10, "return_not_a_product": 10,
        "purchases": 1968, "repeated_purchases": 11, "refunds": 109, "repeated_refunds": 1,
    }  # fmt: skip
    assert Event.objects.filter(kind="purchase").count() == 1968
    assert Event.objects.filter(kind="refund", quantity__gt=0, amount__gt=0).count() == 109
    assert not Product.objects.filter(name="").exists()
    assert not Product.objects.filter(price=None).exists()
    assert Shopper.objects.filter(country="United Kingdom").exists()
    assert not tables.stored_file(upload).exists()


def test_the_same_and_an_overlapping_file_add_nothing() -> None:
    imported(SLICE.read_bytes())
    before = events()
    again = imported(SLICE.read_bytes())
    assert (again.loaded, again.rejected) == (0, 911)
    lines = gzip.decompress(SLICE.read_bytes()).splitlines(keepends=True)
    part = imported(lines[0] + b"".join(lines[1234:2345]))
    assert part.loaded == 0
    assert events() == before
    balance(part)


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_a_killed_import_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    clean = imported(SLICE.read_bytes())
    wanted, rows = events(), balance(clean)
    refused, names = rejects_of(clean), sorted(Product.objects.values_list("sku", "name", "price"))
    removal.undo_upload(clean)
    assert not Event.objects.exists()
    whole, calls = loading.EventLoader.write, iter(range(1, 99))

    def dies(self: Any, cleaned: Any) -> int:
        n = whole(self, cleaned)
        if next(calls) == chunk:
            raise KeyboardInterrupt
        return n

    upload = uploads.queue(received(SLICE.read_bytes()))
    monkeypatch.setattr(loading.EventLoader, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        import_upload(upload.pk)
    assert import_upload(upload.pk).state == Upload.State.IMPORTING, "a run that may live is left alone"
    Upload.objects.update(heartbeat_at=now() - timedelta(minutes=5))
    tasks.sweep_uploads()
    upload.refresh_from_db()
    assert upload.state == Upload.State.DONE
    assert balance(upload) == rows
    assert events() == wanted
    assert rejects_of(upload) == refused
    assert sorted(Product.objects.values_list("sku", "name", "price")) == names


def test_the_task_run_twice_loads_once() -> None:
    upload = uploads.queue(received(SLICE.read_bytes()))
    tasks.import_upload(upload.pk)
    n = Event.objects.count()
    tasks.import_upload(upload.pk)
    tasks.check_upload(upload.pk)
    assert Event.objects.count() == n
    assert AuditEntry.objects.filter(action="upload.import").count() == 1


def test_an_import_that_never_gets_on_is_given_up() -> None:
    upload = uploads.queue(received(SLICE.read_bytes()))
    Upload.objects.update(state="importing", heartbeat_at=None, checkpoint={"tries": uploads.MOST_TRIES})
    assert uploads.sweep_uploads() == []
    upload.refresh_from_db()
    assert upload.state == Upload.State.FAILED
    assert upload.error


def test_undo_takes_out_what_the_file_brought_and_no_more(make_shopper: Any, make_product: Any) -> None:
    old, cup = make_shopper(external_id="1"), make_product(sku="A")
    upload = imported("user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n2,B,view,2026-01-01\n")
    other = imported("user_id,item_id,event,timestamp\n2,C,view,2026-01-02\n")
    removed = removal.undo_upload(upload)
    assert removed == {"events_removed": 2, "permissions_removed": 0, "shoppers_removed": 0, "products_removed": 1}
    assert set(Shopper.objects.values_list("external_id", flat=True)) == {old.external_id, "2"}
    assert set(Product.objects.values_list("sku", flat=True)) == {cup.sku, "C"}
    assert Event.objects.get().upload == other
    assert removal.undo_upload(upload)["events_removed"] == 0
    with pytest.raises(StateError):
        removal.cancel_upload(upload)


def test_an_undo_stops_a_running_import(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploads.queue(received(SLICE.read_bytes()))
    whole = loading.EventLoader.observe

    def undone_meanwhile(self: Any, cleaned: Any) -> None:
        whole(self, cleaned)
        if Event.everything.exists():
            assert not Event.objects.exists(), "half an import is invisible"
            removal.undo_upload(upload)

    monkeypatch.setattr(loading.EventLoader, "observe", undone_meanwhile)
    assert import_upload(upload.pk).state == Upload.State.UNDONE
    assert not Event.everything.exists()
    assert not Shopper.everything.exists()


def test_rejects_hold_their_own_columns_and_no_formula() -> None:
    upload = imported("user_id,item_id,event,timestamp\n=1+1,A,view,never\n1,A,view,2026-01-01\n")
    header, row = rejects_of(upload)
    assert header == ["user_id", "item_id", "event", "timestamp", "line", "reason", "what to do"]
    assert row[:5] == ["'=1+1", "A", "view", "never", "2"]
    assert row[6].startswith("Write it as")


def test_products_are_made_changed_and_known() -> None:
    first = imported("item_id,name,price,stock\nA,Cup,2.5,3\nB,Pot,9,\n")
    assert (first.kind, first.loaded) == ("products", 2)
    second = imported("item_id,name,price,stock\nA,Cup,2.75,3\nB,Pot,,\n")
    assert (second.loaded, second.duplicates) == (1, 1)
    assert Product.objects.get(sku="A").price == Decimal("2.75")
    assert StockChange.objects.filter(product__sku="A").count() == 2


SHOPPERS = """user_id,email,first_name,consent,consent_source
1,elena@mail.example,Elena,yes,checkout
2,jo@mail.example,Jo,no,
"""


def test_shoppers_bring_encrypted_names_and_permission() -> None:
    upload = imported(SHOPPERS)
    assert (upload.kind, upload.loaded) == ("shoppers", 2)
    elena = identity.find_by_email("Elena@mail.example")
    assert elena is not None
    assert elena.external_id == "1"
    assert elena.identity.first_name == "Elena"
    assert (elena.marketing, Consent.objects.get(shopper=elena).source) == ("given", "checkout")
    assert imported(SHOPPERS).loaded == 0
    assert Consent.objects.count() == 2
    removal.undo_upload(upload)
    assert not Shopper.objects.exists()
    assert not Identity.objects.exists()


def test_a_list_without_dates_does_not_undo_a_withdrawal(make_shopper: Any) -> None:
    shopper = make_shopper("jo@mail.example", external_id="2", marketing="withdrawn")
    upload = imported("user_id,email,consent\n2,jo@mail.example,yes\n")
    shopper.refresh_from_db()
    assert shopper.marketing == "withdrawn"
    assert upload.findings == {"withdrawal_kept": 1}


def test_an_address_of_another_shopper_is_refused(make_shopper: Any) -> None:
    make_shopper("jo@mail.example", external_id="7")
    upload = imported("user_id,email,first_name\n2,jo@mail.example,Jo\n3,a@mail.example,A\n4,A@mail.example,B\n")
    assert balance(upload) == (3, 1, 0, 2)
    assert upload.findings["email_taken"] == 2
    assert imported("email,first_name,consent\njo@mail.example,Joanna,yes\n").loaded == 1
    assert Shopper.objects.get(external_id="7").identity.first_name == "Joanna"


def test_a_check_saves_nothing_and_foretells_the_import() -> None:
    imported(b"".join(gzip.decompress(SLICE.read_bytes()).splitlines(keepends=True)[:500]))
    n = Event.objects.count()
    upload = checking.check_upload(received(SLICE.read_bytes()))
    assert Event.objects.count() == n
    preview = upload.preview
    shoppers, products = Shopper.objects.count(), Product.objects.count()
    done = import_upload(uploads.queue(upload).pk)
    assert (preview["ready"], preview["known"] + preview["repeated"], preview["rejected"]) == (
        done.loaded, done.duplicates, done.rejected
    )  # fmt: skip
    assert preview["new_shoppers"] == Shopper.objects.count() - shoppers
    assert preview["new_products"] == Product.objects.count() - products


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_after_a_good_header_balance(data: bytes) -> None:
    with suppress(InputError):
        upload = received(b"user_id,item_id,event,timestamp,quantity,price\n1,A,view,2026-01-01,,\n" + data)
        balance(import_upload(uploads.queue(upload).pk))


CELL = st.sampled_from(
    ["1", "A", "", "view", "purchase", "2026-01-01 10:00", "-3", "1e400", "nan", "=x", "9" * 130, "\0", "€1,5"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELL, min_size=1, max_size=9), min_size=1, max_size=12), kind=st.sampled_from(KINDS))
def test_any_cells_balance(rows: list[list[str]], kind: str) -> None:
    header = "user_id,item_id,event,timestamp,quantity,price,rating,email"
    with suppress(InputError):
        upload = received("\n".join([header, *map(",".join, rows)]), kind=kind)
        balance(import_upload(uploads.queue(upload).pk))


# --- the commands


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = 0
    try:
        call_command(*arguments, "--json")
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, json.loads(capsys.readouterr().out)


def test_the_command_answers_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = command(capsys, "upload", str(SLICE))
    assert code == 0
    assert list(answer) == [
        "upload", "kind", "rows_read", "loaded", "duplicates", "rejected", "fixed", "seconds", "rejects_file",
        "findings",
    ]  # fmt: skip
    assert (answer["kind"], answer["rows_read"], answer["loaded"]) == ("orders", 3000, 2077)
    code, undone = command(capsys, "upload_undo", str(answer["upload"]))
    assert (code, undone["events_removed"]) == (0, 2077)
    assert command(capsys, "upload_undo", "999")[0] == 1


def bad_files() -> Iterator[tuple[str, bytes]]:
    yield "empty.csv", b""
    yield "header.csv", b"user_id,item_id,event,timestamp\n"
    yield "picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
    yield "unknown.csv", b"colour,shape\nred,round\n"
    yield "prose.csv", b"Dear all,\nplease find attached.\n"
    yield "cut.csv.gz", gzip.compress(b"user_id,item_id,event,timestamp\n" + b"1,A,view,2026-01-01\n" * 9999)[:150]


@pytest.mark.parametrize(("name", "data"), list(bad_files()))
def test_a_bad_file_gives_a_sentence_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    code, answer = command(capsys, "upload", str(path))
    assert code == 1
    assert len(answer["error"]) > 20
    assert not Event.objects.exists()
    assert list(tables.folder("uploads").iterdir()) == []


def test_a_missing_file_and_a_folder_give_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        code, answer = command(capsys, "upload", str(path))
        assert (code, str(path) in answer["error"]) == (1, True)


def test_a_mapping_names_strange_columns(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("who,what,did,at\n1,A,zap,2026-01-01\n")
    mapping = {
        "columns": {"user_id": "who", "item_id": "what", "event": "did", "timestamp": "at"},
        "events": {"zap": "cart"},
    }
    (tmp_path / "map.json").write_text(json.dumps(mapping))
    code, answer = command(capsys, "upload", str(tmp_path / "x.csv"), "--mapping", str(tmp_path / "map.json"))
    assert (code, answer["loaded"], Event.objects.get().kind) == (0, 1, "cart")
    (tmp_path / "map.json").write_text('{"user_id": "nobody"}')
    assert command(capsys, "upload", str(tmp_path / "x.csv"), "--mapping", str(tmp_path / "map.json"))[0] == 1


def test_old_files_are_deleted(make_shopper: Any) -> None:
    waiting = received("user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n")
    done = imported("user_id,item_id,event,timestamp\n1,A,zap,2026-01-01\n1,A,view,2026-01-01\n")
    Upload.objects.update(created_at=now() - timedelta(days=8))
    Upload.objects.filter(pk=done.pk).update(finished_at=now() - timedelta(days=8))
    uploads.sweep_uploads()
    waiting.refresh_from_db()
    assert waiting.state == Upload.State.CANCELLED
    assert not tables.stored_file(waiting).exists()
    assert list(tables.folder("rejects").iterdir()) == []


def test_a_taken_over_run_stops() -> None:
    upload = uploads.queue(received(SLICE.read_bytes()))
    assert importing._claim(upload.pk, "one")
    assert not importing._claim(upload.pk, "two")


def test_an_event_that_a_program_stores_at_this_moment_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploads.queue(received("user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n2,B,view,2026-01-02\n"))
    whole, calls = loading.EventLoader.write, iter([True])

    def beside(self: Any, part: Any) -> int:
        if next(calls, False):
            # What a program stored between the look for known events and this part.
            Event.objects.create(
                shopper_id=part["shopper_id"][0], kind="view", product_id=part["product_id"][0],
                at=part["at"][0], dedupe_key=part["dedupe_key"][0],
            )  # fmt: skip
        return whole(self, part)

    monkeypatch.setattr(loading.EventLoader, "write", beside)
    done = import_upload(upload.pk)
    assert (done.state, done.rows_read, done.loaded + done.duplicates) == ("done", 2, 2)
    assert Event.objects.count() == 2
