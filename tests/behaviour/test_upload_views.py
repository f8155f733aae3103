"""The wizard as a browser walks through it."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from behaviour import tables, tasks, upload_cleaning, upload_views, upload_words
from behaviour.core import columns as columns_of_files
from behaviour.core import layouts, rules
from behaviour.core.encodings import ENCODINGS
from behaviour.core.shapes import DELIMITERS
from behaviour.models import Event, Upload

SLICE = Path(__file__).parent.parent / "data" / "online_retail_slice.csv.gz"
FORMATS = Path(__file__).parent.parent / "data" / "formats"
pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = b"user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n1,A,zap,2026-01-01\n"


def send(client: Any, data: bytes, name: str = "events.csv") -> Any:
    return client.post(reverse("behaviour:import_new"), {"file": SimpleUploadedFile(name, data)})


def test_a_known_layout_goes_straight_to_the_check_and_is_imported(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    answer = send(client, SLICE.read_bytes(), "orders.csv.gz")
    upload = Upload.objects.get()
    check = reverse("behaviour:import_check", args=[upload.uuid])
    assert answer.url == check
    page = client.get(check).content.decode()
    assert "69.2% of rows are ready" in page
    assert "Import 2,077 rows" in page
    assert "The shopper is missing" in page
    assert client.get(reverse("behaviour:import_rejects", args=[upload.uuid])).status_code == 200
    run = client.post(check).url
    assert run == reverse("behaviour:import_run", args=[upload.uuid])
    assert "2,077 rows loaded" in client.get(run).content.decode()
    assert "every 2s" not in client.get(run, headers={"HX-Request": "true"}).content.decode()
    rejects = client.get(reverse("behaviour:import_rejects", args=[upload.uuid]))
    assert len(b"".join(rejects.streaming_content).splitlines()) == 1 + 911
    assert client.post(reverse("behaviour:import_undo", args=[upload.uuid])).url == run
    assert not Event.objects.exists()
    assert client.post(check).url == run


def test_a_large_file_is_checked_by_a_worker(client_for: Any, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_for(admin)
    asked: list[int] = []
    monkeypatch.setattr(upload_views, "CHECK_AT_ONCE", 10)
    monkeypatch.setattr(tasks.check_upload, "delay_on_commit", asked.append)
    check = send(client, EVENTS).url
    page = client.get(check).content.decode()
    assert "Reading the file" in page
    assert "every 2s" in page
    assert "Progress of the check" in client.get(check, headers={"HX-Request": "true"}).content.decode()
    tasks.check_upload(asked[0])
    assert client.get(check, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    assert "Import 1 row" in client.get(check).content.decode()


def test_strange_columns_are_matched_by_hand(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    answer = send(client, b"who,sku,did,time,src\n1,A,zap,2026-01-01,ads\n")
    upload = Upload.objects.get()
    columns = reverse("behaviour:import_columns", args=[upload.uuid])
    assert answer.url == columns
    page = client.get(columns).content.decode()
    assert "Please choose" in page
    refused = client.post(columns, {"kind": "events", "column-1": "item_id"})
    assert refused.status_code == 422
    assert "No column was recognised for: Shopper ID" in refused.content.decode()
    chosen = {"column-0": "user_id", "column-1": "item_id", "column-2": "event", "column-3": "timestamp"}
    assert client.post(columns, {"kind": "events", **chosen}).status_code == 302
    check = client.get(reverse("behaviour:import_check", args=[upload.uuid])).content.decode()
    assert "Say what it means" in check
    assert "zap" in client.get(columns).content.decode()
    client.post(columns, {"kind": "events", **chosen, "event-name": "zap", "event-kind": "cart"})
    client.post(reverse("behaviour:import_check", args=[upload.uuid]))
    assert Event.objects.get().kind == "cart"


def test_refused_rows_that_come_back_mended_ask_for_no_columns(client_for: Any, admin: Any) -> None:
    data = b"user_id,item_id,event,timestamp,line,reason,what to do\n1,A,view,2026-01-01,3,Unknown,Say what\n"
    assert send(client_for(admin), data).url.endswith("/check/")


def test_personal_values_are_masked_in_the_columns_step(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    send(client, b"user_id,email,colour\n1,elena@mail.example,elena@mail.example\n")
    page = client.get(reverse("behaviour:import_columns", args=[Upload.objects.get().uuid])).content.decode()
    assert "elena@" not in page
    assert "e••••@mail.example" in page


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"user_id,item_id\n"])
def test_a_bad_file_gives_a_sentence(client_for: Any, admin: Any, data: bytes) -> None:
    answer = send(client_for(admin), data, "bad.csv")
    assert answer.status_code == 422
    assert "This file can" in answer.content.decode()
    assert not Upload.objects.exists()


def test_a_file_can_be_dropped_again(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    send(client, EVENTS)
    upload = Upload.objects.get()
    client.post(reverse("behaviour:import_cancel", args=[upload.uuid]))
    upload.refresh_from_db()
    assert upload.state == Upload.State.CANCELLED
    page = client.get(reverse("behaviour:import_check", args=[upload.uuid]), follow=True)
    assert "This upload was cancelled" in page.content.decode()


def test_templates_are_recognised_when_they_come_back(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    for kind in ("events", "products", "shoppers"):
        text = client.get(reverse("behaviour:import_template", args=[kind])).content
        answer = send(client, text, f"{kind}.csv")
        upload = Upload.objects.first()
        assert upload is not None
        assert (upload.kind, answer.url) == (kind, reverse("behaviour:import_check", args=[upload.uuid]))
        assert upload.preview["rejected"] == 0
    assert client.get(reverse("behaviour:import_template", args=["nothing"])).status_code == 404


def test_only_admins_see_uploads(client_for: Any, admin: Any, marketer: Any, manager: Any, stranger: Any) -> None:
    send(client_for(admin), EVENTS)
    uuid = Upload.objects.get().uuid
    pages = [
        reverse("behaviour:imports"),
        reverse("behaviour:import_new"),
        reverse("behaviour:import_template", args=["events"]),
    ]
    pages += [reverse(f"behaviour:import_{name}", args=[uuid]) for name in ("columns", "check", "run", "rejects")]
    for page in pages:
        for user in (marketer, manager, stranger):
            assert client_for(user).get(page).status_code == 403
    for name in ("undo", "cancel", "resume", "reading", "forget", "cleaning"):
        address = reverse(f"behaviour:import_{name}", args=[uuid])
        assert client_for(marketer).post(address).status_code == 403
        assert client_for(admin).get(address).status_code == 405


def test_the_list_asks_the_same_queries_for_any_number(
    client_for: Any, admin: Any, django_assert_max_num_queries: Any
) -> None:
    client, counts = client_for(admin), []
    for n in (3, 20):
        Upload.objects.bulk_create(Upload(filename=f"{i}.csv", state="done", kind="events") for i in range(n))
        client.get(reverse("behaviour:imports"))
        with django_assert_max_num_queries(30) as asked:
            client.get(reverse("behaviour:imports"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


STRANGE = b"who,sku,did,time,src\n1,A,zap,03/04/2025,ads\n"
CHOSEN = {"column-0": "user_id", "column-1": "item_id", "column-2": "event", "column-3": "timestamp"}


def test_an_open_question_is_asked_until_it_is_answered(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    columns = send(client, STRANGE).url
    asked = client.post(columns, {"kind": "events", **CHOSEN})
    assert asked.status_code == 422
    assert "03/04/2025 = 4 March 2025" in asked.content.decode()
    assert client.post(columns, {"kind": "events", **CHOSEN, "answer-date_order": "nonsense"}).status_code == 422
    assert client.post(columns, {"kind": "events", **CHOSEN, "answer-date_order": "month_first"}).status_code == 302


def test_a_match_is_remembered_for_the_same_columns_and_forgotten_when_asked(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    said = {"event-name": "zap", "event-kind": "cart", "answer-date_order": "day_first"}
    columns = send(client, STRANGE).url
    client.post(columns, {"kind": "events", **CHOSEN, **said})
    assert send(client, STRANGE).url.endswith("/columns/")
    client.post(columns.replace("/columns/", "/check/"))
    again = send(client, b"src,WHO,sku,did,time\nnl,2,B,zap,05/06/2025\n")
    assert again.url.endswith("/check/")
    page = client.get(again.url).content.decode()
    assert "The columns are read as those of the last file like this." in page
    assert "day first" in page
    assert "Import 1 row" in page
    columns = again.url.replace("/check/", "/columns/")
    assert "Forget this match" in client.get(columns).content.decode()
    assert client.post(again.url.replace("/check/", "/forget/")).url == columns
    assert "Forget this match" not in client.get(columns).content.decode()
    assert send(client, STRANGE).url.endswith("/columns/")


def test_columns_that_stand_as_they_were_read_keep_the_layout(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    columns = send(client, SLICE.read_bytes(), "orders.csv.gz").url.replace("/check/", "/columns/")
    names = ["order_id", "item_id", "name", "quantity", "timestamp", "price", "user_id", "country"]
    client.post(columns, {"kind": "orders", **{f"column-{at}": name for at, name in enumerate(names)}})
    assert Upload.objects.get().layout == "online_retail"
    client.post(columns, {"kind": "orders", **{f"column-{at}": name for at, name in enumerate(names[:7])}})
    assert Upload.objects.get().layout == "generic"


def test_values_suggest_a_field_for_a_column_without_a_telling_name(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    data = b"a,b,c,d\n17,SKU-1,view,2026-01-01\n18,SKU-2,cart,2026-01-02\n"
    page = client.get(send(client, data).url).content.decode()
    assert "Use “Event type”" in page
    assert "Use “Time of event”" in page


def test_separator_and_encoding_are_changed_and_nonsense_is_refused(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    columns = send(client, "who,wann\n1,früh\n".encode("cp1252")).url
    reading = columns.replace("/columns/", "/reading/")
    assert client.post(reading, {"encoding": "cp1252", "delimiter": ";"}).url == columns
    assert Upload.objects.get().mapping["shape"]["delimiter"] == ";"
    assert "There is no encoding" in client.post(reading, {"encoding": "morse"}, follow=True).content.decode()
    assert client.get(reading).status_code == 405


def test_the_script_of_the_page_gets_an_address_or_a_sentence(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    asked = {"headers": {"Accept": "application/json"}}
    address = reverse("behaviour:import_new")
    good = client.post(address, {"file": SimpleUploadedFile("a.csv", EVENTS)}, **asked)
    assert good.json() == {"url": reverse("behaviour:import_check", args=[Upload.objects.get().uuid])}
    bad = client.post(address, {"file": SimpleUploadedFile("a.csv", b"%PDF-1.7")}, **asked)
    assert bad.status_code == 422
    assert bad.json()["error"].startswith("This is a PDF")


def test_a_file_that_is_gone_gives_a_sentence(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    columns = send(client, STRANGE).url
    tables.stored_file(Upload.objects.get()).unlink()
    for answer in (
        client.get(columns, follow=True),
        client.post(columns, {"kind": "events"}, follow=True),
        client.post(columns.replace("/columns/", "/reading/"), {"delimiter": ";"}, follow=True),
        client.post(columns.replace("/columns/", "/forget/"), follow=True),
        client.post(columns.replace("/columns/", "/check/"), follow=True),
    ):
        assert "The file is no longer there." in answer.content.decode()


def test_the_wish_for_a_training_stands_on_the_upload(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    client.post(send(client, EVENTS).url, {"train": "on"})
    client.post(send(client, EVENTS).url)
    assert [upload.preview["train"] for upload in Upload.objects.order_by("pk")] == [True, False]


@pytest.mark.parametrize("path", sorted(FORMATS.iterdir()), ids=lambda path: path.name)
def test_every_recognised_format_goes_straight_to_the_check(client_for: Any, admin: Any, path: Path) -> None:
    client = client_for(admin)
    check = send(client, path.read_bytes(), path.name).url
    assert check.endswith("/check/")
    assert client.get(check).status_code == 200
    page = client.get(check.replace("/check/", "/columns/")).content.decode()
    assert "This looks like" in page


def test_every_code_has_words() -> None:
    assert set(upload_words.LOOKS) == set(columns_of_files.KINDS)
    fields = {name for names in columns_of_files.FIELDS.values() for name in names}
    assert fields | set(columns_of_files.RETAIL_COLUMNS) <= set(upload_words.FIELD_NAMES)
    assert set(upload_words.LAYOUTS) == {columns_of_files.ONLINE_RETAIL, *layouts.BY_NAME}
    assert {name for layout in layouts.BY_NAME.values() for name in layout.fields} <= set(upload_words.FIELD_NAMES)
    assert set(upload_words.DELIMITER_NAMES) == set(DELIMITERS)
    assert set(ENCODINGS) <= set(upload_words.ENCODING_NAMES)
    assert set(upload_words.FIXES) <= set(upload_words.FINDINGS)


def _emitted() -> dict[str, set[str]]:
    """Return the codes that the modules below the pages can emit, read from their source."""
    codes: dict[str, set[str]] = {"problems": set(), "reasons": set(), "findings": set()}
    for path in Path(tables.__file__).parent.rglob("*.py"):
        source = path.read_text()
        codes["problems"] |= set(re.findall(r'TableError\("(\w+)"', source))
        codes["reasons"] |= set(re.findall(r'\("(\w+)", [~(]*pl\.', source))
        codes["reasons"] |= set(re.findall(r'broken="(\w+)"', source))
        codes["findings"] |= set(re.findall(r'findings\["(\w+)"\]', source))
    return codes


def test_every_code_that_a_module_emits_has_words() -> None:
    emitted = _emitted()
    assert emitted["problems"] <= set(upload_words.PROBLEMS)
    assert emitted["reasons"] <= set(upload_words.REASONS)
    assert emitted["findings"] <= set(upload_words.FINDINGS)


def test_a_rule_is_switched_off_and_empty_cells_are_filled_when_a_person_says_so(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    data = b"user_id,item_id,event,timestamp,price\n1,A,purchase,2026-01-01,5\n2,POSTAGE,purchase,2026-01-01,3\n"
    check = send(client, data + b"3,A,purchase,2026-01-02,\n").url
    page = client.get(check).content.decode()
    assert "Not a product" in page
    assert "Import 2 rows" in page
    on = [rule.code for rule in rules.RULES if rule.default and rule.code != "not_a_product"]
    said = {"rule": on, "fill-price": "mean", "fill-x": "mean", "non_products": "B\n\n Gift card "}
    answer = client.post(check.replace("/check/", "/cleaning/"), said)
    assert answer.url == check
    upload = Upload.objects.get()
    assert upload_cleaning.chosen_of(upload) == {
        "rules": {"not_a_product": False},
        "fill": {"price": "mean"},
        "non_products": ["B", "Gift card"],
    }
    assert "Import 3 rows" in client.get(check).content.decode()
    client.post(check)
    assert client.post(check.replace("/check/", "/cleaning/"), {"rule": on}, follow=True).status_code == 200
    assert upload_cleaning.chosen_of(Upload.objects.get()) == upload_cleaning.chosen_of(upload)


def test_every_rule_has_words() -> None:
    assert {rule.code for rule in rules.RULES} <= set(upload_words.FINDINGS) | set(upload_words.REASONS)
    assert {rule.action for rule in rules.RULES} <= set(upload_words.DOES)
    assert set(rules.WAYS) <= set(upload_words.WAY_NAMES)
    assert set(rules.FILLED) <= set(upload_words.FIELD_NAMES)


def test_what_a_worker_wrote_of_a_failure_is_told_in_the_readers_language(client_for, admin):
    error = "There is no space left on the disk. Free some, then go on with the import."
    upload = Upload.objects.create(kind="events", filename="a.csv", state="failed", error=error)
    client = client_for(admin)
    assert error in client.get(reverse("behaviour:import_run", args=[upload.uuid])).content.decode()
    client.cookies["django_language"] = "zh-hans"
    for address in (reverse("behaviour:import_run", args=[upload.uuid]), reverse("behaviour:imports")):
        page = client.get(address).content.decode()
        assert error not in page
        assert "磁盘" in page
