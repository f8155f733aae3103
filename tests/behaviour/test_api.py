"""Events, shoppers and products from the shop's own programs."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import OperationalError

from behaviour import api_store
from behaviour.core import api_schema
from behaviour.models import Consent, Event, Identity, Product, Shopper, StockChange, Upload
from mailai.accounts import apikeys

pytestmark = pytest.mark.django_db
VIEW = {"event": "view", "timestamp": "2026-03-02T10:00:00Z", "user_id": "U1", "item_id": "MUG"}


@pytest.fixture(autouse=True)
def _forgetful():
    apikeys.forget()


@pytest.fixture
def key_for(admin):
    def make(*scopes, rate=10_000, **fields):
        return apikeys.create("Shop", scopes, by=admin, rate=rate, **fields)[1]

    return make


@pytest.fixture
def send(client, key_for):
    """Send a batch with a key that may do everything; returns the decoded answer and its status."""
    secret = key_for("events:write", "shoppers:write", "products:write")

    def post(what, entries, *, key=secret, method="post", **extra):
        body = entries if isinstance(entries, (bytes, str)) else json.dumps({what: entries})
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = getattr(client, method)(
            f"/api/v1/{what}", body, content_type="application/json", headers=headers, **extra
        )
        assert answer["Content-Type"] == "application/json"
        return answer.json(), answer.status_code

    return post


def test_an_event_makes_its_shopper_and_product(send):
    answer, status = send("events", [VIEW | {"event": "purchase", "quantity": 3, "price": 2.5, "order_id": "A1"}])
    assert (status, answer) == (200, {"accepted": 1, "duplicates": 0, "refused": []})
    event = Event.objects.get()
    assert (event.shopper.external_id, event.product.sku, event.product.in_catalogue) == ("U1", "MUG", False)
    assert (event.kind, event.quantity, event.amount, event.order_ref) == ("purchase", 3, Decimal("7.50"), "A1")
    assert (event.at, event.upload) == (datetime(2026, 3, 2, 10, tzinfo=UTC), None)


def test_a_batch_sent_again_adds_nothing(send):
    batch = [VIEW | {"item_id": f"P{n}"} for n in range(20)]
    assert send("events", batch)[0]["accepted"] == 20
    assert send("events", [*batch, VIEW])[0] == {"accepted": 1, "duplicates": 20, "refused": []}
    assert Event.objects.count() == 21


def test_an_idempotency_key_decides_alone(send):
    assert send("events", [VIEW | {"key": "a"}, VIEW | {"key": "b"}, VIEW | {"key": "a", "quantity": 2}])[0] == {
        "accepted": 2, "duplicates": 1, "refused": [],
    }  # fmt: skip


def test_wrong_events_are_refused_one_by_one(send):
    batch = [
        VIEW,
        VIEW | {"event": "vieww"},
        {name: value for name, value in VIEW.items() if name != "timestamp"},
        VIEW | {"timestamp": "2026-03-02T10:00:00"},
        VIEW | {"timestamp": "2999-01-01T00:00:00Z"},
        VIEW | {"user_id": ""},
        VIEW | {"item_id": ""},
        VIEW | {"quantity": 0},
        VIEW | {"colour": "red"},
        VIEW | {"item_id": "a\0b"},
        VIEW | {"event": "rating"},
        VIEW | {"email": "nobody", "user_id": ""},
        7,
        VIEW | {"item_id": "CUP"},
    ]
    answer, status = send("events", batch)
    assert (status, answer["accepted"]) == (200, 2)
    assert [(one["index"], one["code"]) for one in answer["refused"]] == [
        (1, "bad_value"), (2, "missing_field"), (3, "bad_value"), (4, "time_out_of_range"), (5, "no_shopper"),
        (6, "no_product"), (7, "bad_value"), (8, "unknown_field"), (9, "bad_text"), (10, "no_rating"),
        (11, "bad_email"), (12, "not_an_object"),
    ]  # fmt: skip
    assert all(one["reason"].endswith(".") for one in answer["refused"])


def test_whoever_is_named_by_address_is_stored_encrypted(send):
    event = {name: value for name, value in VIEW.items() if name != "user_id"}
    assert send("events", [event | {"email": "Elena@Example.com"}])[0]["accepted"] == 1
    shopper = Shopper.objects.get()
    assert shopper.external_id.startswith("mail-")
    assert Identity.objects.get(shopper=shopper).email == "elena@example.com"
    # Under an id of the shop's own, an address is still an address.
    assert send("events", [event | {"user_id": "elena@example.com", "item_id": "CUP"}])[0]["accepted"] == 1
    assert Shopper.objects.count() == 1


def test_a_visitor_has_a_name_of_its_own(send):
    event = {name: value for name, value in VIEW.items() if name != "user_id"}
    send("events", [event | {"visitor_id": "c2f1"}])
    assert Event.objects.get().shopper.external_id == "visitor-c2f1"


def test_names_that_meet_in_an_event_are_one_shopper(send):
    event = {name: value for name, value in VIEW.items() if name != "user_id"}
    send("events", [event | {"visitor_id": "c2f1"}, event | {"email": "elena@example.com", "item_id": "CUP"}])
    assert Shopper.objects.count() == 2
    met = event | {"visitor_id": "c2f1", "email": "elena@example.com", "user_id": "U1", "item_id": "JUG"}
    for _time in range(2):
        send("events", [met])
    assert [shopper.external_id for shopper in Shopper.objects.all()] == ["U1"]
    assert Shopper.objects.get().events.count() == 3
    assert Shopper.objects.get().identity.email == "elena@example.com"
    send("events", [event | {"visitor_id": "c2f1", "item_id": "PAN"}])
    assert Shopper.objects.get().events.count() == 4


def test_events_go_to_whom_a_shopper_was_merged_into(send, make_shopper):
    kept = make_shopper()
    make_shopper(external_id="U1", merged_into=kept)
    send("events", [VIEW])
    assert Event.objects.get().shopper == kept


def test_what_an_unfinished_upload_brought_outlives_it(send):
    upload = Upload.objects.create(filename="a.csv", state="importing", hidden=True)
    send("events", [VIEW])
    Event.objects.update(upload=upload)
    Shopper.objects.update(upload=upload)
    Product.objects.update(upload=upload)
    assert send("events", [VIEW])[0]["accepted"] == 1
    assert (Event.objects.count(), Shopper.objects.count(), Product.objects.count()) == (1, 1, 1)


def test_an_amount_in_another_currency_is_left_out(send, shop):
    send("events", [VIEW | {"event": "purchase", "price": 5, "currency": "JPY"}])
    assert Event.objects.get().amount is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 422), (b"[]", 422), (b'{"events": 3}', 422), (b'{"events": [{"user_id": "\xff"}]}', 422),
        (json.dumps({"events": [VIEW] * 1001}), 413), (b" " * 5_000_001, 413), (b'{"events": []}', 200),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_taken_is_refused_whole(send, body, status):
    answer, got = send("events", body)
    assert got == status
    assert Event.objects.count() == 0
    assert status == 200 or answer["error"]["reason"]


def test_keys_decide_what_may_be_sent(send, key_for):
    assert send("events", [VIEW], key="")[1] == 401
    assert send("events", [VIEW], key="wrong")[1] == 401
    assert send("events", [VIEW], key=key_for("products:write"))[1] == 403
    assert send("shoppers", [], key=key_for("events:write"))[1] == 403


def test_too_much_in_a_minute_is_told_to_wait(client, key_for):
    secret = key_for("events:write", rate=5)
    body = json.dumps({"events": [VIEW | {"item_id": str(n)} for n in range(3)]})
    headers = {"Authorization": f"Bearer {secret}"}
    ask = lambda: client.post("/api/v1/events", body, content_type="application/json", headers=headers)  # noqa: E731
    assert ask().status_code == 200
    refused = ask()
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_wrong_addresses_and_methods_answer_in_json(client):
    for answer, status in ((client.get("/api/v1/nothing"), 404), (client.get("/api/v1/events"), 405)):
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
        assert answer.json()["error"]["reason"]


@pytest.mark.parametrize(("error", "says"), [(OperationalError, (503, "busy")), (ZeroDivisionError, (500, "broken"))])
def test_a_failure_inside_answers_in_json(send, monkeypatch, error, says):
    def fail(rows):
        raise error

    monkeypatch.setattr("behaviour.api_store.store", fail)
    answer, status = send("events", [VIEW])
    assert (status, answer["error"]["code"]) == says


def test_shoppers_are_made_and_changed(send):
    elena = {"user_id": "U1", "email": "elena@example.com", "country": "Germany", "consent": "given"}
    answer, status = send(
        "shoppers", [elena, {"first_name": "Nobody"}, {"user_id": "U2", "email": "elena@example.com"}]
    )
    assert (status, answer["changed"], answer["unchanged"]) == (200, 1, 0)
    assert [(one["index"], one["code"]) for one in answer["refused"]] == [(1, "no_shopper"), (2, "email_taken")]
    shopper = Shopper.objects.get()
    assert (shopper.country, shopper.marketing, shopper.identity.email) == ("Germany", "given", "elena@example.com")
    assert Consent.objects.get().proof.startswith("API key ")
    assert send("shoppers", [{"user_id": "U1", "first_name": "Elena"}], method="put")[0]["changed"] == 1
    assert send("shoppers", [{"user_id": "U1", "first_name": "Elena"}])[0]["unchanged"] == 1
    identity = Identity.objects.get()
    assert (identity.first_name, identity.email) == ("Elena", "elena@example.com")


def test_products_are_made_and_changed(send):
    mug = {"item_id": "MUG", "name": "Mug", "price": 9.5, "stock": 3, "attributes": {"colour": "blue"}}
    assert send("products", [mug, {"name": "Nothing"}])[0]["changed"] == 1
    assert send("products", [{"item_id": "MUG", "price": 8}], method="put")[0]["changed"] == 1
    assert send("products", [{"item_id": "MUG", "price": 8}])[0]["unchanged"] == 1
    product = Product.objects.get()
    assert (product.name, product.price, product.stock, product.attributes) == ("Mug", 8, 3, {"colour": "blue"})
    assert StockChange.objects.count() == 2


def test_a_product_that_only_events_named_comes_into_the_catalogue(send):
    send("events", [VIEW])
    send("products", [{"item_id": "MUG", "name": "Mug"}])
    assert Product.objects.get().in_catalogue


@pytest.mark.parametrize("what", list(api_schema.EXAMPLES))
def test_the_documented_example_works(send, what):
    description = api_schema.openapi()["paths"][f"/api/v1/{what}"]["post"]
    example = description["requestBody"]["content"]["application/json"]["example"]
    answer, status = send(what, json.dumps(example))
    assert (status, answer["refused"]) == (200, [])
    assert set(answer) == set(api_schema.openapi()["components"]["schemas"][
        "EventsAnswer" if what == "events" else "UpsertAnswer"]["properties"])  # fmt: skip


def test_the_description_can_be_read_by_everybody(client):
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/api/v1/events", "/api/v1/shoppers", "/api/v1/products", "/api/v1/segments"} <= set(document["paths"])
    page = client.get("/api/v1/docs").content.decode()
    assert "message_id" in page
    assert "Retry-After" in page


def test_a_batch_costs_the_same_queries_whatever_its_size(send, django_assert_max_num_queries):
    send("events", [VIEW])
    batch = [VIEW | {"item_id": f"P{n}", "user_id": f"U{n}"} for n in range(300)]
    with django_assert_max_num_queries(24):
        assert send("events", batch)[0]["accepted"] == 300


def test_a_yes_without_its_date_does_not_undo_a_withdrawal(send):
    send("shoppers", [{"user_id": "U1", "consent": "withdrawn"}])
    assert Shopper.objects.get().marketing == "withdrawn"
    send("shoppers", [{"user_id": "U1", "consent": "given"}])
    assert Shopper.objects.get().marketing == "withdrawn"
    send("shoppers", [{"user_id": "U1", "consent": "given", "consent_at": datetime.now(UTC).isoformat()}])
    assert Shopper.objects.get().marketing == "given"


def test_what_a_finished_upload_brought_outlives_its_undo_once_it_was_sent_too(send):
    send("events", [VIEW | {"key": "k1"}])
    Event.objects.update(upload=Upload.objects.create(filename="a.csv", state="done"))
    assert send("events", [VIEW | {"key": "k1"}])[0]["duplicates"] == 1
    assert Event.everything.get().upload is None


def test_the_keys_of_pages_never_stand_in_the_way_of_the_shops_own(client, send, key_for):
    site = key_for("events:browser", origins=["https://shop.example"])
    body = json.dumps({"events": [VIEW | {"user_id": "", "visitor_id": "v1", "key": "order-1"}]})
    headers = {"Origin": "https://shop.example"}
    for accepted in (1, 0):
        answer = client.post(f"/api/v1/events?key={site}", body, content_type="text/plain", headers=headers)
        assert answer.json()["accepted"] == accepted
    assert send("events", [VIEW | {"key": "order-1"}])[0]["accepted"] == 1


def test_of_requests_stored_together_only_the_broken_one_fails(send, monkeypatch):
    whole = api_store.insert

    def broken(values):
        if any(kind == "search" for _shopper, kind, *_rest in values):
            raise RuntimeError("disk")
        return whole(values)

    monkeypatch.setattr(api_store, "insert", broken)
    row = api_store.Row("U1", "view", "MUG", "2026-03-02 10:00:00", 1, None, "", None, "0" * 32)
    good = api_store._Batch({row.key: row})
    bad = api_store._Batch({"1" * 32: row._replace(kind="search", item="", key="1" * 32)})
    api_store._store_together([good, bad])
    assert (good.n_new, good.error, good.done, bad.done) == (1, None, True, True)
    assert isinstance(bad.error, RuntimeError)
    assert Event.objects.get().kind == "view"
    assert send("events", [VIEW | {"event": "search", "item_id": ""}])[1] == 500
    assert send("events", [VIEW])[0]["accepted"] == 1
