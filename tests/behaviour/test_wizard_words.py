"""What the wizard says where somebody errs: steps out of order, wrong matches, missing permission."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from behaviour import importing, tasks, upload_permission, uploads
from behaviour.models import Event, Shopper, Upload
from tests.behaviour.test_reading_faults import cells, workbook
from tests.behaviour.test_upload_views import FORMATS

pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = "user_id,item_id,event,timestamp\n"
MAILCHIMP = (FORMATS / "nonsubscribed_members.csv").read_bytes()


def send(client: Any, data: bytes | str, name: str = "events.csv") -> Any:
    """Upload a file and return where the wizard goes on."""
    content = data.encode() if isinstance(data, str) else data
    return client.post(reverse("behaviour:import_new"), {"file": SimpleUploadedFile(name, content)}).url


def text_of(client: Any, address: str) -> str:
    """Return a page's HTML."""
    return client.get(address, follow=True).content.decode()


def test_a_file_whose_columns_nobody_confirmed_leads_back_to_them(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    columns = send(client, "user_id\n1\n2\n")
    assert columns.endswith("/columns/")
    assert client.get(columns.replace("/columns/", "/check/")).url == columns
    run = columns.replace("columns/", "")
    assert client.get(run, follow=True).redirect_chain[-1][0] == columns
    assert "Still missing: Event type, Time of event or Position" in text_of(client, columns)


def test_two_columns_for_one_field_are_asked_about_and_the_choices_stay(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    columns = send(client, "user_id,item_id,event,timestamp,timestamp\n1,A,view,2026-01-01,2026-02-01\n")
    chosen = {"column-0": "user_id", "column-1": "item_id", "column-2": "event"}
    answer = client.post(columns, {"kind": "events", **chosen, "column-3": "timestamp", "column-4": "timestamp"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Two columns are chosen for “Time of event”: timestamp and timestamp (2). Keep one of them." in page
    assert page.count('<option value="timestamp" selected>') == 2
    assert client.post(columns, {"kind": "events", **chosen, "column-4": "timestamp"}).status_code == 302
    client.post(columns.replace("/columns/", "/check/"))
    assert Event.objects.get().at.month == 2


def test_a_file_of_which_every_row_is_refused_is_not_called_known(client_for: Any, admin: Any) -> None:
    page = text_of(client := client_for(admin), send(client, EVENTS + "1,A,view,yesterday\n"))
    assert "No row of this file can be imported" in page
    send(client, EVENTS + "1,A,view,2026-01-01\n")
    client.post(reverse("behaviour:import_check", args=[Upload.objects.latest("pk").uuid]))
    assert "There is nothing new in this file" in text_of(client, send(client, EVENTS + "1,A,view,2026-01-01\n"))


def test_dates_that_show_the_difference_are_asked_about(client_for: Any, admin: Any) -> None:
    rows = "".join(f"{n},A,view,0{n}/0{n}/2026\n" for n in range(1, 5))
    page = text_of(client := client_for(admin), send(client, EVENTS + rows + "9,A,view,03/04/2026\n"))
    assert "03/04/2026 = 3 April 2026" in page
    assert "03/04/2026 = 4 March 2026" in page


@pytest.mark.parametrize("name", ["nonsubscribed_members.csv", "2026 Non-Subscribed members.csv"])
def test_contacts_that_never_subscribed_get_no_permission(client_for: Any, admin: Any, name: str) -> None:
    page = text_of(client := client_for(admin), send(client, MAILCHIMP, name))
    assert "New shoppers of whom it says nothing get the permission “not asked” and no email" in page
    client.post(reverse("behaviour:import_check", args=[Upload.objects.get().uuid]))
    assert Shopper.objects.get().marketing == "unknown"


def test_a_mailchimp_file_under_another_name_says_what_its_people_get(client_for: Any, admin: Any) -> None:
    page = text_of(client := client_for(admin), check := send(client, MAILCHIMP, "contacts.csv"))
    assert "1 shopper gets the permission “given”. If they never subscribed, give the file back its name" in page
    assert "<dt>New shoppers</dt><dd>1</dd>" in page
    assert "gets the permission “given”" in text_of(client, check.replace("/check/", "/columns/"))
    upload = Upload.objects.get()
    upload.preview = {}
    assert "those with a CONFIRM_TIME get the permission “given”" in upload_permission.permission_text(upload)


@pytest.mark.parametrize("name", ["mailchimp_subscribed.csv", "mailchimp_unsubscribed.csv", "klaviyo_profiles.csv"])
def test_files_that_are_clear_bring_no_warning(client_for: Any, admin: Any, name: str) -> None:
    page = text_of(client := client_for(admin), send(client, (FORMATS / name).read_bytes(), name))
    assert "Agreed to marketing email" in page
    assert "the permission “" not in page


def test_a_list_without_a_column_of_permission_says_so_before_it_is_read(client_for: Any, admin: Any) -> None:
    page = text_of(client := client_for(admin), send(client, "email,first_name,shoe\nada@mail.example,Ada,38\n"))
    assert "Nobody in this file has agreed to marketing email." in page


def test_browsers_that_stay_apart_stand_on_the_page_of_the_upload(client_for: Any, admin: Any) -> None:
    rows = "U1,A,view,2026-01-01,abc\nU2,A,view,2026-01-02,abc\nU1,A,view,2026-01-03,xyz\n"
    client = client_for(admin)
    check = send(client, "user_id,item_id,event,timestamp,visitor_id\n" + rows)
    client.post(check)
    upload = Upload.objects.get()
    assert upload.findings == {"visitor_shared": 1}
    page = text_of(client, check)
    assert "A shopper seen on the browser of another one, kept apart" in page
    assert "2 were joined to known shoppers by this file" in page


def test_an_import_that_waits_names_the_one_before_it(
    client_for: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.import_upload, "delay_on_commit", lambda upload_id: None)
    client = client_for(admin)
    check = send(client, EVENTS + "1,A,view,2026-01-01\n")
    client.post(check)
    assert "Waiting for a worker" in text_of(client, check)
    Upload.objects.create(filename="big.csv", stored_as="big.bin", state=Upload.State.IMPORTING)
    assert "this one begins when “big.csv” is done" in text_of(client, check)


def test_a_form_sent_after_the_login_ran_out_leads_back_to_its_page(client_for: Any, admin: Any) -> None:
    page = send(client_for(admin), EVENTS + "1,A,view,2026-01-01\n")
    undo, stranger = page.replace("check/", "undo/"), Client()
    answer = stranger.post(undo, headers={"Referer": f"http://testserver{page}"})
    assert answer.url == f"/accounts/login/?next={page}"
    assert stranger.post(undo, headers={"Referer": "https://evil.example/x"}).url == "/accounts/login/?next=/"
    assert stranger.get(page).url == f"/accounts/login/?next={page}"


def test_a_part_that_asks_after_the_login_ran_out_sends_the_browser_to_it(client_for: Any, admin: Any) -> None:
    check = send(client_for(admin), EVENTS + "1,A,view,2026-01-01\n")
    asked = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{check}"}
    answer = Client().get(check.replace("check/", ""), headers=asked)
    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"] == f"/accounts/login/?next={check}"
    assert not answer.content


def test_who_comes_back_to_the_address_of_a_refused_key_sees_the_keys(client_for: Any, admin: Any) -> None:
    client, address = client_for(admin), reverse("accounts:create_api_key")
    assert client.post(address, {"name": "Shop"}).status_code == 422
    assert client.get(address).url == reverse("accounts:api_keys")


def test_the_list_says_what_a_file_waits_for(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    send(client, "user_id\n1\n2\n")
    assert "Match its columns" in text_of(client, reverse("behaviour:imports"))
    Upload.objects.update(heartbeat_at=now())
    assert "Being checked" in text_of(client, reverse("behaviour:imports"))
    send(client, EVENTS + "1,A,view,2026-01-01\n")
    assert "Checked, not imported" in text_of(client, reverse("behaviour:imports"))


def test_a_form_with_an_old_token_gets_a_page_of_the_house(admin: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    answer = client.post(reverse("behaviour:import_new"), {})
    assert answer.status_code == 403
    assert "The form was too old or came from another page." in answer.content.decode()


def test_what_is_next_after_an_undo_is_another_file(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    check = send(client, EVENTS + "1,A,view,2026-01-01\n")
    client.post(check)
    assert "Build a segment" in text_of(client, check)
    client.post(check.replace("check/", "undo/"))
    page = text_of(client, check)
    assert "Upload another file" in page
    assert "Build a segment" not in page


@pytest.mark.parametrize(
    ("cell", "warned"),
    [
        ('<c r="E2"><f>2*1</f><v /></c>', True),
        ('<c r="E2"><f t="shared" si="0"/></c>', True),
        ('<c r="E2"><f>2*1</f><v>2</v></c>', False),
        ('<c r="E2" t="str"><f>IF(A1="","",A1)</f><v></v></c>', False),
    ],
)
def test_formulas_without_results_are_told_of(client_for: Any, admin: Any, cell: str, warned: bool) -> None:
    row = cells(2, "1", "A", "purchase", "2026-01-01").replace("</row>", f"{cell}</row>")
    book = workbook(cells(1, "user_id", "item_id", "event", "timestamp", "price") + row)
    client = client_for(admin)
    page = text_of(client, send(client, book, "orders.xlsx"))
    assert ("Cells hold formulas without their results" in page) is warned


def test_a_page_and_its_part_at_one_address_are_kept_apart(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    client.post(check := send(client, EVENTS + "1,A,view,2026-01-01\n"))
    run = client.get(check.replace("check/", ""))
    assert "HX-Request" in run.headers["Vary"]


def test_who_cancels_twice_is_told_so(client_for: Any, admin: Any) -> None:
    client = client_for(admin)
    cancel = send(client, EVENTS + "1,A,view,2026-01-01\n").replace("check/", "cancel/")
    client.post(cancel)
    assert "was cancelled or undone before" in client.post(cancel, follow=True).content.decode()


@pytest.mark.parametrize("header", ["user_id,email", "email,item_id,event,timestamp"])
def test_a_typing_error_comes_with_what_was_probably_meant(client_for: Any, admin: Any, header: str) -> None:
    rest = ",A,view,2026-01-01" if "event" in header else ""
    wrong = ["gmial.com", "hotmial.com", "gmail.com"]
    rows = "".join(f"{'' if rest else f'{n},'}{n}@{name}{rest}\n" for n, name in enumerate(wrong))
    page = text_of(client := client_for(admin), send(client, f"{header}\n{rows}"))
    assert "gmial.com → gmail.com · hotmial.com → hotmail.com" in page
    assert "0@" not in page


def test_the_run_tells_of_products_that_no_catalogue_has_though_nobody_checked_the_file(
    client_for: Any, admin: Any
) -> None:
    upload = uploads.receive_upload(io.BytesIO((EVENTS + "1,A,view,2026-01-01\n").encode()), "events.csv")
    importing.import_upload(uploads.queue(upload).pk)
    page = text_of(client_for(admin), reverse("behaviour:import_run", args=[upload.uuid]))
    assert "1 product is not in it yet" in page


def test_the_list_of_uploads_says_the_refused_share_as_everywhere(client_for: Any, admin: Any, shop: Any) -> None:
    Upload.objects.create(filename="a.csv", rows_read=1000, loaded=998, rejected=2, state=Upload.State.DONE)
    Upload.objects.create(filename="b.csv", rows_read=10, loaded=10, state=Upload.State.DONE)
    shown = text_of(client_for(admin), reverse("behaviour:imports"))
    assert (">0.20%<" in shown, ">0%<" in shown, "0.0%" in shown) == (True, True, False)
