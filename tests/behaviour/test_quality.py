"""Quality reports: what files are like, beside the usual; the pages; the rules that a person chooses."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from behaviour import quality, uploads
from behaviour.checking import check_upload
from behaviour.core.quality import compared
from behaviour.importing import import_upload
from behaviour.models import Upload
from behaviour.quality_words import normal

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = "user_id,item_id,event,timestamp,price\n"


def file(rows: list[str]) -> Upload:
    return uploads.receive_upload(io.BytesIO((HEADER + "\n".join(rows)).encode()), "events.csv")


def imported(rows: list[str]) -> Upload:
    return import_upload(uploads.queue(file(rows)).pk)


def week(n_a_day: int, days: tuple[int, ...] = (1, 2, 3, 4), user: str = "u") -> list[str]:
    return [f"{user}{n},A,view,2026-01-0{day} 10:00:00," for day in days for n in range(n_a_day)]


def test_a_report_says_what_is_missing_and_which_days_have_no_row() -> None:
    bought = ["1,A,purchase,2026-01-01,", "1,B,purchase,2026-01-04,5", "1,B,cart,2026-01-04,5", "1,,zap,2026-01-04,"]
    report = imported(bought + bought[:1]).quality
    assert report["rows"] == 5
    assert report["missing"] == {"item_id": 0, "price": 0.5}
    assert (report["gaps"], report["first_gaps"]) == (2, ["2026-01-02", "2026-01-03"])
    assert report["days"] == [["2026-01-01", 1], ["2026-01-04", 2]]
    assert report["shares"] == {"refused": 0.2, "repeated": 0.2, "machines": 0, "outliers": 0}
    assert report["rates"] == {"cart_to_order": 2}
    assert (report["products"], report["unknown_products"]) == (2, 2)


def test_the_check_and_the_import_say_the_same() -> None:
    upload = check_upload(file(week(3)))
    report = upload.preview["quality"]
    assert import_upload(uploads.queue(upload).pk).quality == report


def test_a_row_whose_address_is_somebody_elses_counts_as_refused(make_shopper: Any) -> None:
    make_shopper("ann@mail.example", external_id="1")
    data = b"user_id,email\n2,ann@mail.example\n3,bob@mail.example\n"
    received = uploads.receive_upload(SimpleUploadedFile("people.csv", data), "people.csv")
    upload = check_upload(received)
    done = import_upload(uploads.queue(upload).pk)
    assert done.quality == upload.preview["quality"]
    assert (done.quality["clean"], done.quality["shares"]["refused"]) == (done.loaded, 0.5)
    assert done.quality["reasons"] == {"email_taken": 1}


def test_a_file_is_compared_with_earlier_ones_like_it() -> None:
    for n in range(3):
        imported(week(10 + n, user=f"u{n}-"))
    fine, odd = check_upload(file(week(12, user="x"))), check_upload(file(week(1, user="y")))
    assert [row["text"] for row in normal(quality.report_of(fine), quality.comparison(fine))] == [
        "Rows per day are within the usual range (+9.1%)."
    ]
    said = normal(quality.report_of(odd), quality.comparison(odd))
    text = "Rows per day: 1, usual are 10 to 12. Look whether the export is complete."
    assert said == [{"text": text, "odd": True, "alone": False}]


def test_few_earlier_files_call_nothing_odd() -> None:
    report = {"days": [["2026-01-01", 5]], "per_day": 5, "gaps": 0, "shares": {}, "rates": {}}
    far = report | {"per_day": 500}
    assert not any(row["odd"] for row in compared(far, [report, report]))
    assert any(row["odd"] for row in compared(far, [report] * 3))
    assert compared(report, [])[0]["usual"] is None


def test_everybody_reads_the_quality_pages(client_for: Any, admin: Any, marketer: Any) -> None:
    for client in (client_for(admin), client_for(marketer)):
        assert "No report yet" in client.get(reverse("behaviour:quality")).content.decode()
    uploads_of = [imported(week(n, days=(1, 4), user=f"{n}-")) for n in (2, 3)]
    page = client_for(marketer).get(reverse("behaviour:quality")).content.decode()
    assert "The newest file had 0% refused rows" in page
    one = client_for(marketer).get(reverse("behaviour:import_quality", args=[uploads_of[1].uuid])).content.decode()
    assert "2 days between the first and the last have no row" in one
    assert "Beside the usual" in one
