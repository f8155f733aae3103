"""Programs make, change and remove segments: by the services of the page, with the same refusals, and by command."""

import json
from typing import Any
from uuid import uuid4

import pytest

from campaigns.models import Campaign
from mailai.accounts import apikeys
from mailai.accounts.models import AuditEntry
from segments import list_members, services
from segments.models import Segment
from tests.segments.test_commands import refused, run

pytestmark = pytest.mark.django_db
TOP = "/api/v1/segments"
SPAIN = {"field": "country", "op": "=", "value": "Spain"}
FRANCE = {"field": "country", "op": "=", "value": "France"}


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    apikeys.forget()


@pytest.fixture
def call(client: Any, admin: Any) -> Any:
    """Call the API as a program that may write; the answer's status and body."""
    secret = apikeys.create("Shop", ["segments:read", "segments:write"], by=admin, rate=100)[1]

    def ask(method: str, path: str, body: Any = None, key: str = secret) -> tuple[int, Any]:
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        send = getattr(client, method)
        answer = send(path, text, content_type="application/json", headers={"Authorization": f"Bearer {key}"})
        return answer.status_code, answer.json()

    return ask


def saved(name: str, rule: Any) -> Segment:
    return services.save_segment(Segment(), name=name, rule=rule, by=None)


def at(segment: Segment) -> str:
    return f"{TOP}/{segment.uuid}"


def test_a_segment_is_made_with_the_rule_in_its_plain_form(call: Any) -> None:
    status, made = call("post", TOP, {"name": "  Spanish  ", "rule": SPAIN})
    segment = Segment.objects.get()
    assert (status, made["id"], made["name"]) == (201, str(segment.uuid), "Spanish")
    assert made["rule"] == segment.rule == SPAIN
    assert call("get", TOP)[1]["segments"] == [made]
    entry = AuditEntry.objects.get(action="segment.create")
    assert entry.user is None
    assert entry.user_label.startswith("API key ")


def test_a_change_says_what_changed_with_it(call: Any) -> None:
    segment = saved("Spanish", SPAIN)
    outer = saved("Outer", {"segment": str(segment.uuid)})
    Campaign.objects.create(name="Spring", segment=outer)
    both = {"segments": ["Outer"], "campaigns": ["Spring"]}
    assert call("get", at(segment))[1]["used_by"] == both
    status, changed = call("patch", at(segment), {"rule": FRANCE})
    assert (status, changed["name"], changed["rule"], changed["also_changed"]) == (200, "Spanish", FRANCE, both)
    assert call("patch", at(segment), {"name": "French"})[1]["rule"] == FRANCE
    assert call("put", at(segment), {"name": "Iberian", "rule": SPAIN})[0] == 200
    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("Iberian", SPAIN)
    assert AuditEntry.objects.filter(action="segment.change", user_label__startswith="API key ").count() == 3


def test_a_segment_in_use_is_not_removed_and_the_answer_names_what_uses_it(call: Any) -> None:
    segment = saved("Spanish", SPAIN)
    outer = saved("Outer", {"segment": str(segment.uuid)})
    status, answer = call("delete", at(segment))
    assert (status, answer["error"]["code"]) == (409, "in_use")
    assert "used by the rule of “Outer”" in answer["error"]["reason"]
    campaign = Campaign.objects.create(name="Spring", segment=outer)
    assert "used by the campaign “Spring”" in call("delete", at(outer))[1]["error"]["reason"]
    campaign.delete()
    for one in (outer, segment):
        assert call("delete", at(one)) == (200, {"deleted": str(one.uuid)})
        assert call("delete", at(one))[0] == 404
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "A", "rule": {"field": "contry", "op": "=", "value": "x"}}, "Did you mean “country”?"),
        ({"name": "A", "rule": {"feld": "country"}}, "field"),
        ({"nme": "A", "rule": SPAIN}, "Did you mean “name”?"),
        ({"name": "A"}, "needs “rule”"),
        ({"rule": SPAIN}, "needs “name”"),
        ({"name": " ", "rule": SPAIN}, "1 to 120 letters"),
        ({"name": "x" * 121, "rule": SPAIN}, "1 to 120 letters"),
        ({"name": "a\u0000b", "rule": SPAIN}, "1 to 120 letters"),
        ({"name": 7, "rule": SPAIN}, "a text"),
        ({"name": None, "rule": SPAIN}, "a text"),
        ({"name": "Taken", "rule": SPAIN}, "Choose another name"),
        ({"name": "A", "rule": {"segment": str(uuid4())}}, "no segment"),
        ({"name": "A", "rule": {"list": str(uuid4())}}, "no list"),
        ({"name": "A", "rule": None}, "rule"),
        ([], "object"),
        ("{", "can't be read"),
        ("[" * 100_000, "can't be read"),
    ],
)
def test_what_can_not_be_saved_is_refused_in_words_and_changes_nothing(call: Any, body: Any, says: str) -> None:
    taken, other = saved("Taken", FRANCE), saved("Other", FRANCE)
    for method, path in (("post", TOP), ("put", at(other))):
        status, answer = call(method, path, body)
        assert (status, answer["error"]["code"]) == (422, "unusable")
        assert says in answer["error"]["reason"]
    assert list(Segment.objects.order_by("pk").values_list("name", "rule")) == [
        (one.name, FRANCE) for one in (taken, other)
    ]


