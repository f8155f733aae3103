"""Keys of programs and pages: made, shown once, limited, revoked."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from behaviour.models import Event
from mailai.accounts import apikeys
from mailai.accounts.models import ApiKey, AuditEntry
from mailai.errors import InputError

pytestmark = pytest.mark.django_db
SHOP = "https://shop.example"
VIEW = {"event": "view", "timestamp": "2026-03-02T10:00:00Z", "visitor_id": "c2f1", "item_id": "MUG"}
FORM = {"name": "Till", "scopes": ["events:write"], "rate": "600", "origins": "", "days": "30"}


@pytest.fixture(autouse=True)
def _forgetful():
    apikeys.forget()


@pytest.fixture
def site_key(admin):
    return apikeys.create("Site", ["events:browser"], by=admin, rate=1000, origins=[SHOP])[1]


def browse(client, key, events, *, origin=SHOP):
    """Send events as a page does: plain text, key in the address."""
    body = json.dumps({"events": events})
    return client.post(f"/api/v1/events?key={key}", body, content_type="text/plain", headers={"Origin": origin})


def test_a_key_is_shown_once_and_only_its_hash_is_kept(admin, client_for):
    client = client_for(admin)
    page = client.post("/settings/api/new/", FORM).content.decode()
    key = ApiKey.objects.get()
    secret = page.partition('id="secret">')[2].partition("<")[0]
    assert len(secret) == 43
    assert (key.prefix, key.key_hash) == (secret[:8], apikeys.hash_of(secret))
    assert not any(secret in str(value) for value in ApiKey.objects.values_list().get())
    assert secret not in client.get("/settings/api/").content.decode()
    assert key.expires_at - timezone.now() > timedelta(days=29)
    assert AuditEntry.objects.filter(action="api_key.create", object_label="Till").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scopes": []}, "Choose at least one"),
        ({"scopes": ["events:browser"]}, "from which addresses"),
        ({"scopes": ["events:browser", "events:write"], "origins": SHOP}, "may do nothing else"),
        ({"origins": "shop.example/x"}, "is no address of a site"),
        ({"rate": "0"}, "greater than or equal to 1"),
        ({"name": ""}, "required"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(admin, client_for, change, says):
    answer = client_for(admin).post("/settings/api/new/", FORM | change)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_the_service_makes_no_site_key_that_may_do_more(admin):
    for scopes, origins in ((["events:browser", "events:write"], [SHOP]), (["events:browser"], [])):
        with pytest.raises(InputError):
            apikeys.create("Site", scopes, by=admin, rate=1, origins=origins)


@pytest.mark.parametrize("user", ["marketer", "manager"])
def test_only_admins_see_keys(request, client_for, user):
    assert client_for(request.getfixturevalue(user)).get("/settings/api/").status_code == 403


def test_a_revoked_key_ends_within_seconds_in_every_process(admin, client_for, monkeypatch):
    key, secret = apikeys.create("Till", ["events:write"], by=admin, rate=10)
    assert apikeys.caller_of(secret)
    # Another process revokes it: this one goes on believing what it saw, but not for long.
    ApiKey.objects.update(revoked_at=timezone.now())
    assert apikeys.caller_of(secret)
    clock = apikeys.time.monotonic
    monkeypatch.setattr(apikeys.time, "monotonic", lambda: clock() + apikeys.CACHE_SECONDS)
    assert apikeys.caller_of(secret) is None
    ApiKey.objects.update(revoked_at=None)
    client_for(admin).post(f"/settings/api/{key.uuid}/revoke/")
    assert apikeys.caller_of(secret) is None
    assert AuditEntry.objects.filter(action="api_key.revoke").count() == 1


def test_an_expired_key_opens_nothing(admin):
    secret = apikeys.create("Till", ["events:write"], by=admin, rate=10, expires_at=timezone.now())[1]
    assert apikeys.caller_of(secret) is None


def test_processes_share_the_allowance_of_a_minute(admin, monkeypatch):
    monkeypatch.setattr(apikeys.time, "time", lambda: 6000.0)
    _key, secret = apikeys.create("Till", ["events:write"], by=admin, rate=100)
    taken = 0
    for _process in range(4):
        apikeys.forget()
        caller = apikeys.caller_of(secret)
        while taken < 1000 and not apikeys.wait_seconds(caller, 1):
            taken += 1
            if taken % 30 == 0:
                break
    assert 95 <= taken <= 100
    assert apikeys.wait_seconds(caller, 1) == 60
    monkeypatch.setattr(apikeys.time, "time", lambda: 6060.0)
    assert apikeys.wait_seconds(caller, 100) == 0
    assert apikeys.wait_seconds(caller, 1) > 0


def test_a_page_of_the_shop_sends_events(client, site_key):
    answer = browse(client, site_key, [VIEW])
    assert answer.json() == {"accepted": 1, "duplicates": 0, "refused": []}
    assert answer["Access-Control-Allow-Origin"] == SHOP
    assert ApiKey.objects.get().last_event_at


def test_a_page_of_somebody_else_sends_nothing(client, site_key):
    for origin in ("https://evil.example", "null", ""):
        assert browse(client, site_key, [VIEW], origin=origin).status_code == 403
    assert browse(client, "wrong", [VIEW]).status_code == 401
    assert not Event.objects.exists()


def test_a_secret_key_in_an_address_is_refused(client, admin):
    secret = apikeys.create("Till", ["events:write"], by=admin, rate=10)[1]
    assert browse(client, secret, [VIEW]).status_code == 403


def test_a_page_cannot_tell_what_only_the_shop_knows(client, site_key):
    events = [VIEW | {"event": "refund"}, VIEW | {"email": "elena@example.com"}, VIEW | {"user_id": "a@b.example"}]
    answer = browse(client, site_key, events).json()
    assert [one["code"] for one in answer["refused"]] == ["not_from_browser"] * 3
    assert not Event.objects.exists()


def test_a_page_cannot_take_the_key_of_an_event_that_the_shop_sends_later(client, admin, site_key):
    browse(client, site_key, [VIEW | {"key": "A-1001/1"}])
    secret = apikeys.create("Till", ["events:write"], by=admin, rate=10)[1]
    body = json.dumps({"events": [VIEW | {"key": "A-1001/1"}]})
    headers = {"Authorization": f"Bearer {secret}"}
    answer = client.post("/api/v1/events", body, content_type="application/json", headers=headers)
    assert answer.json()["accepted"] == 1


def test_a_visitor_sends_only_so_much_in_a_minute(client, site_key, monkeypatch):
    monkeypatch.setattr("behaviour.api_browser.MOST_OF_VISITOR", 3)
    batch = [VIEW | {"item_id": str(n), "visitor_id": "busy"} for n in range(2)]
    assert browse(client, site_key, batch).status_code == 200
    assert browse(client, site_key, batch).status_code == 429
    assert browse(client, site_key, [VIEW | {"visitor_id": "calm"}]).status_code == 200


def test_a_browser_may_ask_before_it_sends(client, site_key):
    ask = lambda origin: client.options(f"/api/v1/events?key={site_key}", headers={"Origin": origin})  # noqa: E731
    assert ask(SHOP).status_code == 204
    assert ask(SHOP)["Access-Control-Allow-Origin"] == SHOP
    assert ask("https://evil.example").status_code == 403


def test_the_script_is_shown_with_its_key_and_the_last_event(admin, client_for, client, site_key, settings):
    key = ApiKey.objects.get()
    theirs = client_for(admin)
    page = theirs.get(f"/settings/api/{key.uuid}/snippet/").content.decode()
    assert f"{settings.MAILAI_PUBLIC_URL}/api/v1/mailai.js" in page
    assert site_key in page
    assert "No event has arrived yet" in page
    browse(client, site_key, [VIEW])
    assert "Last event received" in theirs.get(f"/settings/api/{key.uuid}/last/").content.decode()
    assert "sendBeacon" in client.get("/api/v1/mailai.js").content.decode()
