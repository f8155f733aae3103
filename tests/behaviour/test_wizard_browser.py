"""The upload wizard in a real browser: three clicks for a known file, questions, mended rows, stop, go on, undo."""

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from behaviour import importing, tasks
from behaviour.models import Event, Upload
from tests.browser import DIAGONAL, Visit, Watched

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
GOOD = "user_id,item_id,event,timestamp,price\n" + "".join(
    f"{n % 7},SKU-{n % 5},{'purchase' if n % 3 == 0 else 'view'},2026-01-{n % 28 + 1:02} 10:00:00,12.5\n"
    for n in range(60)
)
# Strange names, dates that can be read in two ways, and an event that nobody knows.
STRANGE = "who;what;did;moment;src\n1;A;view;03/04/2025;ads\n2;B;zapped;05/06/2025;nl\n"
BROKEN = "user_id,item_id,event,timestamp\n1,A,view,2026-01-01\n2,B,view,yesterday\n"


def drop(watched: Watched, folder: Path, name: str, text: str, field: str = "#id_file") -> None:
    """Choose a file, as dropping does."""
    path = folder / name
    path.write_text(text)
    watched.page.set_input_files(field, path)


@DIAGONAL
def test_a_known_file_takes_three_clicks(visit: Visit, admin: Any, tmp_path: Path, width: int, theme: str) -> None:
    watched = visit(reverse("behaviour:import_new"), admin, width=width, theme=theme)
    watched.check()
    drop(watched, tmp_path, "a-file-with-a-very-long-name-" + "x" * 150 + ".csv", GOOD)
    page = watched.page
    expect(page.get_by_role("heading", name="Your file is good to go")).to_be_visible()
    watched.check()
    page.get_by_role("button", name="Import 60 rows").click()
    expect(page.get_by_role("heading", name="60 rows loaded")).to_be_visible()
    expect(page.locator("[data-sum]")).to_have_text("60 loaded + 0 known + 0 refused = 60 read")
    watched.check()
    watched.open(reverse("behaviour:imports"))
    watched.check()
    assert Event.objects.count() == 60


@DIAGONAL
def test_a_strange_file_is_matched_and_its_question_answered(
    visit: Visit, admin: Any, tmp_path: Path, width: int, theme: str
) -> None:
    watched = visit(reverse("behaviour:import_new"), admin, width=width, theme=theme)
    page = watched.page
    drop(watched, tmp_path, "strange.csv", STRANGE)
    expect(page.get_by_role("heading", name="Match your columns")).to_be_visible()
    watched.check()
    for column, field in {"who": "user_id", "what": "item_id", "did": "event", "moment": "timestamp"}.items():
        page.get_by_label(f"Field for {column}").select_option(field)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("heading", name="The file does not tell. Please answer.")).to_be_visible()
    expect(page.get_by_text("03/04/2025 = 3 April 2025")).to_be_visible()
    page.get_by_text("03/04/2025 = 4 March 2025").click()
    page.locator(".mx-pair", has_text="zapped").get_by_role("combobox").select_option("cart")
    watched.complaints.clear()  # the answer 422 that asked
    watched.check()
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.get_by_role("heading", name="2 rows loaded")).to_be_visible()
    watched.check()
    assert set(Event.objects.values_list("kind", "at__month")) == {("view", 3), ("cart", 5)}


def test_refused_rows_are_downloaded_mended_and_loaded_again(visit: Visit, admin: Any, tmp_path: Path) -> None:
    watched = visit(reverse("behaviour:import_new"), admin)
    page = watched.page
    drop(watched, tmp_path, "broken.csv", BROKEN)
    page.get_by_role("button", name="Import 1 row").click()
    expect(page.locator("[data-sum]")).to_have_text("1 loaded + 0 known + 1 refused = 2 read")
    watched.check()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Refused rows").click()
    refused = coming.value.path().read_text("utf-8-sig")
    assert coming.value.suggested_filename == "broken refused rows.csv"
    assert refused.startswith("user_id,item_id,event,timestamp,")
    drop(watched, tmp_path, "mended.csv", refused.replace("yesterday", "2026-01-02"), "#id_mended")
    page.get_by_role("button", name="Import 1 row").click()
    expect(page.get_by_role("heading", name="1 row loaded")).to_be_visible()
    assert Event.objects.count() == 2