def test_a_circle_and_an_empty_change_are_refused(call: Any) -> None:
    one = saved("One", SPAIN)
    two = saved("Two", {"segment": str(one.uuid)})
    assert "circle" in call("patch", at(one), {"rule": {"segment": str(two.uuid)}})[1]["error"]["reason"]
    assert call("patch", at(one), {})[0] == 422


def test_only_a_key_that_may_write_writes(call: Any, admin: Any) -> None:
    segment = saved("Spanish", SPAIN)
    reader = apikeys.create("Reader", ["segments:read"], by=admin, rate=100)[1]
    writer = apikeys.create("Writer", ["segments:write"], by=admin, rate=2)[1]
    for method, path in (("post", TOP), ("put", at(segment)), ("patch", at(segment)), ("delete", at(segment))):
        assert call(method, path, {"name": "X", "rule": SPAIN}, key=reader)[0] == 403
        assert call(method, path, {"name": "X", "rule": SPAIN}, key="nonsense")[0] == 401
    assert call("get", TOP, key=writer)[0] == 403
    assert call("patch", f"{TOP}/{uuid4()}", {"name": "X"})[0] == 404
    assert call("post", at(segment), {"name": "X"})[0] == 405
    assert [call("patch", at(segment), {"name": f"N{n}"}, key=writer)[0] for n in range(3)] == [200, 200, 429]


def test_the_description_tells_every_call_and_its_examples_work(call: Any, client: Any) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert set(paths[TOP]) == {"get", "post"}
    assert set(paths[f"{TOP}/{{id}}"]) == {"get", "put", "patch", "delete"}
    ids = [one["operationId"] for path in paths.values() for one in path.values() if "operationId" in one]
    assert len(ids) == len(set(ids))
    example = paths[TOP]["post"]["requestBody"]["content"]["application/json"]["example"]
    made = call("post", TOP, example)
    assert made[0] == 201
    for method in ("put", "patch"):
        content = paths[f"{TOP}/{{id}}"][method]["requestBody"]["content"]["application/json"]
        assert call(method, f"{TOP}/{made[1]['id']}", content["example"])[0] == 200
    html = client.get("/api/v1/docs").content.decode()
    assert "-X DELETE" in html
    assert "segments:write" in html


# ---------- by command


def test_commands_do_the_same(tmp_path: Any, make_shopper: Any) -> None:
    spain, france, wrong = (tmp_path / name for name in ("spain.json", "france.json", "wrong.json"))
    spain.write_text(json.dumps(SPAIN))
    france.write_text(json.dumps(FRANCE))
    wrong.write_text('{"field": "contry", "op": "=", "value": "x"}')
    made = run("segment_save", "Spanish", "--rule", str(spain))
    segment = Segment.objects.get()
    none: dict[str, list[str]] = {"segments": [], "campaigns": []}
    assert made == {"segment": str(segment.uuid), "name": "Spanish", "made": True, "also_changed": none}
    outer = saved("Outer", {"segment": str(segment.uuid)})
    changed = run("segment_save", "Spanish", "--rule", str(france), "--rename", "French")
    assert (changed["made"], changed["name"], changed["also_changed"]["segments"]) == (False, "French", ["Outer"])
    assert [(one["name"], one["rule"]) for one in run("segments")["segments"]] == [
        ("French", FRANCE), ("Outer", outer.rule),
    ]  # fmt: skip
    assert "Did you mean “country”?" in refused("segment_save", "French", "--rule", str(wrong))
    assert "Did you mean “French”?" in refused("segment_save", "Frensh", "--rename", "X")
    assert "--rule FILE" in refused("segment_save", "French")
    assert "used by the rule of “Outer”" in refused("segment_delete", "French")
    assert run("segment_delete", "Outer") == {"deleted": "Outer"}
    assert run("segment_delete", "French") == {"deleted": "French"}
    assert not Segment.objects.exists()


def test_a_rule_that_the_api_gives_out_comes_back_by_command(call: Any, tmp_path: Any, make_shopper: Any) -> None:
    fair = list_members.add_to_new_list(make_shopper(), "Fair", by=None)
    rule = {"all": [{"list": str(fair.uuid)}, {"not": {"did": "purchase", "within": {"days": 30}}}]}
    made = call("post", TOP, {"name": "Guests", "rule": rule})[1]
    file = tmp_path / "rule.json"
    file.write_text(json.dumps(made["rule"]))
    run("segment_save", "Copy", "--rule", str(file))
    assert Segment.objects.get(name="Copy").rule == made["rule"]
