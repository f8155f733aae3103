"""Survey answers come through both doors, once, and go with what brought them."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from behaviour import removal, services, uploads
from behaviour.importing import import_upload
from behaviour.models import Event, Upload
from mailai.accounts import apikeys
from segments import rules, sampling
from segments.estimate import estimate

pytestmark = pytest.mark.django_db
FILE = """user_id,event,timestamp,question,answer,item_id
U1,survey_answer,2026-03-02T10:00:00Z,How was it?, Good ,
U1,view,2026-03-02T10:00:00Z,,,MUG
U2,survey_answer,2026-03-02T10:00:00Z,How was it?,Bad,
U2,survey_answer,2026-03-02T10:00:00Z,How was it?,Bad,
U2,survey_answer,2026-03-02T10:00:00Z,Why?,Late,
U3,survey_answer,2026-03-02T10:00:00Z,How was it?,,
U3,survey_answer,2026-03-02T10:00:00Z,,Good,
U3,survey_answer,2026-03-02T10:00:00Z,How was it?,LONG,
"""
ANSWER = {
    "event": "survey_answer", "timestamp": "2026-03-02T10:00:00Z", "user_id": "U1", "question": "How was it?",
    "answer": "Good",
}  # fmt: skip
GOOD = {"did": "survey_answer", "where": {"question": ["How was it?"], "answer": ["Good"]}}


def imported(text: str) -> Upload:
    upload = uploads.receive_upload(io.BytesIO(text.replace("LONG", "x" * 201).encode()), "answers.csv")
    return import_upload(uploads.queue(upload).pk)


def answers() -> list[tuple[Any, ...]]:
    rows = Event.objects.filter(question__isnull=False).values_list("shopper__external_id", "question", "answer")
    return sorted(rows)


@pytest.fixture
def send(client: Any, admin: Any) -> Any:
    apikeys.forget()
    key = apikeys.create("Shop", ["events:write"], by=admin, rate=10_000)[1]

    def post(*events: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"events": events})
        headers = {"Authorization": f"Bearer {key}"}
        return client.post("/api/v1/events", body, content_type="application/json", headers=headers).json()

    return post


def test_a_file_brings_answers_and_its_undo_takes_them(shop: Any) -> None:
    upload = imported(FILE)
    assert (upload.rows_read, upload.loaded, upload.duplicates, upload.rejected) == (8, 4, 1, 3)
    assert upload.findings["answer_missing"] == 2
    assert upload.findings["answer_too_long"] == 1
    assert answers() == [("U1", "How was it?", "Good"), ("U2", "How was it?", "Bad"), ("U2", "Why?", "Late")]
    assert Event.objects.get(kind="view").question is None
    again = imported(FILE)
    assert (again.loaded, again.duplicates) == (0, 5)
    removal.undo_upload(upload, by=None)
    removal.remove_rows(upload.pk)
    assert answers() == []


def test_a_file_without_answers_is_loaded_as_ever(shop: Any) -> None:
    upload = imported("user_id,event,timestamp,item_id\nU1,view,2026-03-02T10:00:00Z,MUG\n")
    assert (upload.loaded, Event.objects.get().question) == (1, None)


def test_the_api_takes_the_same_answer_once_also_after_a_file(shop: Any, send: Any) -> None:
    assert send(ANSWER, ANSWER, ANSWER | {"answer": "Bad"})["accepted"] == 2
    assert send(ANSWER)["duplicates"] == 1
    assert answers() == [("U1", "How was it?", "Bad"), ("U1", "How was it?", "Good")]
    # The file says it again, with spaces: two new ones, of the other shopper, and her view.
    assert imported(FILE).loaded == 3
    assert len(answers()) == 4


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"question": ""}, "no_answer"), ({"answer": "  "}, "no_answer"), ({"answer": "x" * 201}, "bad_value"),
        ({"question": "a\x00b"}, "bad_text"), ({"answer": 9}, "bad_value"),
    ],
)  # fmt: skip
def test_the_api_refuses_half_an_answer(shop: Any, send: Any, change: dict[str, Any], code: str) -> None:
    answer = send(ANSWER | change)
    assert [one["code"] for one in answer["refused"]] == [code]
    assert not Event.objects.exists()


def test_a_rule_asks_what_was_answered(shop: Any, send: Any, make_shopper: Any) -> None:
    other = make_shopper()
    send(ANSWER, ANSWER | {"user_id": "U2", "answer": "Bad"})
    found = rules.matching(GOOD).values_list("external_id", flat=True)
    assert list(found) == ["U1"]
    assert set(rules.matching({"not": GOOD}).values_list("external_id", flat=True)) == {"U2", other.external_id}
    assert rules.matching({"did": "survey_answer"}).count() == 2
    sampling.draw(size=2)
    assert estimate(GOOD).count <= 2


def test_what_a_survey_of_ours_heard_is_recorded_with_its_answer(make_shopper: Any) -> None:
    shopper, at = make_shopper(), datetime(2026, 3, 2, tzinfo=UTC)
    row = services.EventRow(shopper.pk, "survey_answer", at, question="How was it?", answer="Good")
    other = services.EventRow(shopper.pk, "survey_answer", at, question="How was it?", answer="Bad")
    assert services.record_events([row, row, other]).loaded == 2
    assert [one.answer for one in Event.objects.order_by("answer")] == ["Bad", "Good"]


def test_the_answer_stands_in_her_timeline(make_shopper: Any, make_event: Any, marketer: Any, client_for: Any) -> None:
    shopper = make_shopper()
    at = datetime.now(UTC) - timedelta(days=1)
    make_event(shopper, "survey_answer", at=at, question="How <was> it?", answer="Good")
    page = client_for(marketer).get(reverse("analytics:shopper", args=[shopper.pseudonym])).content.decode()
    assert "Answered “How &lt;was&gt; it?” with “Good”" in page


def test_the_builder_offers_questions_and_answers(
    make_shopper: Any, make_event: Any, marketer: Any, client_for: Any
) -> None:
    make_event(make_shopper(), "survey_answer", question="How was it?", answer="Good")
    page = client_for(marketer).post(
        "/segments/new/", {"action": "check", "kind-0": "all", "what-0.0": "did:survey_answer"}
    )
    assert "How was it?" in page.content.decode()
    assert "any answer" in page.content.decode()
