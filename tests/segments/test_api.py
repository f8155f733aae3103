"""Segments for programs: the same rules, the same counts, the same refusals as on the page and by command."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from mailai.accounts import apikeys
from segments import counting, queries
from segments.models import Segment

pytestmark = pytest.mark.django_db
TWICE = {"field": "country", "op": "=", "value": "Spain"}


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    apikeys.forget()


@pytest.fixture
def key(admin: Any) -> str:
    return apikeys.create("Shop", ["segments:read"], by=admin, rate=100)[1]


def ask(client: Any, key: str, body: Any) -> tuple[int, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {key}"}
    answer = client.post("/api/v1/segments/count", text, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def test_a_rule_is_counted_as_by_command(client: Any, key: str, make_shopper: Any, tmp_path: Any) -> None:
    for country in ("Spain", "Spain", "France"):
        make_shopper(country=country)
    status, found = ask(client, key, {"rule": TWICE})
    assert (status, found["count"]) == (200, 2)
    file, said = tmp_path / "rule.json", StringIO()
    file.write_text(json.dumps(TWICE))
    call_command("segment_count", "--rule", str(file), "--json", stdout=said)
    by_command = json.loads(said.getvalue())
    assert {name: found[name] for name in ("count", "mailable", "excluded")} == {
        name: by_command[name] for name in ("count", "mailable", "excluded")
    }
    Segment.objects.create(name="Spanish", rule=TWICE)
    assert ask(client, key, {"segment": "Spanish"})[1]["count"] == 2


def test_segments_are_read_with_their_rules(client: Any, key: str) -> None:
    made = Segment.objects.create(name="Spanish", rule=TWICE)
    found = client.get("/api/v1/segments", headers={"Authorization": f"Bearer {key}"}).json()["segments"]
    assert [(one["id"], one["name"], one["rule"]) for one in found] == [(str(made.uuid), "Spanish", TWICE)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"rule": {"field": "contry", "op": "=", "value": "x"}}, "country"),
        ({"rule": {"segment": "0f8b3c9e-1111-4222-8333-123456789abc"}}, "no segment"),
        ({"rule": "x"}, "rule"),
        ({"segment": "Nobody"}, "Nobody"),
        ({"segment": 7}, "name of a segment"),
        ({"segment": "a\u0000b"}, "a"),
        ({}, "one of them"),
        ([], "one of them"),
        ({"rule": TWICE, "segment": "x"}, "one of them"),
        ("{", "read"),
        ("\xff", "read"),
        ("[" * 100_000, "read"),
    ],
)
def test_what_can_not_be_used_is_refused_in_words(client: Any, key: str, body: Any, says: str) -> None:
    status, answer = ask(client, key, body)
    assert status == 422
    assert says in answer["error"]["reason"]


def test_only_a_key_with_the_scope_opens_it(client: Any, admin: Any) -> None:
    other = apikeys.create("Shop", ["events:write"], by=admin, rate=100)[1]
    assert ask(client, other, {"rule": TWICE})[0] == 403
    assert ask(client, "nonsense", {"rule": TWICE})[0] == 401
    assert client.get("/api/v1/segments").status_code == 401
    assert client.get("/api/v1/segments/count").status_code == 405


def test_the_rate_and_the_time_have_an_end(client: Any, admin: Any, key: str, monkeypatch: Any) -> None:
    slow = apikeys.create("Slow", ["segments:read"], by=admin, rate=1)[1]
    assert ask(client, slow, {"rule": TWICE})[0] == 200
    assert ask(client, slow, {"rule": TWICE})[0] == 429

    def never(*_args: Any, **_more: Any) -> Any:
        raise OperationalError("interrupted")

    monkeypatch.setattr(queries, "reach", never)
    monkeypatch.setattr(counting, "EDITOR_SECONDS", 0.1)
    assert ask(client, key, {"rule": TWICE})[1]["error"]["code"] == "too_slow"


def test_everybody_reads_the_schema_and_the_description(client: Any) -> None:
    schema = client.get("/api/v1/segments/schema").json()
    assert schema["$schema"].startswith("https://json-schema.org")
    described = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/segments/count"]["post"]
    assert "422" in described["responses"]
    assert "/api/v1/segments/count" in client.get("/api/v1/docs").content.decode()


def test_the_documented_example_works(client: Any, key: str) -> None:
    described = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/segments/count"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    assert ask(client, key, example)[0] == 200