@DIAGONAL
def test_a_rule_is_switched_off_and_the_file_checked_again(
    visit: Visit, admin: Any, tmp_path: Path, width: int, theme: str
) -> None:
    watched = visit(reverse("behaviour:import_new"), admin, width=width, theme=theme)
    page = watched.page
    drop(watched, tmp_path, "orders.csv", GOOD + "3,POSTAGE,purchase,2026-01-05 10:00:00,4\n")
    expect(page.get_by_role("button", name="Import 60 rows")).to_be_visible()
    watched.check()
    page.get_by_role("checkbox", name="Not a product").uncheck()
    page.get_by_label("Price of one piece").select_option("median")
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_role("button", name="Import 61 rows")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Not a product")).not_to_be_checked()
    watched.check()


def test_an_import_is_stopped(
    visit: Visit, admin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_server: Any
) -> None:
    monkeypatch.setattr(tasks.import_upload, "delay_on_commit", lambda upload_id: None)
    watched = visit(reverse("behaviour:import_new"), admin)
    page = watched.page
    drop(watched, tmp_path, "events.csv", GOOD)
    page.get_by_role("button", name="Import 60 rows").click()
    expect(page.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    watched.check()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop the import").click()
    expect(page.get_by_role("heading", name="This upload was cancelled")).to_be_visible()
    watched.check()
    assert importing.import_upload(Upload.objects.get().pk).state == Upload.State.CANCELLED
    assert not Event.objects.exists()


def test_a_failed_import_goes_on_and_is_undone(
    visit: Visit, admin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = visit(reverse("behaviour:import_new"), admin)
    page = watched.page
    drop(watched, tmp_path, "events.csv", GOOD)
    with monkeypatch.context() as broken:
        broken.setattr(importing, "_complete", _full)
        page.get_by_role("button", name="Import 60 rows").click()
        expect(page.get_by_role("heading", name="The import failed")).to_be_visible()
    watched.check()
    assert not Event.objects.exists()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="60 rows loaded")).to_be_visible()
    assert Event.objects.count() == 60
    page.get_by_role("button", name="Undo this upload").click()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("heading", name="This upload was undone")).to_be_visible()
    watched.check()
    assert not Event.everything.exists()


def _full(*_args: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_that_is_no_table_gives_a_sentence(visit: Visit, admin: Any, tmp_path: Path) -> None:
    watched = visit(reverse("behaviour:import_new"), admin)
    drop(watched, tmp_path, "page.csv", "<!doctype html><html>sign in</html>")
    expect(watched.page.get_by_role("alert")).to_contain_text("This is a web page, not a table")
    watched.complaints.clear()  # the answer 422
    watched.check()


def test_back_from_another_page_shows_the_whole_page_of_a_run(visit: Visit, admin: Any, tmp_path: Path) -> None:
    watched = visit(reverse("behaviour:import_new"), admin)
    page = watched.page
    drop(watched, tmp_path, "events.csv", GOOD)
    page.get_by_role("button", name="Import 60 rows").click()
    expect(page.get_by_role("heading", name="60 rows loaded")).to_be_visible()
    # What the page asks every two seconds while an import runs.
    page.evaluate("htmx.ajax('GET', location.pathname, '#run')")
    watched.wait_until_quiet()
    page.go_back()
    expect(page.get_by_role("heading", name="60 rows loaded")).to_be_visible()
    expect(page.locator("main")).to_be_visible()
    watched.check()
