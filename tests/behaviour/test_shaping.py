"""How a file is read: seen, asked, answered, and read anew as a person says."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from behaviour import shaping, uploads
from behaviour.importing import import_upload
from behaviour.models import Event, Upload
from mailai.errors import InputError, StateError
from tests.behaviour.test_uploads import received

pytestmark = pytest.mark.django_db

OPEN = """user_id,item_id,event,timestamp,quantity,price
1,A,purchase,03/04/2026 12:00,1,1.250
1,B,purchase,05/06/2026 12:00,1,2.500
"""


def test_a_file_with_open_questions_is_not_imported_before_they_are_answered() -> None:
    upload = received(OPEN)
    assert [question["code"] for question in shaping.unanswered(upload)] == ["date_order", "decimal"]
    with pytest.raises(
        InputError, match="03/04/2026 12:00 · 05/06/2026 12:00 in the column “timestamp” can be read in two ways"
    ):
        uploads.queue(upload)
    with pytest.raises(InputError, match="no answer"):
        shaping.answer(upload, {"date_order": "yesterday"})
    shaping.answer(upload, {"date_order": "month_first"})
    with pytest.raises(InputError, match="decimal mark"):
        uploads.queue(upload)
    uploads.choose_columns(upload, {"answers": {"decimal": ","}})
    import_upload(uploads.queue(upload).pk)
    assert [(event.at.month, event.at.day, event.amount) for event in Event.objects.order_by("at")] == [
        (3, 4, 1250), (5, 6, 2500),
    ]  # fmt: skip


def test_an_answer_can_be_taken_back_and_none_is_needed_where_the_file_tells() -> None:
    upload = shaping.answer(received(OPEN), {"date_order": "month_first", "decimal": "."})
    assert shaping.unanswered(upload) == []
    shaping.answer(upload, {"decimal": ""})
    assert [question["code"] for question in shaping.unanswered(upload)] == ["decimal"]
    told = received(OPEN.replace("05/06", "05/26").replace("2.500", "2.50"))
    assert told.mapping["questions"] == []
    assert (told.mapping["day_first"], told.mapping["decimal"]) == (False, ".")
    assert told.mapping["seen"] == {
        "dates": ["MM/DD/YYYY"], "zone_written": False, "date_order": "month_first", "decimal": ".",
    }  # fmt: skip


def test_the_command_asks_takes_answers_and_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, mapping = tmp_path / "a.csv", tmp_path / "m.json"
    file.write_text(OPEN)

    def run(*options: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) if not options else pytest.MonkeyPatch.context():
            call_command("upload", str(file), "--json", *options)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    assert "can be read in two ways" in json.dumps(run())
    mapping.write_text(json.dumps({"answers": {"date_order": "month_first", "decimal": ","}}))
    assert run("--mapping", str(mapping))["loaded"] == 2
    assert run("--yes")["loaded"] == 2
    assert sorted(event.at.month for event in Event.objects.all()) == [3, 4, 5, 6]


def test_another_encoding_and_separator_may_be_chosen() -> None:
    text = "user_id;item_id;event;timestamp;name\n1;A;view;2026-01-01;Żółw\n"
    upload = received(text.encode("cp1250"))
    upload = shaping.reshape(upload, encoding="cp1252")
    assert upload.mapping["shape"]["encoding"] == "cp1252"
    upload = shaping.reshape(upload, encoding="cp1250", delimiter=";")
    assert (upload.mapping["shape"]["encoding"], upload.mapping["shape"]["delimiter"]) == ("cp1250", ";")
    with pytest.raises(InputError, match="no encoding"):
        shaping.reshape(upload, encoding="rot13")
    with pytest.raises(InputError, match="separator"):
        shaping.reshape(upload, delimiter="x")
    Upload.objects.update(state=Upload.State.QUEUED)
    with pytest.raises(StateError):
        shaping.reshape(upload, encoding="cp1252")


def test_letters_that_fit_two_encodings_are_asked() -> None:
    upload = received("user_id,email\n1,a@b.example\n2,파란등산용배낭물병대형텐트\n".encode("euc_kr"))
    (question,) = shaping.unanswered(upload)
    assert question["choices"][:2] == ["euc_kr", "gb18030"]
    assert question["samples"][0] == "파란등산용배낭물병대형텐트"
    shaping.answer(upload, {"encoding": "euc_kr"})
    assert shaping.unanswered(upload) == []


def test_what_is_odd_about_a_header_is_kept_with_the_upload() -> None:
    upload = received("Report\n\n" + OPEN.replace("price\n", "price\n", 1).replace("quantity", "price"))
    assert upload.mapping["notes"] == [{"code": "lines_above", "n": 2}, {"code": "names_twice", "names": ["price"]}]
